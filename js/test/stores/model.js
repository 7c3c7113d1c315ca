// The simplest store: two maps. A seeded one makes changes that a real store has to carry out alike.

import { EVERYTHING, pending } from '../../src/stores/index.js'
import { NIL_ID } from '../../src/core/stamps.js'
import { Author, entry } from '../author.js'

/** @typedef {import('../../src/core/events.js').Entry} Entry */
/** @typedef {import('../../src/stores/index.js').Change} Change */
/** @typedef {import('../../src/stores/index.js').Outboxed} Outboxed */
/** @typedef {import('../../src/stores/store.js').Store} Store */

const ITEMS = ['a', 'b', 'c']

/**
 * The next snapshot of an item and the piece of history before it; every other one has a base.
 * @param {Store} store
 * @param {string} item
 */
export function settledBy(store, item) {
  const entries = store.log.filter(({ event }) => event.item === item)
  const old = store.documents.get(item) ?? null
  const { seq, at } = entries[entries.length - 1]
  const number = old?.number ?? 0
  const kept = {
    item, text: `${seq}`, seq, at, revision: 0, group: null, since: 0, number: number + 1,
    count: (old?.count ?? 0) + entries.length, ...(old?.base && { base: old.base }),
  }
  return { kept, piece: { item, number, text: JSON.stringify(entries), base: number % 2 ? null : old } }
}

/**
 * Where an item stands at a seq, without its history.
 * @param {string} item @param {number} seq
 * @returns {import('../../src/stores/index.js').Kept}
 */
export function standingAt(item, seq) {
  const base = { seq, at: 1, revision: 3, clock: { far: 9 }, last: NIL_ID }
  return { item, text: `base ${seq}`, seq, at: 1, revision: 3, group: null, count: 9, number: 0, since: 0, exists: true, base }
}

export class Model {
  /** @param {import('../dice.js').Dice} dice */
  constructor(dice) {
    this._dice = dice
    /** @type {Map<number, Entry>} */
    this._entries = new Map()
    /** @type {Map<string, Outboxed>} */
    this._outbox = new Map()
    this._authors = ['ann', 'bob'].map((user) => new Author(`${user}${dice.below(1_000)}`, user))
    /** Those that are not there, and may come late. @type {Entry[]} */
    this._missing = []
    this._seq = 0
    /** The seqs of the bases. @type {Map<string, number>} */
    this._bases = new Map()
  }

  get told() {
    return {
      entries: [...this._entries.values()].sort((a, b) => a.seq - b.seq),
      outbox: [...this._outbox.values()].sort((a, b) => (a.event.id < b.event.id ? -1 : 1)),
      bases: [...this._bases].sort(),
    }
  }

  /** A change, which is carried out here. @param {Store} store @returns {Change} */
  next(store) {
    const state = { ...store.state, user: 'ann', seq: this._seq }
    const unsettled = [...new Set(store.log.map(({ event }) => event.item))]
    /** @type {(() => Change)[]} */
    const kinds = [
      () => this._arrive(),
      () => this._arrive(),
      () => ({ outbox: this._dice.several(ITEMS, 2).map((item) => pending(this._authors[0].event(item))) }),
      () => this._move(),
      () => ({ forget: [this._dice.choose([...ITEMS, 'unknown'])], entries: this._late() }),
      () => ({ entries: this._late() }),
      () => ({ rewind: Math.max(0, ...this._bases.values(), this._seq - this._dice.below(12)) }),
      () => this._stand(),
      () => (this._dice.below(4) ? {} : { forget: [EVERYTHING] }),
      () => this._settle(store, unsettled),
      () => this._settle(store, unsettled),
    ]
    const change = { state, ...this._dice.choose(kinds)() }
    this._apply(change)
    return change
  }

  /** New entries, some of them of events that wait. @returns {Change} */
  _arrive() {
    const waiting = [...this._outbox.values()].slice(0, 2).map(({ event }) => event)
    const events = [...waiting, ...this._dice.several(ITEMS, 3).map((item) => this._dice.choose(this._authors).event(item))]
    const fresh = events.map((event) => entry(++this._seq, event))
    this._missing = fresh.filter(() => !this._dice.below(5))
    return { entries: fresh.filter((each) => !this._missing.includes(each)) }
  }

  /** What did not come, and some that came. */
  _late() {
    const late = [...this._missing.splice(0), ...(this._entries.size ? this._dice.several([...this._entries.values()], 1) : [])]
    return late.filter(({ seq, event }) => seq > (this._bases.get(event.item) ?? 0))
  }

  /** Some items become visible as they stand; or all of it begins from a snapshot. @returns {Change} */
  _stand() {
    const seq = this._seq - this._dice.below(6)
    if (seq <= 0) return {}
    const bases = ITEMS.filter(() => this._dice.below(2)).map((item) => standingAt(item, seq))
    return this._dice.below(2) ? { bases } : { rewind: seq, forget: [EVERYTHING], bases }
  }

  /** @returns {Change} */
  _move() {
    const [first] = this._outbox.values()
    if (!first) return {}
    const { event } = first
    return this._dice.choose(/** @type {Change[]} */ ([
      { drop: [event.id] },
      { outbox: [{ event, status: 'acked', seq: 3, error: null }] },
      { outbox: [{ event, status: 'refused', seq: null, error: { code: 'x' } }] },
    ]))
  }

  /** @param {Store} store @param {string[]} items @returns {Change} */
  _settle(store, items) {
    const some = items.filter(() => this._dice.below(3))
    const settled = some.map((item) => settledBy(store, item))
    return some.length === items.length ? { settled, until: store.state.version } : { settled }
  }

  /** @param {Change} change */
  _apply({ rewind = Infinity, forget = [], bases = [], entries = [], drop = [], outbox = [] }) {
    for (const { seq, at, receipt, event } of [...this._entries.values()].filter(({ seq }) => seq > rewind)) {
      this._entries.delete(seq)
      const voucher = { epoch: '', seq, at, receipt }
      this._outbox.set(event.id, { event, status: 'orphan', seq, error: null, voucher })
    }
    const isGone = (/** @type {string} */ item) => forget.includes(EVERYTHING) || forget.includes(item)
    for (const { seq, event } of [...this._entries.values()]) if (isGone(event.item)) this._entries.delete(seq)
    for (const item of [...this._bases.keys()]) if (isGone(item)) this._bases.delete(item)
    for (const { item, seq } of bases) {
      this._bases.set(item, seq)
      for (const each of [...this._entries.values()]) if (each.event.item === item && each.seq <= seq) this._entries.delete(each.seq)
    }
    for (const [id, { event, status }] of [...this._outbox]) {
      if (status === 'orphan' && event.user !== 'ann' && forget.includes(event.item)) this._outbox.delete(id)
    }
    for (const each of entries) {
      this._entries.set(each.seq, each)
      this._outbox.delete(each.event.id)
    }
    for (const id of drop) this._outbox.delete(id)
    for (const each of outbox) this._outbox.set(each.event.id, each)
  }
}
