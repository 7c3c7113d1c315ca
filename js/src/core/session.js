// A replica's half of a sync session, as a state machine without I/O. (A server's half is in server_session.js.)
//
// The shell asks `ClientSession.next` for the next step and carries it out: a message goes over the transport, its
// answer comes back through `receive`, which returns what the replica must do.
//
// Invariants:
//
// - one request is under way at a time, so pending events arrive in the order they were made;
// - a replica that must re-stamp (its file was copied, or its clock ran ahead) pulls everything first, so that an event
//   which the server already holds is settled and never stored again under another id; of what bases may hold, which do
//   not tell ids, it asks by pushing it as it is;
// - everything is pulled before anything is pushed, so that a replica need not remember many acknowledgements;
// - what a restored log has lost is given back before what is new on the same items is pushed (or the node's counter
//   would not rise, and what ops name would not be held);
// - an event leaves `pending` by an answer of the server alone.

import { SynclineError, fail, fromWire } from '../errors.js'
import { Beginning } from './beginning.js'
import { sizeOf } from './canonical.js'
import * as gifts from './gifts.js'
import { MAX_PAGE_ENTRIES, MAX_PUSH_EVENTS } from './limits.js'
import { DEFAULT_LIMITS, PROTOCOL, errorOf, pushOf } from './messages.js'
import { driftLimit } from './stamps.js'

/** @typedef {import('./events.js').Event} Event */
/** @typedef {import('./messages.js').Ack} Ack */
/** @typedef {import('./beginning.js').Take} Take */
/** @typedef {import('./messages.js').Answer} Answer */
/** @typedef {import('./messages.js').AskSnapshot} AskSnapshot */
/** @typedef {import('./messages.js').Auth} Auth */
/** @typedef {import('./gifts.js').Offer} Offer */
/** @typedef {import('./messages.js').Give} Give */
/** @typedef {import('./messages.js').Hello} Hello */
/** @typedef {import('./messages.js').Page} Page */
/** @typedef {import('./messages.js').Peer} Peer */
/** @typedef {import('./messages.js').Pull} Pull */
/** @typedef {import('./messages.js').Push} Push */
/** @typedef {import('./messages.js').Welcome} Welcome */

/**
 * What is done to the replica.
 *
 * - greet: take note of what the server said of itself and of this replica
 * - settle: events have their answers, a seq, or the error that refused them
 * - given: what was offered has its answers, likewise
 * - apply: store a page, which was asked for with these item patterns
 * - take: keep a part of a snapshot aside, or put all of it in place
 * - rewind: the log does not know the cursor, go back to an older one, none of those beyond `head`
 * - restamp: give the pending events new ids from `nowMs` on; after a copy was noticed, under a new node id
 * - mark_copied: another replica uses this node id, and this event cannot be stored under its own
 * @typedef {{type: 'greet', welcome: Welcome}
 *   | {type: 'settle', answers: [Event, number | SynclineError][]}
 *   | {type: 'given', answers: [Event, number | SynclineError][]}
 *   | {type: 'apply', page: Page, items: readonly string[]}
 *   | Take
 *   | {type: 'rewind', head: number}
 *   | Restamp
 *   | {type: 'mark_copied', event: Event}} Effect
 * @typedef {{type: 'restamp', nowMs: number}} Restamp
 */

/**
 * What is done by the shell.
 *
 * - wait: do nothing for some seconds, the server has had too much of a time; the next step is the same again
 * - meet: take note of who is here; it comes at any moment, and answers nothing
 * @typedef {{type: 'wait', seconds: number} | {type: 'meet', peers: Peer[]}} Notice
 */

/**
 * What a session has to know of its replica before each step.
 *
 * - offers: what its log has lost, in the order in which it is to be given back
 * - epoch: of the log whose entries it holds; null if it holds none, and would take any
 * - horizon: up to this seq it knows how items stood, and not how they came there
 * - takesBases: whether it can begin from a snapshot at all
 * - doubtful: the pending events that the log may have had before the horizon, no entry will tell
 * @typedef {{node: string, cursor: string | null, copied: boolean, pending: readonly Event[], offers?: readonly Offer[],
 *   epoch?: string | null, user?: string | null, horizon?: number, takesBases?: boolean,
 *   doubtful?: () => readonly Event[]}} Local
 */

/**
 * @typedef {object} SessionOptions
 * @property {string} space
 * @property {string | null} [token] the credentials that `hello` shows; they may be found out until then
 * @property {readonly string[]} [items]
 * @property {boolean} [push] whether to push
 * @property {boolean} [pull] whether to pull
 * @property {number} [batchSize] events in one push, at most
 * @property {number} [pageEntries] entries in one page, at most
 * @property {boolean} [history] a replica that holds nothing asks for all that has been, instead of how things stand
 * @property {boolean} [givesAll] what others wrote is given back without waiting whether somebody else does
 */

/** @typedef {Hello | Push | Pull | Auth | Give | AskSnapshot} Step */

const WAIT_SECONDS = 1 // for a replica that was told to wait, but not how long
const SPLIT_CODES = ['bad_json', 'bad_request', 'too_large', 'too_many_events']

export class ClientSession {
  /** @param {SessionOptions} options */
  constructor({
    space,
    token = null,
    items = [],
    push = true,
    pull = true,
    batchSize = MAX_PUSH_EVENTS,
    pageEntries = MAX_PAGE_ENTRIES,
    givesAll = true,
    history = true,
  }) {
    this.token = token
    /** For how long the credentials are good from when the server said so; null: for as long as the session. @type {number | null} */
    this.lastsMs = null
    this.live = false
    this.caughtUp = false
    /** Why events are held back: the last error of each code. @type {Map<string, SynclineError>} */
    this.postponed = new Map()
    /** After how long, at the earliest, the server wants to see again what is held back; 0: it did not say. */
    this.heldSeconds = 0
    /** Whether what others wrote is given back now; see `withholds`. */
    this.givesAll = givesAll
    /** Whether something waits for `givesAll`. */
    this.withholds = false
    this._space = space
    this._items = items
    this._mayPush = push
    this._mayPull = pull
    this._batchSize = batchSize
    this._pageEntries = pageEntries
    this._limits = DEFAULT_LIMITS
    /** @type {number | null} */
    this._serverMs = null
    this._isJustTold = false // the server's time was told a moment ago
    this._hasRestamped = false
    /** @type {Set<string>} */
    this._heldItems = new Set()
    /** @type {string | null} */
    this._fresh = null
    /** @type {Step | null} */
    this._request = null
    /** @type {readonly Event[]} */
    this._pushed = []
    /** @type {readonly Event[]} */
    this._given = []
    this._giftSize = batchSize
    this._user = ''
    this._head = Number.MAX_SAFE_INTEGER
    /** What it greeted with. @type {Local | null} */
    this._local = null
    /** Of a log of another epoch, which may be empty. @type {Welcome | null} */
    this._foreign = null
    /** The other end, if it is no server but a replica: then this session has nothing to do (see peering.js). @type {Welcome | null} */
    this.peer = null
    this._history = history
    this._takesBases = true
    /** @type {Beginning | null} */
    this._beginning = null
    this._horizon = 0
    /** @type {Set<string>} */
    this._answered = new Set()
  }

  /** Whether the next step depends on what is pending: not before everything is pulled, if it may be. */
  get wantsPending() {
    return this.caughtUp || this.live || !this._mayPull
  }

  /** Whether pending events wait for `release`. */
  get holdsBack() {
    return this._heldItems.size > 0
  }

  /** Shows other credentials of the same user on the open session, with the next step. @param {string} token */
  renew(token) {
    this.token = this._fresh = token
  }

  /** Lets the items be pushed again whose events had a retryable answer. */
  release() {
    this._heldItems.clear()
    this.postponed.clear()
    this.heldSeconds = 0
    this._hasRestamped = false
  }

  /**
   * The next step; null when there is nothing to do until something is recorded or arrives.
   * @param {Local} local
   * @returns {Step | Restamp | null}
   */
  next(local) {
    if (this._request) return null
    this._pushed = []
    const step = this._step(local)
    if (step?.type !== 'restamp') this._request = step
    return step
  }

  /** @param {Local} local @returns {Step | Restamp | null} */
  _step(local) {
    if (this._foreign) return { type: 'give', ref: 0, epoch: local.epoch ?? '', entries: gifts.NOTHING }
    if (this._serverMs === null) {
      this._local = local
      this._horizon = local.horizon ?? 0
      return { type: 'hello', protocol: PROTOCOL, node: local.node, space: this._space, token: this.token }
    }
    if (this._fresh !== null) {
      const token = this._fresh
      this._fresh = null
      return { type: 'auth', ref: 0, token }
    }
    if (this.peer) return null
    if (this._wantsSnapshot(local)) return (this._beginning ??= new Beginning(this._items)).question()
    const limit = Math.min(this._pageEntries, this._limits.page_entries)
    /** @type {Pull} */
    const pull = { type: 'pull', ref: 0, cursor: local.cursor, limit, items: this._items }
    if (!this.wantsPending) return pull
    const pending = this._mayPush ? local.pending.filter((event) => !this._heldItems.has(event.item)) : []
    const offers = this._offers(local, pending)
    if (offers.length) {
      this._given = offers.map(({ event }) => event)
      return gifts.giveOf(offers)
    }
    if (pending.length && (local.copied || (this._isJustTold && this._isAhead(pending, this._serverMs)))) {
      if (!this.caughtUp) return pull
      const doubtful = local.doubtful?.().filter(({ id }) => !this._answered.has(id)) ?? []
      if (doubtful.length) return this._askAbout(doubtful)
      this._hasRestamped = true
      this._isJustTold = false
      return { type: 'restamp', nowMs: this._serverMs }
    }
    this._isJustTold = false
    if (!pending.length) return null
    this._pushed = this._batch(pending)
    return pushOf(this._pushed)
  }

  /**
   * Pushes what bases may hold, before it gets other ids: the server answers those that it holds, and takes none of the
   * others as they are.
   * @param {Event[]} doubtful
   */
  _askAbout(doubtful) {
    this._pushed = this._batch(doubtful.filter((event) => !this._heldItems.has(event.item)))
    return this._pushed.length ? pushOf(this._pushed) : null
  }

  /** Where there is no cursor, all of history is asked for, unless the replica has done, or does, without it. @param {Local} local */
  _wantsSnapshot({ cursor, horizon = 0, takesBases = true }) {
    this._takesBases = takesBases && this._mayPull
    const isLost = cursor === null && (horizon > 0 || !this._history)
    return this._takesBases && (this._beginning !== null || isLost)
  }

  /**
   * What is given back next, before what is to be pushed on the same items.
   * @param {Local} local @param {readonly Event[]} pending
   */
  _offers({ offers = [] }, pending) {
    const free = this._mayPush ? offers.filter(({ event }) => !this._heldItems.has(event.item)) : []
    const due = this.givesAll ? free : gifts.due(free, this._user, new Set(pending.map(({ item }) => item)))
    this.withholds = due.length < free.length
    return gifts.batch(due, Math.min(this._giftSize, this._limits.push_events), this._limits.body_bytes)
  }

  /** @param {Event[]} pending @param {number} serverMs */
  _isAhead(pending, serverMs) {
    const limit = driftLimit(serverMs, this._limits.drift_ms)
    return pending.some((event) => event.id >= limit)
  }

  /** As many events as one push may carry; a transaction goes whole, even if it is larger than that. @param {Event[]} pending */
  _batch(pending) {
    const most = Math.min(this._batchSize, this._limits.push_events)
    /** @type {Map<string, Event[]>} */
    const groups = new Map()
    for (const event of pending) push(groups, groupOf(event), event)
    const batch = []
    let size = 64
    for (const group of groups.values()) {
      for (const event of group) size += sizeOf(event.body) + 1
      if (batch.length && (batch.length + group.length > most || size > this._limits.body_bytes)) break
      batch.push(...group)
    }
    return batch
  }

  /**
   * What the replica must do about an answer. Fails with the server's error if the session cannot go on.
   * @param {Answer} answer
   * @returns {(Effect | Notice)[]}
   */
  receive(answer) {
    if (answer.type === 'peers') return [{ type: 'meet', peers: answer.peers }]
    const request = this._request
    // a live page answers no push
    if (!this.live || answer.type !== 'page' || request?.type === 'pull') this._request = null
    switch (answer.type) {
      case 'welcome':
        return this._welcomed(answer)
      case 'authenticated':
        this._takeExpiry(answer)
        return []
      case 'ack':
        return request?.type === 'give' ? this._settleGift(answer) : this._settle(answer)
      case 'page':
        if (this.live && request?.type === 'pull' && answer.forget.includes('*')) {
          fail('connection_lost', 'All begins from the start, which the live pages would not.')
        }
        if (this._hasSpoiledBases(answer)) return this._failed(request, spoiled())
        this.caughtUp = !answer.more
        return [{ type: 'apply', page: answer, items: this._items }]
      case 'snapshot':
        return this._beginning ? [this._take(this._beginning.receive(answer))] : []
      case 'error':
        return this._failed(request, errorOf(answer))
    }
    return []
  }

  /**
   * Whether something was erased that is in this replica's bases: the cursor of a snapshot knows what is not. Fails
   * with cursor_expired if that is found in a live page: no other may be applied after it.
   * @param {Page} page
   */
  _hasSpoiledBases({ late }) {
    const isSpoiled = late.some(({ seq, event }) => event.isErased && seq <= this._horizon)
    if (isSpoiled && this.live) throw spoiled()
    return isSpoiled
  }

  /** @param {Take} take */
  _take(take) {
    this._horizon = take.part.seq
    if (take.isLast) {
      this._beginning = null
      this.caughtUp = false
    }
    return take
  }

  /**
   * An empty log may take the epoch of what this replica holds, if its user may give that; the server decides.
   * @param {Welcome} welcome
   * @returns {Effect[]}
   */
  _welcomed(welcome) {
    this._limits = welcome.limits
    this._user = welcome.user
    this._head = welcome.head
    this._takeExpiry(welcome)
    if (welcome.peer) {
      this.peer = welcome
      this._serverMs = welcome.time
      return []
    }
    const { epoch = null, user = null } = this._local ?? {}
    if (epoch !== null && epoch !== welcome.epoch && user === welcome.user && this._mayPush) {
      this._foreign = welcome
      return []
    }
    this._serverMs = welcome.time
    this._isJustTold = true
    return [{ type: 'greet', welcome }]
  }

  /** @param {{time: number, expires: number | null}} told */
  _takeExpiry({ time, expires }) {
    this.lastsMs = expires === null ? null : expires - time
  }

  /** @param {Ack} ack @returns {Effect[]} */
  _settle({ results }) {
    const pushed = this._pushed
    if (results.length !== pushed.length) fail('bad_request', 'Another number of events was answered than pushed.')
    this.caughtUp = false
    /** @type {[Event, number | SynclineError][]} */
    const answers = []
    /** @type {Effect[]} */
    const effects = [{ type: 'settle', answers }]
    const copied = new Set()
    errorsOf(pushed, results).forEach((error, place) => {
      const event = pushed[place]
      if (!error?.retryable) this._answered.add(event.id)
      if (!error) answers.push([event, results[place].seq ?? 0])
      else if (error.code === 'node_conflict') {
        effects.push({ type: 'mark_copied', event })
        copied.add(event.id)
      } else if (error.code === 'missing_dependency' && copied.has(error.details.name?.slice(0, 36))) {
        copied.add(event.id) // it gets another id with what it names
      } else if (error.code === 'clock_drift' && !this._hasRestamped) {
        this._serverMs = error.details.time // the next step finds the event ahead of this
        this._isJustTold = true
      } else if (mayPass(error)) this._holdBack(event, error) // the server's clock itself may be behind
      else answers.push([event, error])
    })
    return effects
  }

  /**
   * What became of what was given; what may be taken later waits, with all that is about its items.
   * @param {Ack} ack
   * @returns {Effect[]}
   */
  _settleGift({ results }) {
    if (this._foreign) fail('connection_lost', 'The log has taken the epoch of this replica: all begins anew.')
    const given = this._given
    if (results.length !== given.length) fail('bad_request', 'Another number of entries was answered than given.')
    this.caughtUp = false
    /** @type {[Event, number | SynclineError][]} */
    const answers = []
    results.forEach(({ seq, error: wire }, place) => {
      const error = wire && fromWire(wire)
      if (error?.retryable) this._holdBack(given[place], error)
      else answers.push([given[place], error ?? seq ?? 0])
    })
    return [{ type: 'given', answers }]
  }

  /** @param {Event} event @param {SynclineError} error */
  _holdBack(event, error) {
    this._heldItems.add(event.item)
    this.heldSeconds = Math.max(this.heldSeconds, retrySeconds(error))
    this.postponed.set(error.code, error)
  }

  /** @param {Step | null} request @param {SynclineError} error @returns {(Effect | Notice)[]} */
  _failed(request, error) {
    const { code } = error
    if (this._foreign && !(error.retryable || code === 'space_deleted')) {
      const welcome = this._foreign
      this._foreign = null
      return [{ type: 'greet', welcome }] // which says that it is another log
    }
    if (code === 'cursor_reset' || code === 'bad_cursor') {
      this.caughtUp = this.live = false
      return [{ type: 'rewind', head: code === 'cursor_reset' ? this._head : 0 }]
    }
    if (code === 'cursor_expired' && this._takesBases) {
      this._beginning = new Beginning(this._items)
      this.caughtUp = this.live = false
      return []
    }
    if (code === 'snapshot_gone' && this._beginning) {
      this._beginning.beginAgain(error)
      return []
    }
    if (request?.type === 'give' && SPLIT_CODES.includes(code)) {
      const given = this._given
      this._giftSize = Math.max(1, given.length >> 1) // find the entry that the server cannot read
      return given.length === 1 ? [{ type: 'given', answers: [[given[0], error]] }] : []
    }
    if (request?.type === 'push' && SPLIT_CODES.includes(code)) {
      const pushed = this._pushed
      if (new Set(pushed.map(groupOf)).size === 1) {
        return [{ type: 'settle', answers: pushed.map((event) => [event, error]) }]
      }
      this._batchSize = pushed.length >> 1 // find the event that the server cannot read
      return []
    }
    if (code === 'rate_limited') return [{ type: 'wait', seconds: retrySeconds(error) || WAIT_SECONDS }]
    throw error
  }
}

const spoiled = () =>
  new SynclineError('cursor_expired', 'What was erased is in the bases of this replica: they are taken anew.')

/** Events that are stored together or not at all. @param {Event} event */
const groupOf = (event) => event.tx ?? event.id

/** @param {Map<string, Event[]>} groups @param {string} name @param {Event} event */
function push(groups, name, event) {
  const group = groups.get(name)
  if (group) group.push(event)
  else groups.set(name, [event])
}

/**
 * How long the server wants to be left in peace; 0 if it did not say.
 * @param {SynclineError} error
 */
export function retrySeconds(error) {
  const seconds = error.details.retry_after
  return typeof seconds === 'number' ? Math.max(0, seconds) : 0
}

/**
 * Each event's error. A transaction has one fate: refused if one of its events is, or else postponed if one is.
 * @param {readonly Event[]} pushed
 * @param {import('./messages.js').Result[]} results
 */
function errorsOf(pushed, results) {
  const errors = results.map(({ error }) => error && fromWire(error))
  /** @type {Map<string | undefined, SynclineError>} */
  const fates = new Map()
  errors.forEach((error, place) => {
    const { tx } = pushed[place]
    if (error && error.code !== 'tx_refused' && (!fates.has(tx) || !mayPass(error))) fates.set(tx, error)
  })
  return errors.map((error, place) => {
    const { tx } = pushed[place]
    return error && tx ? shared(error, fates.get(tx) ?? error) : error
  })
}

/** @param {SynclineError} error @param {SynclineError} fate */
function shared(error, fate) {
  if (mayPass(fate)) return fate
  return mayPass(error) ? new SynclineError('tx_refused', 'Another event of the same transaction was refused.') : error
}

/** Whether the event may be stored yet, as it is or under another id. @param {SynclineError} error */
const mayPass = ({ retryable, code }) => retryable || code === 'node_conflict' || code === 'clock_drift'
