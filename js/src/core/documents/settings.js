/**
 * A space's conflict policies: system events that say which policy holds for which items from their seq on.
 *
 * @typedef {{seq: number, event: import('../events.js').Event}} Placed an event that has its place in the log
 * @typedef {{seq: number, pattern: string, policy: string | undefined}} Rule
 */

import { matcher } from '../patterns.js'
import { MERGE, POLICIES } from './policies.js'

export const POLICIES_ITEM = '.policies'
export const SET_POLICY = '.policy.set'

/** Which policy judges an entry: the newest rule before it whose pattern is the most specific one for its item. */
export class Policies {
  /** @param {Iterable<Placed>} entries */
  constructor(entries = []) {
    /** In order of seq. @type {Rule[]} */
    this._rules = []
    for (const entry of entries) this.note(entry)
  }

  /**
   * Takes a system event into account; any other does nothing. Without a policy it ends the pattern's.
   * @param {Placed} entry
   */
  note({ seq, event: { item, action, payload } }) {
    if (item !== POLICIES_ITEM || action !== SET_POLICY || typeof payload?.item !== 'string') return
    const policy = payload.policy ?? undefined
    if (policy !== undefined && !POLICIES.has(policy)) return
    if (this._rules.some((rule) => rule.seq === seq && rule.pattern === payload.item && rule.policy === policy)) return
    const at = this._rules.findIndex((rule) => rule.seq > seq)
    this._rules.splice(at < 0 ? this._rules.length : at, 0, { seq, pattern: payload.item, policy })
  }

  /**
   * The policy for an entry of this item at a seq, or for one that comes next.
   * @param {string} item
   * @param {number} [seq]
   */
  of(item, seq = Infinity) {
    let [policy, length] = [MERGE, -1]
    const newest = new Map(this._rules.filter((rule) => rule.seq < seq).map((rule) => [rule.pattern, rule.policy]))
    for (const [pattern, each] of newest) {
      const rank = pattern.endsWith('*') ? pattern.length : Infinity
      if (each && rank > length && matcher([pattern])(item)) [policy, length] = [each, rank]
    }
    return policy
  }

  /**
   * Whether something was said of an item after a seq.
   * @param {string} item
   * @param {number} since
   */
  hasChanged(item, since) {
    return this._rules.some(({ seq, pattern }) => seq > since && matcher([pattern])(item))
  }
}
