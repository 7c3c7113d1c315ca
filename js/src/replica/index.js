// The local half: record events offline, read them, and carry out what a sync session says.
//
// What is recorded is in memory at once and on the disk soon after (`saved`). Several tabs may share the disk; what one
// of them commits, the others carry out in memory. Nothing here waits for a network.

import { toBase64 } from '../core/base64.js'
import { Event } from '../core/events.js'
import { MAX_PUSH_EVENTS } from '../core/limits.js'
import { matcher } from '../core/patterns.js'
import { fail } from '../errors.js'
import { isOursAlone, newNode } from '../stores/index.js'
import { Acks } from './acks.js'
import { Clocks, clockWith, saw } from './clocks.js'
import { changeFor, isBlank, remade } from './effects.js'
import { may } from './foresight.js'
import { inBases } from './horizon.js'
import { Listeners } from './listeners.js'
import { outgoing } from './outgoing.js'
import { Saving } from './saving.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../core/messages.js').Base} Base */
/** @typedef {import('../core/messages.js').Page} Page */
/** @typedef {import('../core/session.js').Effect} Effect */
/** @typedef {import('../core/session.js').Local} Local */
/** @typedef {import('../errors.js').SynclineError} SynclineError */
/** @typedef {import('../stores/index.js').Kept} Kept */
/** @typedef {import('./commits.js').ErrorObject} ErrorObject */
/** @typedef {import('./commits.js').Sources} Sources */
/** @typedef {import('./drafts.js').Draft} Draft */
/** @typedef {import('./drafts.js').Refused} Refused */

/**
 * How a replica stands to its server, and to its disk.
 * @typedef {object} Status
 * @property {'offline' | 'connecting' | 'syncing' | 'live' | 'needs_auth'} state
 * @property {number} pending events that no server has answered, and, while a conversation lasts, those whose entries
 *   have not come back yet
 * @property {number} refused events in the refused inbox
 * @property {number} heard events that came from peers, and that no server has confirmed
 * @property {number} orphan entries that the server's log has lost, and that wait to be given back
 * @property {number} unvouched those of others that it did not take, see `unvouched()`
 * @property {number} unsaved events, and drops from the inbox, that are not on the disk yet
 * @property {number | null} lastSynced when both last agreed, in milliseconds of the local clock
 * @property {ErrorObject | null} error why the last attempt failed, if it did; `storage_full` while the disk is full
 * @property {boolean} isLeader whether this tab speaks with the server
 * @property {boolean | null} persisted whether the browser promised to keep the data; null: not asked, or it cannot
 */

const SETTLE_ABOVE = 2_000 // entries in memory that have not settled
const SETTLE_ABOVE_AMID = 50_000 // the same while more is coming
const UNPACKING_MS = 15 // in one task
const SALT_BYTES = 16

/** One replica of one space, but for what its events come to: see the hooks of `Commits`. */
export class Replica extends Saving {
  /**
   * @param {import('../stores/store.js').Store} store
   * @param {Sources} [sources]
   */
  constructor(store, sources) {
    super(store, sources)
    this._clocks = new Clocks((item) => this.readClock(item))
    this._acks = new Acks(store)
    this._listeners = new Listeners()
    /** The parts of a snapshot that have come. @type {Kept[]} */
    this._aside = []
    /** @type {{ state: string, error: ErrorObject | null }} */
    this._connection = { state: 'offline', error: null }
    /** @type {Promise<void> | undefined} */
    this._asking = undefined
    /** @type {boolean | null} */
    this._persisted = null
    this._listen()
  }

  _listen() {
    const { tabs } = this
    tabs?.on('connection', (connection) => this._connect(connection))
    tabs?.on('hello', () => tabs.isLeader && tabs.send('connection', this._connection))
    tabs?.onLead(() => {
      this.setConnection('offline')
      this.refresh().catch((error) => this._failed(error))
    })
    tabs?.send('hello')
  }

  // Writing

  /**
   * Records one event. Fails if it could never be accepted. It is durable when `saved()` says so.
   * @param {string} item
   * @param {string} action
   * @param {any} [payload]
   * @param {Partial<Draft>} [more] `ops` and `meta`
   */
  record(item, action, payload, more) {
    return this.recordMany([{ ...more, item, action, payload }])[0]
  }

  /**
   * Records several events, which are on the disk together. `together`: so does the server store all of them or none.
   * @param {readonly Draft[]} drafts
   * @param {{ together?: boolean }} [options]
   */
  recordMany(drafts, { together = false } = {}) {
    if (this._isClosed) fail('store_closed', 'The replica was closed.')
    if (together && drafts.length > MAX_PUSH_EVENTS) {
      fail('invalid_event', `At most ${MAX_PUSH_EVENTS} events can be stored together.`)
    }
    const tx = together ? newNode(this._random) : undefined
    const before = { n: this._n, id: this._stamp }
    try {
      const events = drafts.map((draft) => this._make(draft, tx))
      if (events.length) this._record(events)
      return events
    } catch (error) {
      this._count(before)
      this._clocks.forget(null)
      throw error
    }
  }

  /** @param {Event[]} events */
  _record(events) {
    for (const event of events) this._fresh.push(event)
    this._asked += events.length
    this._asking ??= this._askToPersist()
    void this._save()
    this.recorded(events)
    this._tell(events)
  }

  async _askToPersist() {
    this._persisted = await this.store.persist()
    this._tell([])
  }

  /** An id for an event that is being drafted, above all that were recorded or reserved. */
  reserve() {
    return this._clock.next(this._nowMs() + this.store.state.skewMs, this._random())
  }

  /** @param {Draft} draft @param {string} [tx] */
  _make({ item, action, payload, ops, meta, id = this.reserve() }, tx) {
    const seen = this._clocks.of(item)
    const clock = clockWith(seen, this.node, this._n + 1)
    const user = this.user ?? undefined
    const salted = this._salted(item, tx ? { ...meta, tx } : meta)
    const fields = { id, item, action, node: this.node, clock, payload, ops, user, meta: salted }
    let event = Event.of(fields)
    if (id <= this._stamp) event = this._makeAgain(event) // see `recorded`
    this._count(event)
    saw(seen, event)
    return event
  }

  /**
   * The `meta` of an event that may be erased one day has a random salt, which goes with the content: then nobody can
   * find out by trying what its digest was made of.
   * @param {string} item @param {Record<string, any>} [meta]
   */
  _salted(item, meta) {
    const { erasable } = this.store.state
    if (!erasable?.length || meta?.salt || !matcher(erasable)(item)) return meta
    const bytes = Uint8Array.from({ length: SALT_BYTES }, () => this._random())
    return { ...meta, salt: toBase64(bytes) }
  }

  /** @param {Event} event */
  _makeAgain(event) {
    const names = new Map([[event.id, this.reserve()]])
    return remade(event, { node: this.node, n: event.n, last: 0, user: event.user, names })
  }

  // Reading

  /** This replica's node id. */
  get node() {
    return this.store.state.node
  }

  /** The events no server has answered, in the order they were recorded. */
  pending() {
    return this._unanswered(Infinity).concat(this._fresh)
  }

  /** The pending events on the disk. @param {number} limit */
  _unanswered(limit) {
    const events = []
    for (const { event, status } of this.store.outbox.values()) {
      if (events.length >= limit) break
      if (status === 'pending' && !this._acks.has(event.id)) events.push(event)
    }
    return events
  }

  /** These, and of what was heard that which this user may push, as far as a server can take it yet. @param {number} limit */
  _toPush(limit) {
    if (!limit || !this.store.counts.heard) return this._unanswered(limit)
    const heard = this.heard().filter(({ id }) => !this._acks.has(id))
    return outgoing(this._unanswered(Infinity), heard, this.store.state).slice(0, limit)
  }

  /** @abstract @param {string} _item @returns {Map<string, number>} */
  readClock(_item) {
    throw new TypeError()
  }

  /** @param {Set<string> | null} items @param {Entry[]} entries @param {Event[]} events */
  _note(items, entries, events) {
    this._clocks.forget(items)
    for (const { event } of entries) this._clocks.note(event)
    for (const event of events) this._clocks.note(event)
    super._note(items, entries, events)
  }

  // What the server would say

  /**
   * Whether this user might do an action with an item, under the rules known last; null if none are known. A hint:
   * recording works in any case, and the server decides when it is pushed.
   * @param {string} item
   * @param {string} action
   */
  may(item, action) {
    return may(this.store.state, item, action)
  }

  /** The pending events that the rules known last would refuse: a hint, like `may`. They are pushed as usual. */
  doomed() {
    return this.pending().filter(({ item, action }) => this.may(item, action) === false)
  }

  // The refused inbox

  /** The events that were refused, with the reason. @returns {Refused[]} */
  refused() {
    return this.store.withStatus('refused').filter(({ event }) => !this._dropped.has(event.id)).map(withReason)
  }

  /**
   * Records a refused event again, as a new one, with parts of its draft changed; returns the new event.
   * @param {string} id
   * @param {Partial<Draft>} [mended]
   */
  retry(id, mended) {
    const { item, action, payload, ops, meta: { tx: _, ...meta } = {} } = this._findRefused(id)
    const draft = { item, action, payload, ops, meta: Object.keys(meta).length ? meta : undefined, ...mended }
    const [event] = this.recordMany([draft])
    this.drop(id)
    return event
  }

  /**
   * Forgets a refused event for good, or one that was heard: which comes again with a peer that has it.
   * @param {string} id
   */
  drop(id) {
    if (this.store.outbox.get(id)?.status === 'heard') return void this._unhear(id)
    this._findRefused(id)
    this._dropped.add(id)
    this._asked++
    void this._save()
    this._tell([])
  }

  /** @param {string} id */
  _unhear(id) {
    const make = () => (this.store.outbox.get(id)?.status === 'heard' ? { drop: [id] } : null)
    return this._commit(make).catch((error) => this._failed(error))
  }

  // What was heard

  /** The events that came from peers and that no server has confirmed yet. */
  heard() {
    return this.store.withStatus('heard').map(({ event }) => event)
  }

  /** Of which log this is a replica, or what it heard is of; null if that is not known. */
  get epoch() {
    return this.store.state.epoch
  }

  /** Milliseconds since 1970. */
  nowMs() {
    return this._nowMs()
  }

  /** @param {string} id */
  _findRefused(id) {
    const found = this.refused().find(({ event }) => event.id === id)
    return found?.event ?? fail('unknown_event', 'No such event is in the refused inbox.')
  }

  // What a log has lost

  /** Entries of others that the log had lost and did not take back, with the reason. They show as they did. @returns {Refused[]} */
  unvouched() {
    return this.store.withStatus('unvouched').map(withReason)
  }

  /** Has them offered once more with the next sync, say after somebody was given the right; how many there are. */
  async offerAgain() {
    let count = 0
    await this._commit(() => {
      const unvouched = this.store.withStatus('unvouched')
      count = unvouched.length
      return count ? { outbox: unvouched.map((each) => ({ ...each, status: each.voucher ? 'orphan' : 'heard', error: null })) } : null
    })
    this._tell([])
    return count
  }

  // Watching

  /** How this replica stands. @returns {Status} */
  status() {
    const { counts, state } = this.store
    return {
      state: /** @type {Status['state']} */ (this._connection.state),
      pending: counts.pending + this._fresh.length,
      refused: counts.refused - this._dropped.size,
      heard: counts.heard,
      orphan: counts.orphan,
      unvouched: counts.unvouched,
      unsaved: this._asked - this._done,
      lastSynced: state.syncedAt,
      error: this._diskError ?? this._connection.error,
      isLeader: this.tabs?.isLeader ?? true,
      persisted: this._persisted,
    }
  }

  /**
   * For whoever syncs this replica, in the tab that leads: how the connection is. Other tabs are told.
   * @param {string} state
   * @param {SynclineError | null} [error]
   */
  setConnection(state, error = null) {
    this._connect({ state, error: error && error.toWire() })
    this.tabs?.send('connection', this._connection)
  }

  /** @param {{ state: string, error: ErrorObject | null }} connection */
  _connect(connection) {
    this._connection = connection
    this._tell([])
  }

  /**
   * Calls back with events as they are recorded or arrive, in this tab or another; returns the way to stop.
   * @param {(events: Event[]) => void} call
   * @param {{ items?: readonly string[] }} [options]
   */
  watchEvents(call, { items = [] } = {}) {
    return this._listeners.onEvents(call, items)
  }

  /**
   * Calls back whenever `status()` may have changed; returns the way to stop.
   * @param {(status: Status) => void} call
   */
  watchStatus(call) {
    return this._listeners.onStatus(call)
  }

  /** @param {Event[]} events */
  _tell(events) {
    this._listeners.tell(events, () => this.status())
  }

  /** Up to this seq of the log there is no history here; 0: nothing of it is missing. */
  get horizon() {
    return this.store.state.horizon ?? 0
  }

  // Syncing: what a session asks and says, in the tab that leads

  /**
   * What a session has to know before its next step. Only what is on the disk is pushed.
   * @param {number} [limit]
   * @returns {Local}
   */
  local(limit = Infinity) {
    const { node, cursor, copied, epoch: known, user, horizon } = this.store.state
    const pending = this._toPush(limit)
    const epoch = isBlank(this.store) ? null : known
    return { node, cursor, copied, pending, offers: this.store.offers(), epoch, user, horizon, doubtful: () => this._doubtful() }
  }

  /** The pending events that the log may have had before the horizon. */
  _doubtful() {
    if (!this.horizon) return []
    const fresh = this.store.withStatus('pending').filter(isOursAlone)
    return inBases(this.store, fresh.map(({ event }) => event))
  }

  /**
   * Carries out what a session said. Fails if it cannot be stored, or cannot be this replica's log or user.
   * @param {Effect} effect
   */
  async perform(effect) {
    if (effect.type === 'settle') this._acks.note(effect.answers)
    const sent = basesOf(effect)
    const bases = sent ? await this._arrived(effect, sent) : []
    if (bases.length || ['rewind', 'restamp', 'take'].includes(effect.type)) await this.keepAcks()
    const clockIn = this.clockIn.bind(this)
    await this._commit(() =>
      changeFor(effect, this.store, { now: this._nowMs, random: this._random, user: this.user, clockIn, bases }),
    )
    if (effect.type === 'apply') this._sawPage(effect.page)
    this._tell([])
  }

  /**
   * What the bases of a page come to, or those of a whole snapshot: a part of it waits aside until the last one is here.
   * @param {Effect} effect
   * @param {readonly Base[]} sent
   * @returns {Promise<Kept[]>}
   */
  async _arrived(effect, sent) {
    const kepts = []
    let endMs = this._nowMs() + UNPACKING_MS
    for (const base of sent) {
      kepts.push(this.standing(base))
      if (this._nowMs() <= endMs) continue
      await this.store.head() // so that no task is long; a timer would be slow where nobody looks at the page
      endMs = this._nowMs() + UNPACKING_MS
    }
    if (effect.type !== 'take') return kepts
    const all = effect.isFirst ? kepts : this._aside.concat(kepts)
    this._aside = effect.isLast ? [] : all
    return effect.isLast ? all : []
  }

  /** Writes down which pending events are acknowledged but have not come back as entries yet: the conversation ends. */
  async keepAcks() {
    await this._commit(() => this._acks.written())
    this._acks.clear()
  }

  /** @param {Page} page */
  _sawPage({ entries, late, more }) {
    for (const { event } of [...late, ...entries]) {
      if (event.node === this.node) this._acks.arrived(event.id)
    }
    if (this.store.log.length > (more ? SETTLE_ABOVE_AMID : SETTLE_ABOVE)) void this._settleAgain(more)
  }

  /** Settles, and then what came meanwhile, unless more is coming. @param {boolean} more */
  async _settleAgain(more) {
    await this.settle()
    if (!more && this.store.log.length > SETTLE_ABOVE) await this.settle()
  }
}

/** @param {import('../stores/index.js').Outboxed} outboxed @returns {Refused} */
const withReason = ({ event, error }) => ({ event, error: error ?? {} })

/** The bases in what a session said, if that may bring some. @param {Effect} effect */
function basesOf(effect) {
  if (effect.type === 'take') return effect.part.bases
  return effect.type === 'apply' && effect.page.bases?.length ? effect.page.bases : null
}
