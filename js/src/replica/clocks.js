// The vector clocks of items as a replica knows them; those that were asked for lately are at hand.

import { KEPT_CLOCK_NODES } from '../core/limits.js'

/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {Map<string, number>} Clock the last n of each node, in the order in which they last wrote */

const CACHED_CLOCKS = 1_000

/** Clocks by item. */
export class Clocks {
  /** @param {(item: string) => Clock} read makes one of what is stored */
  constructor(read) {
    this._read = read
    /** @type {Map<string, Clock>} */
    this._clocks = new Map()
  }

  /** @param {string} item */
  of(item) {
    let clock = this._clocks.get(item)
    if (!clock) {
      if (this._clocks.size >= CACHED_CLOCKS) this._clocks.clear()
      this._clocks.set(item, (clock = this._read(item)))
    }
    return clock
  }

  /** Notes an event in the clock of its item, if that is at hand. @param {Event} event */
  note(event) {
    const clock = this._clocks.get(event.item)
    if (clock) saw(clock, event)
  }

  /** Has the clocks of these items read again, or all (null). @param {Iterable<string> | null} items */
  forget(items) {
    if (!items) this._clocks.clear()
    else for (const item of items) this._clocks.delete(item)
  }
}

/** Notes an event in an item's clock. @param {Clock} clock @param {Event} event */
export function saw(clock, { node, n }) {
  const before = clock.get(node) ?? 0
  clock.delete(node)
  clock.set(node, Math.max(before, n))
}

/**
 * The clock of a node's next event on an item: of what it has seen the nodes that wrote last, in canonical order.
 * @param {Clock} seen
 * @param {string} node
 * @param {number} n
 */
export function clockWith(seen, node, n) {
  if (!seen.size || (seen.size === 1 && seen.has(node))) return { [node]: n }
  const counters = new Map([...seen].slice(1 - KEPT_CLOCK_NODES)).set(node, n)
  return Object.fromEntries([...counters].sort(([a], [b]) => (a < b ? -1 : 1)))
}
