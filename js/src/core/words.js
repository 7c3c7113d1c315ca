// Full-text search: what a word is, and what a search asks for.
//
// A word is a run of letters and digits, without case and without marks (`Crème` is `creme`); each Chinese or Japanese
// character is a word of its own, because those scripts put no spaces. A search is what a person types:
//
//     fresh milk          both words, in any strings of the value
//     milk OR bread       one of them; OR binds weaker than standing side by side
//     "fresh milk"        one after the other in one string
//     mil*                a word that begins so
//     -bread, NOT bread   not this
//     (milk OR bread) -rye
//
// Nothing typed is an error: what makes no sense is passed over. A search without words asks for nothing special.

import { fail } from '../errors.js'

/** @typedef {(texts: string[][]) => boolean} Search whether it holds for these texts, given as words */

const MAX_SEARCH_PARTS = 64

const UNSPACED =
  '\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}'
const WORD = new RegExp(`[${UNSPACED}]|(?:(?![${UNSPACED}])[\\p{L}\\p{N}])+`, 'gu')
const PART = /[()]|-?"[^"]*(?:"\*?|$)|[^\s()"]+/g

/**
 * The words of a text, in order.
 * @param {string} text
 * @returns {string[]}
 */
export const words = (text) => plain(folded(plain(text))).replace(/\p{M}/gu, '').match(WORD) ?? []

/** @param {string} text */
const plain = (text) => text.normalize('NFKD')

/** Case folding, but that ı becomes i. @param {string} text */
const folded = (text) => text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ')

/**
 * The strings in a JSON value, keys left out.
 * @param {any} value
 * @returns {string[]}
 */
export function strings(value) {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : []
}

/**
 * What a search asks for; null if it has no words. Fails with bad_request if it has too many.
 * @param {string} text
 * @returns {Search | null}
 */
export function parse(text) {
  const parts = text.match(PART) ?? []
  if (parts.length > MAX_SEARCH_PARTS) fail('bad_request', `text: at most ${MAX_SEARCH_PARTS} words.`)
  parts.reverse()
  const found = []
  while (parts.length) found.push(...either(parts)) // more than once if a bracket is closed that was not opened
  return all(found)[0] ?? null
}

/** Reads alternatives up to the end of a bracket. @param {string[]} parts what is left, the next one last @returns {Search[]} */
function either(parts) {
  /** @type {Search[]} */
  const alternatives = []
  /** @type {Search[]} */
  let sides = []
  for (let part = parts.pop(); part !== undefined && part !== ')'; part = parts.pop()) {
    if (part !== 'OR') sides.push(...one(part, parts))
    else {
      alternatives.push(...all(sides))
      sides = []
    }
  }
  alternatives.push(...all(sides))
  return alternatives.length > 1 ? [(texts) => alternatives.some((each) => each(texts))] : alternatives
}

/** @param {Search[]} parts @returns {Search[]} */
const all = (parts) => (parts.length > 1 ? [(texts) => parts.every((each) => each(texts))] : parts)

/** @param {Search[]} parts @returns {Search[]} */
const without = (parts) => parts.map((each) => (texts) => !each(texts))

/** What stands at one place: nothing, if it makes no sense. @param {string} part @param {string[]} parts @returns {Search[]} */
function one(part, parts) {
  if (part === 'AND') return []
  if (part === 'NOT' || part === '-') {
    const next = parts.pop()
    return next === undefined ? [] : without(one(next, parts))
  }
  if (part === '(') return either(parts)
  const sought = words(part)
  const found = sought.length ? [phrase(sought, part.endsWith('*'))] : []
  return part[0] === '-' ? without(found) : found
}

/** Words one after the other; `isPrefix`: the last one may go on. @param {string[]} sought @param {boolean} isPrefix @returns {Search} */
function phrase(sought, isPrefix) {
  const last = sought.length - 1
  const startsAt = (/** @type {string[]} */ text, /** @type {number} */ at) =>
    sought.every((word, place) => text[at + place] === word || (isPrefix && place === last && text[at + place]?.startsWith(word)))
  return (texts) => texts.some((text) => text.some((_, at) => startsAt(text, at)))
}
