// A replica that syncs by itself, in one tab for all.

import { Tabs } from '../replica/tabs.js'
import { DocumentReplica } from '../replica/documents/index.js'
import { fail, fromWire } from '../errors.js'
import { openIndexedDB } from '../stores/indexeddb.js'
import { MemoryStore } from '../stores/memory.js'
import { transportTo } from '../transports/either.js'
import { SAVE_SECONDS, SyncManager } from './manager.js'
import { Presence } from './presence.js'
import { within } from './waiting.js'

/** @typedef {import('./credentials.js').Token} Token */
/** @typedef {import('./manager.js').SyncResult} SyncResult */

/**
 * @typedef {object} Settings
 * @property {string} [server] its URL, in a page relative to it; without one the replica is local for now
 * @property {string} [space] which of its spaces; `default`
 * @property {Token} [token] credentials, or an `async` function that fetches them
 * @property {string[]} [items] patterns of what to sync; all without it
 * @property {boolean} [history] whether a new replica pulls all that has been; with `false` it takes how things stand
 * @property {'memory'} [store] nothing is kept
 * @property {typeof globalThis.WebSocket} [WebSocket] where there is none, as in Node 20
 */

/** What wakes a connection that sleeps, or shows that it is dead. */
const NUDGES = ['online', 'offline', 'pageshow', 'visibilitychange']

export class SyncedReplica extends DocumentReplica {
  /**
   * @param {import('../stores/store.js').Store} store
   * @param {Tabs | null} tabs
   * @param {Settings} settings
   */
  constructor(store, tabs, { server, space, token, items, history, WebSocket }) {
    super(store, { tabs })
    this._token = token
    this._isStarted = false
    const transport = server === undefined ? null : transportTo(server, { WebSocket })
    this._manager = transport && new SyncManager(this, transport, { space, token, items, history })
    this.presence = new Presence(this, transport)
    this._nudge = () => this._manager?.nudge()
    for (const event of NUDGES) globalThis.addEventListener?.(event, this._nudge, true)
    tabs?.on('start', () => this._begin())
    tabs?.on('stop', () => this._end())
    tabs?.onLead(() => this._isStarted && this._begin())
    tabs?.serve('sync', () => this._sync((manager) => manager.sync()))
    tabs?.serve('heal', () => this._sync((manager) => manager.heal()))
    tabs?.serve('sign in', (given) => this._served().signIn(given ?? this._token))
  }

  /** Whether this tab keeps the connection for all. */
  get isLeader() {
    return this.tabs?.isLeader ?? true
  }

  _served() {
    return this._manager ?? fail('bad_settings', 'This replica has no server: open it with { server }.')
  }

  /**
   * Pushes what is pending and pulls what is new. Errors are in the result; nothing is lost by them.
   * @returns {Promise<SyncResult>}
   */
  sync() {
    return this._ask('sync', (manager) => manager.sync())
  }

  /**
   * Syncs, and compares all that is here with the server: what either lacks, it gets. It finds what no sync would, such
   * as what was lost from this browser's disk, or from the midst of the server's log.
   * @returns {Promise<SyncResult>}
   */
  heal() {
    return this._ask('heal', (manager) => manager.heal())
  }

  /** @param {string} kind @param {(manager: SyncManager) => Promise<SyncResult>} work @returns {Promise<SyncResult>} */
  async _ask(kind, work) {
    this._served()
    await within(SAVE_SECONDS, this.saved()) // another tab may be the one that pushes
    const { errors, failed, ...counts } = await (this.tabs ? this.tabs.ask(kind) : this._sync(work))
    const read = errors.map(fromWire)
    return { ...counts, errors: read, failure: failed ? read.at(-1) : null }
  }

  /** In the tab that leads, in a form that other tabs can be sent. @param {(manager: SyncManager) => Promise<SyncResult>} work */
  async _sync(work) {
    const { errors, failure, ...counts } = await work(this._served())
    return { ...counts, errors: errors.map((error) => error.toWire()), failed: Boolean(failure) }
  }

  /** Stays live from now on, in the background, in whichever tab leads; `status` and `watch` tell what happens. */
  start() {
    this._served()
    this._begin()
    this.tabs?.send('start')
  }

  /** Stops syncing, in all tabs; recording goes on. */
  async stop() {
    this.tabs?.send('stop')
    await this._end()
  }

  _begin() {
    this._isStarted = true
    if (this.isLeader) this._manager?.start()
  }

  async _end() {
    this._isStarted = false
    await this._manager?.stop()
  }

  /**
   * New credentials of the same user: what was started goes on with them at once.
   * @param {Token} token
   */
  async signIn(token) {
    this._token = token
    if (!this.tabs || this.isLeader) return this._served().signIn(token)
    this._served().use(token) // when this tab leads
    await this.tabs.ask('sign in', typeof token === 'string' ? token : null) // other tabs have functions of their own
  }

  /** Stops syncing in this tab, and closes the store. */
  async close() {
    for (const event of NUDGES) globalThis.removeEventListener?.(event, this._nudge, true)
    this.presence.close()
    await this._end()
    await super.close()
  }
}

/**
 * Opens a replica of a space, or makes it: one space as one user sees it. All tabs that open the same name share it.
 * @param {string} name
 * @param {Settings} [settings]
 */
export async function open(name, settings = {}) {
  if (settings.store === 'memory') return new SyncedReplica(new MemoryStore(), null, settings)
  if (!globalThis.indexedDB) fail('bad_settings', "There is no IndexedDB here: open it with { store: 'memory' }.")
  return new SyncedReplica(await openIndexedDB(`syncline:${name}`), new Tabs(name), settings)
}
