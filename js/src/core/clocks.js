// Vector clocks (Fidge 1988, Mattern 1989): who had seen what. A clock maps nodes to counters; a node that is absent
// counts 0. It reports causality to people, resolvers and versioned stores; the fold of documents never reads it.

import { fail } from '../errors.js'
import { MAX_CLOCK_NODES } from './limits.js'

/** What a node's name may be. */
export const NODE = /^[\w.~:/-]{1,64}$/
const PAIR = /^([^=]*)=([1-9]\d{0,15})$/

/** An immutable vector clock of at most 1,000 nodes. Fails with invalid_event for anything else. */
export class VectorClock {
  /** @param {Record<string, number>} [counters] */
  constructor(counters = {}) {
    const pairs = Object.entries(counters)
    const fits = pairs.every(([node, n]) => NODE.test(node) && Number.isSafeInteger(n) && n > 0)
    if (!fits || pairs.length > MAX_CLOCK_NODES) fail('invalid_event', 'clock: nodes with counters from 1.')
    /** @type {ReadonlyMap<string, number>} */
    this.counters = new Map(pairs)
  }

  /**
   * Reads the text form: `node=n` pairs joined by commas, nodes ascending; empty for the zero clock.
   * @param {string} text
   */
  static parse(text) {
    const pairs = (text ? text.split(',') : []).map((pair) => PAIR.exec(pair) ?? fail('invalid_event', 'No vector clock.'))
    if (pairs.some(([, node], at) => at > 0 && node <= pairs[at - 1][1])) fail('invalid_event', 'Nodes stand ascending.')
    return new VectorClock(Object.fromEntries(pairs.map(([, node, n]) => [node, Number(n)])))
  }

  /**
   * How this clock stands to another.
   * @param {VectorClock} other
   * @returns {'before' | 'after' | 'equal' | 'concurrent'}
   */
  compare(other) {
    const isBehind = other._exceeds(this)
    if (this._exceeds(other)) return isBehind ? 'concurrent' : 'after'
    return isBehind ? 'before' : 'equal'
  }

  /**
   * The least clock that has seen what either has: the greater counter of each node.
   * @param {VectorClock} other
   */
  merge(other) {
    const merged = new Map(this.counters)
    for (const [node, n] of other.counters) merged.set(node, Math.max(n, merged.get(node) ?? 0))
    return new VectorClock(Object.fromEntries(merged))
  }

  /** Whether it has seen nothing. */
  isZero() {
    return !this.counters.size
  }

  toString() {
    const pairs = [...this.counters].sort(([one], [other]) => (one < other ? -1 : 1))
    return pairs.map(([node, n]) => `${node}=${n}`).join()
  }

  toJSON() {
    return Object.fromEntries(this.counters)
  }

  /** @param {VectorClock} other */
  _exceeds(other) {
    return [...this.counters].some(([node, n]) => n > (other.counters.get(node) ?? 0))
  }
}
