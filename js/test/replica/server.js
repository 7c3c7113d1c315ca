// The simplest server: a list of entries that answers like a real one. It may be put back to an older copy, with other
// keys, and it erases.

import { SynclineError } from '../../src/errors.js'
import { DEFAULT_LIMITS, errorMessage } from '../../src/core/messages.js'
import { decodeEntries } from '../../src/core/events.js'
import { driftLimit } from '../../src/core/stamps.js'
import { Author, entry, erasedEntry } from '../author.js'

/** @typedef {import('../../src/core/events.js').Entry} Entry */
/** @typedef {import('../../src/core/events.js').Event} Event */
/** @typedef {import('../../src/core/messages.js').Answer} Answer */
/** @typedef {import('../../src/core/session.js').Step} Step */

const ID = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g

export class Server {
  /** @param {{ now: () => number, refuses: (event: Event) => boolean, pageEntries: () => number }} chances */
  constructor(chances) {
    this._chances = chances
    /** @type {Entry[]} */
    this.log = []
    /** The ends of the copies it was put back to: cursors of before are not known if they are beyond. */
    this._restores = [0]
    /** Where what stood, as far as its keys tell. @type {Set<string>} */
    this._receipts = new Set()
    this._key = 0
    this._bob = new Author('far', 'bob')
    /** @type {Event[]} */
    this._theirs = []
    this._root = new Author('root', '.server')
    /** What was refused, ever, by id: a tab may have named it that did not know. @type {Set<string>} */
    this.refused = new Set()
    /** What was erased, ever, by id. @type {Map<string, Event>} */
    this.erased = new Map()
  }

  /**
   * @param {Step} step
   * @param {readonly Event[]} pushed
   * @returns {Answer}
   */
  answer(step, pushed) {
    if (step.type === 'hello') return this._welcome(step.node)
    if (step.type === 'pull') return this._page(step.cursor)
    if (step.type === 'give') return this._take(step)
    const results = pushed.map((event) => ({ id: event.id, seq: null, error: null, ...this._result(event) }))
    return { type: 'ack', ref: 0, results, head: this.log.length }
  }

  /**
   * What was in the log before is believed, and nothing is asked but what it names; the rest is as if it was pushed.
   * @param {import('../../src/core/messages.js').Give} give
   * @returns {Answer}
   */
  _take({ epoch, entries }) {
    const results = decodeEntries(entries).map(({ seq, receipt, event }) => {
      const isKnown = epoch === 'e' && this._receipts.has(`${seq} ${receipt} ${event.digest}`)
      const isHeld = this.log.some((each) => each.event.id === event.id)
      const error = new SynclineError('unvouched').toWire()
      return { id: event.id, seq: null, error, ...(isKnown || isHeld || event.user === 'ann' ? { error: null, ...this._result(event, isKnown) } : {}) }
    })
    return { type: 'ack', ref: 0, results, head: this.log.length }
  }

  /** @param {string} node @returns {Answer} */
  _welcome(node) {
    const own = this.log.map(({ event }) => event).filter((event) => event.node === node).map(({ id }) => id).sort().pop() ?? null
    const rest = { limits: DEFAULT_LIMITS, rules: null, expires: null }
    return /** @type {any} */ ({ type: 'welcome', epoch: 'e', head: this.log.length, time: this._chances.now(), user: 'ann', own, ...rest })
  }

  /** @param {string | null} cursor @returns {Answer} */
  _page(cursor) {
    const [since, known, key] = (cursor ?? `0/0/${this._key}`).split('/').map(Number)
    if (key !== this._key) return errorMessage(new SynclineError('bad_cursor'))
    if (this._restores.slice(known + 1).some((seq) => since > seq)) return errorMessage(new SynclineError('cursor_reset'))
    const entries = this.log.slice(since, since + this._chances.pageEntries())
    const seq = since + entries.length
    const at = `${seq}/${this._restores.length - 1}/${this._key}`
    const gone = new Set(entries.filter(({ event }) => event.action === '.erase').flatMap(({ event }) => event.payload.events))
    const late = this.log.filter(({ event }) => gone.has(event.id))
    return { type: 'page', ref: null, entries, late, forget: [], cursor: at, more: seq < this.log.length }
  }

  /** @param {Event} event @param {boolean} [isKnown] whether it was in the log before */
  _result(event, isKnown = false) {
    const seq = this._store(event, isKnown)
    return typeof seq === 'number' ? { seq } : { error: seq.toWire() }
  }

  /** @param {Event} event @param {boolean} isKnown */
  _store(event, isKnown) {
    const held = this.log.find((each) => each.event.id === event.id)
    if (held) return held.event.digest === event.digest ? held.seq : broken('event_id_conflict', event)
    const time = this._chances.now()
    if (!isKnown && event.id >= driftLimit(time)) return new SynclineError('clock_drift', '', { time })
    if (!isKnown && this._chances.refuses(event)) return new SynclineError('forbidden')
    for (const { event: last } of this.log) {
      if (last.node === event.node && last.item === event.item && last.n >= event.n) return broken('node_conflict', event)
    }
    for (const id of JSON.stringify(event.ops ?? []).match(ID) ?? []) {
      if (id >= event.id && !this.refused.has(id)) return broken('bad_op', event)
      if (!this.log.some((each) => each.event.id === id)) return new SynclineError('missing_dependency')
    }
    return this._append(event)
  }

  /** @param {Event} event */
  _append(event) {
    const made = entry(this.log.length + 1, event)
    this._receipts.add(`${made.seq} ${made.receipt} ${event.digest}`)
    return this.log.push(this.erased.has(event.id) ? erasedEntry(made) : made)
  }

  /** Somebody else's event, after those of before that the log has lost. @param {string} item @param {any} payload */
  hear(item, payload) {
    this._theirs.push(this._bob.event(item, { payload }))
    const held = new Set(this.log.map(({ event }) => event.id))
    for (const event of this._theirs) if (!held.has(event.id)) this._append(event)
  }

  /** Erases events of people. @param {Event[]} events */
  erase(events) {
    for (const event of events) this.erased.set(event.id, this.erased.get(event.id) ?? event)
    const ids = events.map(({ id }) => id)
    this.log = this.log.map((each) => (ids.includes(each.event.id) && !each.event.isErased ? erasedEntry(each) : each))
    this._append(this._root.event('.erasures', { action: '.erase', payload: { events: ids } }))
  }

  /** Puts the log back to an older copy, in which is erased again what was. @param {number} seq @param {boolean} losesKeys */
  restore(seq, losesKeys) {
    this.log.length = seq
    this._restores.push(seq)
    this._root = new Author(`root${this._restores.length}`, '.server') // what it wrote before may come back
    if (losesKeys) {
      this._receipts.clear()
      this._key++
    }
    const said = new Set(this.log.flatMap(({ event }) => (event.action === '.erase' ? event.payload.events : [])))
    const unsaid = this.log.map(({ event }) => event).filter(({ id }) => this.erased.has(id) && !said.has(id))
    if (unsaid.length) this.erase(unsaid)
  }
}

/** What no replica may cause. @param {string} code @param {Event} event @returns {never} */
function broken(code, event) {
  throw new Error(`${code}: ${event.body}`)
}
