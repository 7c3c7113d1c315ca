// How what is recorded gets to the disk (`saved`), and how what came settles there.

import { pending } from '../stores/index.js'
import { Commits } from './commits.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../stores/index.js').Change} Change */

const TICK_MS = 10_000
const SETTLED_AT_ONCE = 1_000 // entries, or less if that takes too long:
const SETTLING_MS = 15 // in one task; to write what comes of it takes as long again

/** A replica's work on its disk that nobody waits for. */
export class Saving extends Commits {
  /**
   * @param {import('../stores/store.js').Store} store
   * @param {import('./commits.js').Sources} [sources]
   */
  constructor(store, sources) {
    super(store, sources)
    /** @type {{ asked: number, resolve: () => void }[]} */
    this._savers = []
    /** @type {Promise<void> | null} */
    this._saving = null
    /** @type {Promise<unknown> | null} */
    this._settling = null
    this._isClosed = false
    this._ticking = /** @type {any} */ (setInterval(() => this._tick(), TICK_MS))
    this._ticking.unref?.() // in Node, where it would keep the program alive
  }

  /** Resolves when all that was recorded until now is on the disk. Never rejects; `status()` tells of a full disk. */
  saved() {
    if (this._done === this._asked) return Promise.resolve()
    void this._save()
    return /** @type {Promise<void>} */ (
      new Promise((resolve) => this._savers.push({ asked: this._asked, resolve }))
    )
  }

  /** Commits what is recorded with the next microtask, and what is recorded meanwhile after that. */
  _save() {
    return (this._saving ??= Promise.resolve().then(async () => {
      try {
        while (this._done < this._asked) await this._saveOnce()
      } catch (error) {
        this._failed(error)
      }
      this._saving = null
    }))
  }

  async _saveOnce() {
    let asked = 0
    let count = 0
    await this._commit(
      () => {
        asked = this._asked
        count = this._fresh.length
        return this._unsaved()
      },
      () => {
        this._fresh.splice(0, count)
        this._keepDropped()
      },
    )
    this._done = asked
    this._diskError = null
    for (const saver of this._savers) if (saver.asked <= asked) saver.resolve()
    this._savers = this._savers.filter((saver) => saver.asked > asked)
    this._tell([])
  }

  /** What is still in the inbox of what is to leave it. */
  _keepDropped() {
    for (const id of this._dropped) if (this.store.outbox.get(id)?.status !== 'refused') this._dropped.delete(id)
  }

  /** What is in memory alone, as a change; null if another tab has committed it, or dropped it. */
  _unsaved() {
    const { state } = this.store
    this._keepDropped()
    if (!this._fresh.length && !this._dropped.size) return null
    const own = { ...state, user: this.user, n: this._n, stamp: this._stamp }
    return { drop: [...this._dropped], outbox: this._fresh.map(pending), state: own }
  }

  /** What is done from time to time: what failed is tried again, and what may have got lost between tabs is found. */
  _tick() {
    if (this._done < this._asked) void this._save()
    if (this.tabs?.isLeader) this.refresh().catch((error) => this._failed(error))
  }

  // Settling

  /** Makes snapshots and history of the entries that have not settled, some at a time, between other commits. */
  settle() {
    return (this._settling ??= this._settleAll()
      .catch((error) => this._failed(error)) // nothing is lost: it settles another time
      .finally(() => (this._settling = null)))
  }

  async _settleAll() {
    const until = this.store.state.version
    const items = new Set(this.store.log.map(({ event }) => event.item))
    while (items.size) await this._settleSome(items, until)
  }

  /** @param {Set<string>} items @param {number} until */
  async _settleSome(items, until) {
    /** @type {string[]} */
    let done = []
    const make = () => {
      const some = this._snapshots(this._some(items))
      done = some.done
      return { ...some.change, until: done.length === items.size ? until : undefined }
    }
    await this._commit(make, () => {})
    for (const item of done) items.delete(item)
  }

  /** The entries of the first of these items. @param {Set<string>} items */
  _some(items) {
    /** @type {Map<string, Entry[]>} */
    const found = new Map()
    for (const item of items) if (found.set(item, []).size === SETTLED_AT_ONCE) break
    for (const entry of this.store.log) found.get(entry.event.item)?.push(entry)
    let count = 0
    for (const [item, entries] of found) {
      if (count >= SETTLED_AT_ONCE) found.delete(item)
      count += entries.length
    }
    return found
  }

  /** As many snapshots as there is time for. @param {Map<string, Entry[]>} some */
  _snapshots(some) {
    const { state } = this.store
    const endMs = this._nowMs() + SETTLING_MS
    /** @type {string[]} */
    const done = []
    const settled = []
    let { forgotten } = state
    for (const [item, entries] of some) {
      if (entries.length) settled.push(this.snapshot(item, entries))
      for (const { event } of entries) if (event.node === state.node && event.id > forgotten) forgotten = event.id
      done.push(item)
      if (this._nowMs() > endMs) break
    }
    return { done, change: { settled, state: { ...state, forgotten } } }
  }

  /** Commits what is recorded, if there is room on the disk, and closes the store. */
  async close() {
    if (this._isClosed) return
    this._isClosed = true
    clearInterval(this._ticking)
    if (this._done < this._asked) void this._save()
    await this._saving
    await this._queue
    this.tabs?.close()
    this.store.close()
  }
}
