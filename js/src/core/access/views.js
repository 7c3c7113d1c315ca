// Views: which items a reader may see and asked for, for whoever sends pages.
//
// What a view shows is kept in one form, whoever the reader is: by pattern whether it shows, the most specific first,
// without those that say what the next wider one says anyway (the widest default: not shown). So readers with equal
// rights share a view, and two views are compared pattern by pattern.

import { check } from '../patterns.js'
import { sha256, toHex, utf8 } from '../sha256.js'
import { PatternMap, bySpecificity, widest } from './index.js'

/** The digest of a view of everything. */
export const WHOLE = '0'.repeat(16)

/** @typedef {[pattern: string, isShown: boolean][]} Decisions */

/** What is shown, by pattern (`decisions`; the asked patterns are taken in), and what was asked (`items`). */
export class View {
  /** @param {Decisions} decisions @param {string[]} items */
  constructor(decisions, items) {
    this.decisions = decisions
    this.items = items
    this._index = new PatternMap(decisions)
  }

  /**
   * The view of a reader with these decisions about reading, who asks for these items. Fails with bad_request.
   * @param {Decisions} decisions
   * @param {string[]} [items]
   */
  static of(decisions, items = []) {
    const asked = check(items)
    return new View(normal(restricted(decisions, asked)), asked)
  }

  /**
   * What of this lies within other patterns too; everything does if there are none. Fails with bad_request.
   * @param {string[]} scope
   */
  narrowed(scope) {
    return new View(normal(restricted(this.decisions, check(scope))), this.items)
  }

  /**
   * Whether an item shows.
   * @param {string} item
   */
  shows(item) {
    return this._index.matching(item, item[0] !== '.').next().value ?? false
  }

  /** 16 digits: the first of SHA-256 over a line for each decision and each asked pattern; zeros if it is all. */
  get digest() {
    const lines = this.decisions.map(([pattern, isShown]) => (isShown ? '+' : '-') + pattern)
    if (lines.join() === '+.*,+*') return WHOLE
    lines.push(...this.items.map((pattern) => '?' + pattern))
    return toHex(sha256(utf8(lines.join('\n'))).subarray(0, 8))
  }
}

/**
 * The patterns, sorted and none below another, below which every item lies that just one of two views shows.
 * @param {View} old
 * @param {View} now
 */
export function differences(old, now) {
  const patterns = [...old.decisions, ...now.decisions].map(([pattern]) => pattern)
  return widest(patterns.filter((pattern) => at(old._index, pattern, true) !== at(now._index, pattern, true)))
}

/**
 * The decisions within a scope: outside of it nothing shows, and what it names shows as the wider ones say.
 * @param {Decisions} decisions
 * @param {string[]} scope
 * @returns {Decisions}
 */
function restricted(decisions, scope) {
  if (!scope.length) return decisions
  const index = new PatternMap(decisions)
  const within = new PatternMap(scope.map((pattern) => [pattern, true]))
  const found = new Map(decisions.map(([pattern, isShown]) => [pattern, isShown && at(within, pattern, true)]))
  for (const pattern of scope) found.set(pattern, at(index, pattern, true))
  return [...found]
}

/** The decisions that say something else than the next wider one. @param {Decisions} decisions */
function normal(decisions) {
  const index = new PatternMap(decisions)
  const kept = decisions.filter(([pattern, isShown]) => isShown !== at(index, pattern, false))
  return kept.sort(([one], [other]) => bySpecificity(one, other))
}

/** What the most specific pattern that covers a pattern says. @param {PatternMap<boolean>} index @param {string} pattern @param {boolean} orItself */
const at = (index, pattern, orItself) => index.covering(pattern, orItself).next().value ?? false
