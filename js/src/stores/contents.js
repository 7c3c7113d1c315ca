// What is in memory of a replica's data, and what a change makes of it.

import { inOrder } from '../core/gifts.js'
import { EVERYTHING, goesWith, isForgotten, isOnItsWay, orphaned } from './index.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('../core/gifts.js').Offer} Offer */
/** @typedef {import('./index.js').Change} Change */
/** @typedef {import('./index.js').Difference} Difference */
/** @typedef {import('./index.js').Kept} Kept */
/** @typedef {import('./index.js').Outboxed} Outboxed */
/** @typedef {import('./index.js').ReplicaState} ReplicaState */

/** What is in memory, as of a commit. */
export class Contents {
  /** Local events by id, in order. @type {Map<string, Outboxed>} */
  outbox = new Map()
  /** How many local events of each status there are. */
  counts = { pending: 0, acked: 0, refused: 0, heard: 0, orphan: 0, unvouched: 0 }
  /** The last snapshot of each item. @type {Map<string, Kept>} */
  documents = new Map()
  /** The entries that have not settled, in order of seq. @type {Entry[]} */
  log = []
  /** The greatest id that ever was in the outbox. */
  _last = ''
  /** Whether something was put into the outbox that does not come last. */
  _isUnordered = false
  /** What the log has lost, in the order of giving it back; null: to be sought again. @type {Offer[] | null} */
  _offers = null

  /** @param {ReplicaState} state */
  constructor(state) {
    /** What the replica knows of itself. */
    this.state = state
  }

  /**
   * Begins anew, with what a disk holds.
   * @param {{ state: ReplicaState, outbox: Outboxed[], documents: Kept[], log: Entry[][] }} found
   */
  begin({ state, outbox, documents, log }) {
    Object.assign(this, new Contents(state))
    for (const each of outbox) this._put(each)
    this._order()
    for (const kept of documents) this.documents.set(kept.item, kept)
    this.merge(log.flat().filter((entry) => !this.hasSettled(entry)))
  }

  /** Whether an entry is not above its item's snapshot. @param {Entry} entry */
  hasSettled(entry) {
    return entry.seq <= (this.documents.get(entry.event.item)?.seq ?? 0)
  }

  /** Whether an event is in the outbox, or among the entries that have not settled. @param {string} id */
  holds(id) {
    return this.outbox.has(id) || this.log.some((entry) => entry.event.id === id)
  }

  /** The local events of these statuses, in order. @param {Outboxed['status'][]} statuses */
  withStatus(...statuses) {
    const isAny = statuses.some((status) => this.counts[status])
    return isAny ? [...this.outbox.values()].filter(({ status }) => statuses.includes(status)) : []
  }

  /** What the log has lost, in the order in which it is to be given back. */
  offers() {
    const isOrphan = (/** @type {Offer} */ { event }) => this.outbox.get(event.id)?.status === 'orphan'
    const offered = (/** @type {Outboxed} */ { event, voucher }) => (voucher ? [{ event, voucher }] : [])
    if (!this._offers) this._offers = inOrder(this.withStatus('orphan').flatMap(offered))
    else if (this._offers.length !== this.counts.orphan) this._offers = this._offers.filter(isOrphan)
    return this._offers
  }

  /**
   * Carries out a change.
   * @param {Change} change
   * @returns {Difference}
   */
  apply({ rewind, forget = [], bases = [], entries = [], drop = [], outbox = [], settled = [], state, renamed }) {
    /** @type {{ anew: Set<string>, noted: Entry[], recorded: Event[] }} */
    const news = { anew: new Set(), noted: [], recorded: [] }
    if (rewind !== undefined) this._rewind(rewind, news.anew)
    if (forget.length) this._forget(forget, news.anew)
    this._stand(bases, news.anew)
    this._keep(entries, news)
    for (const id of drop) {
      const gone = this._take(id)
      if (isOnItsWay(gone)) news.anew.add(gone.event.item)
    }
    for (const outboxed of outbox) this._change(outboxed, news)
    if (this._isUnordered) for (const item of this._order(news.recorded)) news.anew.add(item)
    for (const { kept } of settled) this.documents.set(kept.item, kept)
    if (settled.length) this.log = this.log.filter((entry) => !this.hasSettled(entry))
    if (state) this.state = state
    return { ...difference(news, settled.map(({ kept }) => kept)), renamed }
  }

  /** @param {number} seq @param {Set<string>} anew */
  _rewind(seq, anew) {
    for (const entry of this.log) if (entry.seq > seq) this._put(orphaned(entry, this.state.epoch))
    this.log = this.log.filter((entry) => entry.seq <= seq)
    anew.add(EVERYTHING)
  }

  /** @param {readonly string[]} items @param {Set<string>} anew */
  _forget(items, anew) {
    const forget = (/** @type {string} */ item) => isForgotten(items, item) && anew.add(item)
    for (const item of this.documents.keys()) if (forget(item)) this.documents.delete(item)
    this.log = this.log.filter((entry) => !forget(entry.event.item))
    for (const [id, each] of this.outbox) {
      if (!goesWith(each, items, this.state.user)) continue
      this._take(id)
      anew.add(each.event.item)
    }
  }

  /** @param {readonly Kept[]} bases @param {Set<string>} anew */
  _stand(bases, anew) {
    for (const kept of bases) {
      this.documents.set(kept.item, kept)
      anew.add(kept.item)
    }
    if (bases.length) this.log = this.log.filter((entry) => !this.hasSettled(entry))
  }

  /** @param {readonly Entry[]} entries @param {{ anew: Set<string>, noted: Entry[] }} news */
  _keep(entries, { anew, noted }) {
    if (!entries.length) return
    const late = []
    let last = this.log.at(-1)?.seq ?? 0
    for (const entry of entries) {
      this._take(entry.event.id)
      if (entry.seq <= this.state.seq && entry.event.item[0] === '.') anew.add(EVERYTHING)
      if (entry.seq <= last) late.push(entry)
      else {
        this.log.push(entry)
        noted.push(entry)
        last = entry.seq
      }
    }
    if (late.length) for (const entry of this.merge(late)) anew.add(entry.event.item)
  }

  /**
   * Puts entries where they belong; those that were not there.
   * @param {Entry[]} entries
   */
  merge(entries) {
    const bySeq = new Map(this.log.map((entry) => [entry.seq, entry]))
    const fresh = entries.filter((entry) => {
      const held = bySeq.get(entry.seq)
      return !held || JSON.stringify(held) !== JSON.stringify(entry)
    })
    for (const entry of fresh) bySeq.set(entry.seq, entry)
    this.log = [...bySeq.values()].sort((a, b) => a.seq - b.seq)
    return fresh
  }

  /** @param {Outboxed} outboxed @param {{ anew: Set<string>, recorded: Event[] }} news */
  _change(outboxed, { anew, recorded }) {
    const { event } = outboxed
    const before = this.outbox.get(event.id)
    this._put(outboxed)
    if (!before) isOnItsWay(outboxed) && recorded.push(event)
    else if (isOnItsWay(before) !== isOnItsWay(outboxed) || before.event.body !== event.body) anew.add(event.item)
  }

  /** @param {Outboxed} outboxed */
  _put(outboxed) {
    const { id } = outboxed.event
    const isNew = !this.outbox.has(id)
    if (!isNew) this.counts[/** @type {Outboxed} */ (this.outbox.get(id)).status]--
    this.outbox.set(id, outboxed)
    this.counts[outboxed.status]++
    if (outboxed.status === 'orphan') this._offers = null
    if (isNew && id < this._last) this._isUnordered = true
    else if (isNew) this._last = id
  }

  /** Puts the outbox in order; the items of those of some new events that come before others. @param {Event[]} [events] */
  _order(events = []) {
    this.outbox = new Map([...this.outbox].sort(([a], [b]) => (a < b ? -1 : 1)))
    this._isUnordered = false
    const fresh = new Set(events.map(({ id }) => id))
    /** @type {Map<string, string>} the greatest id of each item that was there */
    const last = new Map()
    for (const [id, each] of this.outbox) if (isOnItsWay(each) && !fresh.has(id)) last.set(each.event.item, id)
    return events.filter(({ id, item }) => id < (last.get(item) ?? '')).map(({ item }) => item)
  }

  /** @param {string} id @returns {any} */
  _take(id) {
    const outboxed = this.outbox.get(id)
    if (outboxed) this.counts[outboxed.status]--
    this.outbox.delete(id)
    return outboxed
  }
}

/**
 * @param {{ anew: Set<string>, noted: Entry[], recorded: Event[] }} news
 * @param {Kept[]} settled
 * @returns {Difference}
 */
function difference({ anew, noted, recorded }, settled) {
  for (const item of anew) {
    // what a system item says may be about others
    if (item === EVERYTHING || item[0] === '.') return { anew: null, noted: [], recorded: [], settled }
  }
  if (!anew.size) return { anew, noted, recorded, settled }
  return {
    anew,
    noted: noted.filter((entry) => !anew.has(entry.event.item)),
    recorded: recorded.filter((event) => !anew.has(event.item)),
    settled,
  }
}
