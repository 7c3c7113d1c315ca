// Item patterns: a literal, or a prefix with one trailing `*`.

import { fail } from '../errors.js'
import { ITEM } from './events.js'
import { MAX_ITEM_PATTERNS } from './limits.js'

/**
 * The patterns, each once and sorted; `*` among them means all, which is none. Fails with bad_request.
 * @param {readonly string[]} patterns
 */
export function check(patterns) {
  const fits = patterns.every((pattern) => pattern === '*' || ITEM.test(pattern.replace(/\*$/, '')))
  if (!fits || patterns.length > MAX_ITEM_PATTERNS) {
    fail('bad_request', `items: up to ${MAX_ITEM_PATTERNS} items, or prefixes with one trailing *.`)
  }
  return patterns.includes('*') ? [] : [...new Set(patterns)].sort()
}

/**
 * A function that tells whether an item is asked for.
 * @param {readonly string[]} patterns
 * @returns {(item: string) => boolean}
 */
export function matcher(patterns) {
  if (!patterns.length) return () => true
  const literals = new Set(patterns)
  const prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1))
  return (item) => literals.has(item) || prefixes.some((prefix) => item.startsWith(prefix))
}
