// One order of commits: those of this replica, and of other tabs with the same store.

import { StampClock } from '../core/stamps.js'
import { SynclineError } from '../errors.js'
import { EVERYTHING, isOnItsWay, pack, randomBits, unpack } from '../stores/index.js'
import { lastOf, remade } from './effects.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('../stores/index.js').Change} Change */
/** @typedef {import('../stores/index.js').Difference} Difference */
/** @typedef {import('../stores/index.js').Kept} Kept */
/** @typedef {import('../stores/index.js').Packed} Packed */
/** @typedef {import('../stores/index.js').Piece} Piece */
/** @typedef {import('../stores/store.js').Store} Store */
/** @typedef {import('./tabs.js').Tabs} Tabs */
/** @typedef {Record<string, any>} ErrorObject */

/**
 * What a replica takes from outside; all of it may be left out.
 * @typedef {object} Sources
 * @property {() => number} [nowMs] milliseconds since 1970
 * @property {() => number} [random] 32 random bits
 * @property {string} [user] whose replica this is, if that is known before its first welcome
 * @property {Tabs | null} [tabs] the other tabs with the same store; without them it is alone, and leads
 */

const PATIENCE_MS = 100 // for a message that is on its way from another tab

/**
 * What is on the disk, and what was recorded on top of it.
 *
 * Subclasses say by these hooks what they derive of the log. Each is called synchronously, when `store` and
 * `onTheirWay()` tell the new state already; none may record, commit or throw.
 *
 * - `noted(entries)`: entries came to the end of their items (`{ seq, at, event }`, in order of seq). Each settles the
 *   local event of its id, whatever that event's status was.
 * - `recorded(events)`: local events came to the end of their items, in order: recorded here (called before `record`
 *   returns) or by another tab. If a draft brought an `id` of its own (see `reserve`), its event has that id, unless
 *   something else was recorded since; then what was drafted under it must be folded again.
 * - `rewritten(items)`: everything derived of these items (null: of all) must be read again: from `store.documents`,
 *   `store.log`, `onTheirWay()`. They are in none of the other calls about the same change. Events that waited to be
 *   committed may have another n, and another id, after this.
 * - `settled(kepts)`: snapshots took the place of entries: `store.documents` has them, and `store.log` holds no entry
 *   up to their seqs any more. Nothing shows anything else.
 * - `snapshot(item, entries)`: the next `{ kept, piece }` of an item: of its entries in `store.log` (given, in order)
 *   on top of `store.documents.get(item)`, without pending events. Called in the tab that leads, when the log settles.
 * - `clockIn(kept)`: the item's vector clock in a snapshot, as a JSON object.
 * - `standing(base)`: what a base comes to: the `Kept` of its item, with nothing before it.
 * - `readClock(item)` (of `Replica`): the item's vector clock with all events on their way, as a new Map.
 *
 * For a change they are called in this order: `rewritten`, `noted`, `recorded`, `settled`.
 */
export class Commits {
  /**
   * @param {Store} store
   * @param {Sources} [sources]
   */
  constructor(store, { nowMs = Date.now, random = randomBits, user, tabs = null } = {}) {
    this.store = store
    this.tabs = tabs
    this._nowMs = nowMs
    this._random = random
    this._givenUser = user ?? null
    this._node = store.state.node
    this._n = store.state.n
    /** The greatest id made or seen. */
    this._stamp = store.state.stamp
    this._clock = new StampClock(this._node, this._stamp)
    /** Events that are in memory alone, in order. @type {Event[]} */
    this._fresh = []
    /** Refused events that leave the inbox with the next commit. @type {Set<string>} */
    this._dropped = new Set()
    /** How many events and drops there were, and how many of them are committed. */
    this._asked = 0
    this._done = 0
    /** Why the last commit failed, if it did. @type {ErrorObject | null} */
    this._diskError = null
    /** One commit after the other. @type {Promise<unknown>} */
    this._queue = Promise.resolve()
    /** What other tabs committed and this one has not carried out yet, by version. @type {Map<number, Packed>} */
    this._heard = new Map()
    this._wake = () => {}
    /** Is called with each change when it is done, and whether it tells all. @type {(change: Change, isKnown: boolean) => void} */
    this.onCommit = () => {}
    tabs?.on('commit', ({ version, change }) => this._hear(version, change))
    tabs?.on('version', (version) => this._hear(version))
  }

  // Hooks, see above

  /** @param {Entry[]} _entries */
  noted(_entries) {}

  /** @param {Event[]} _events */
  recorded(_events) {}

  /** @param {Set<string> | null} _items */
  rewritten(_items) {}

  /** @param {Kept[]} _kepts */
  settled(_kepts) {}

  /**
   * @abstract
   * @param {string} _item
   * @param {Entry[]} _entries
   * @returns {{ kept: Kept, piece: Piece | null }}
   */
  snapshot(_item, _entries) {
    throw new TypeError()
  }

  /**
   * @abstract
   * @param {import('../core/messages.js').Base} _base
   * @returns {Kept}
   */
  standing(_base) {
    throw new TypeError()
  }

  /** @abstract @param {Kept} _kept @returns {Record<string, number>} */
  clockIn(_kept) {
    throw new TypeError()
  }

  /** Tells watchers. @param {Event[]} _events */
  _tell(_events) {}

  // What is recorded

  /** Whose replica this is; null before it first met its server, unless that was told. */
  get user() {
    return this.store.state.user ?? this._givenUser
  }

  /** The local events that count as part of their items, in order. */
  onTheirWay() {
    const events = []
    for (const each of this.store.outbox.values()) if (isOnItsWay(each)) events.push(each.event)
    return events.concat(this._fresh)
  }

  /** The greatest n and id are these now. @param {{ n: number, id: string }} event */
  _count({ n, id }) {
    this._n = n
    this._stamp = id
  }

  // Commits

  /**
   * Commits what `make` says when all commits before are done; makes it again if another tab was faster. `then` is
   * called when the store has it, before the hooks; whoever gives it has told of what it records already.
   * @param {() => Change | null} make
   * @param {() => void} [then]
   */
  _commit(make, then) {
    return this._next(async () => {
      for (;;) {
        const change = make()
        if (!change) return
        const difference = await this.store.commit(change)
        if (!difference) await this._catchUp(this.store.behind)
        else if (difference.isPartial) this._took({}, difference)
        else {
          then?.()
          this._tellTabs(change)
          this._took(change, difference, Boolean(then))
          return this._drain()
        }
      }
    })
  }

  /** Other tabs carry out what was committed; a whole snapshot is too much for a message, they read it. @param {Change} change */
  _tellTabs(change) {
    const { version } = this.store.state
    if (change.bases?.length && change.forget?.includes(EVERYTHING)) this.tabs?.send('version', version)
    else this.tabs?.send('commit', { version, change: pack(change) })
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  _next(work) {
    const done = this._queue.then(work)
    this._queue = done.catch(() => {})
    return done
  }

  /**
   * Takes note of what a change did. `isTold`: what it recorded has been told of.
   * @param {Change} change
   * @param {Difference} difference
   * @param {boolean} [isTold]
   */
  _took(change, { anew, noted, recorded, settled, renamed }, isTold = false) {
    const moved = this._rebase(renamed)
    for (const { item } of isTold ? [] : recorded) if (this._fresh.some((event) => event.item === item)) moved.add(item)
    const items = anew && new Set([...anew, ...moved])
    const fresh = isTold ? [] : recorded
    const isStill = (/** @type {string} */ item) => !moved.has(item)
    this._note(items, noted.filter(({ event }) => isStill(event.item)), fresh.filter(({ item }) => isStill(item)))
    if (settled.length) this.settled(settled)
    const between = (change.outbox ?? []).filter(({ status, event }) => status === 'heard' && anew?.has(event.item))
    this._tell([...(change.entries ?? []).map(({ event }) => event), ...fresh, ...between.map(({ event }) => event)])
    this.onCommit(change, anew !== null)
  }

  /**
   * Calls the hooks about what is in the log and the outbox.
   * @param {Set<string> | null} items @param {Entry[]} entries @param {Event[]} events
   */
  _note(items, entries, events) {
    if (items === null || items.size) this.rewritten(items)
    if (entries.length) this.noted(entries)
    if (events.length) this.recorded(events)
  }

  /**
   * Puts what is in memory alone on top of what is committed now: with a new n if another tab has used it, and with a
   * new id if that is not above the others' any more, or if events that it may name were renamed. Nobody else has seen
   * it yet. Returns the items of what has changed.
   * @param {Map<string, string>} [renamed]
   */
  _rebase(renamed) {
    const { node, n, stamp, user } = this.store.state
    const [first] = this._fresh
    const isMoved = first && (first.n !== n + 1 || first.node !== node || renamed || (user && !first.user))
    const names = new Map(renamed)
    if (node !== this._node) this._clock = new StampClock(node)
    this._node = node
    this._n = n
    this._clock.last = this._stamp = stamp
    if (isMoved) this._fresh = this._fresh.map((event) => this._moved(event, names, Boolean(renamed)))
    else if (first) {
      this._n += this._fresh.length
      this._clock.receive(this._fresh[this._fresh.length - 1].id)
    }
    this._stamp = this._clock.last
    return new Set(isMoved ? this._fresh.map((event) => event.item) : [])
  }

  /** @param {Event} event @param {Map<string, string>} names @param {boolean} isRenamed */
  _moved(event, names, isRenamed) {
    const { node, skewMs } = this.store.state
    if (!isRenamed && event.id > this._clock.last) this._clock.last = event.id
    else names.set(event.id, this._clock.next(this._nowMs() + skewMs, this._random()))
    const last = event.node === node ? 0 : lastOf(this.store, this, event)
    return remade(event, { node, n: ++this._n, last, user: this.user, names })
  }

  /** A commit came to nothing: what is in memory alone stays there, and is tried again. @param {any} error */
  _failed(error) {
    this._diskError = (error instanceof SynclineError ? error : new SynclineError('internal', String(error))).toWire()
    this._tell([])
  }

  /**
   * Commits what `make` says of the store: for what a page loads when it needs it.
   * @param {(store: Store) => Change | null} make see `_commit`
   */
  change(make) {
    return this._commit(() => make(this.store))
  }

  // What other tabs commit

  /**
   * Another tab has committed a change, or it says how far the disk is.
   * @param {number} version @param {Packed} [change]
   */
  _hear(version, change) {
    if (change) this._heard.set(version, change)
    this._drain()
    this._wake()
    if (this.store.state.version >= version) return
    this._next(() => this._catchUp(version)).catch((error) => this._failed(error))
  }

  /** Carries out what others committed, as far as nothing is missing between. */
  _drain() {
    for (;;) {
      const next = this.store.state.version + 1
      const packed = this._heard.get(next)
      if (!packed) break
      const change = unpack(packed)
      this._took(change, this.store.take(change, next))
    }
    for (const version of this._heard.keys()) if (version <= this.store.state.version) this._heard.delete(version)
  }

  /**
   * Comes to a version that is on the disk: by the messages of others, or by reading it if one does not come.
   * @param {number} version
   */
  async _catchUp(version) {
    this._drain()
    const isBehind = () => this.store.state.version < version
    if (isBehind() && this.tabs) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, PATIENCE_MS)
        this._wake = () => isBehind() || resolve(clearTimeout(timer))
      })
    }
    if (isBehind()) await this._reread()
  }

  async _reread() {
    const difference = await this.store.reread()
    // a commit that failed may have been carried out
    this._fresh = this._fresh.filter(({ id }) => !this.store.holds(id) && !difference.renamed?.has(id))
    this._took({}, difference)
    this._drain()
  }

  /** Finds out whether other tabs committed something that this one has not heard of, and tells how far the disk is. */
  async refresh() {
    const version = await this.store.head()
    await this._next(() => this._catchUp(version))
    this.tabs?.send('version', version)
  }
}
