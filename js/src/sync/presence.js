// Who is here and what they point at: never stored, and known only while there is a live session over a WebSocket.
//
// All tabs of a replica are one node with one session. Each tells the others what it says of itself, so whichever leads
// can say it all to the server; the one that leads tells the others whom the server told of.

import { sizeOf } from '../core/canonical.js'
import { MAX_PRESENCE_BYTES, PRESENCES_PER_SECOND } from '../core/limits.js'
import { fail } from '../errors.js'
import { newNode } from '../stores/index.js'

/** @typedef {import('../core/messages.js').Peer} Peer somebody: user, node, key, item (null: the space), state */
/** @typedef {import('./background.js').SyncedReplica} Replica */
/** @typedef {Pick<import('../transports/memory.js').Transport, 'announce' | 'onPeers'>} Line */

export class Presence {
  /**
   * @param {Replica} replica
   * @param {Line | null} line null: there is no server
   * @param {{ locks?: Pick<LockManager, 'request'> }} [options]
   */
  constructor(replica, line, { locks = globalThis.navigator?.locks } = {}) {
    this._replica = replica
    this._line = line
    this._locks = locks
    this._tab = newNode().slice(0, 8)
    /** What all tabs say of themselves, by key. @type {Map<string, Peer>} */
    this._own = new Map()
    /** Whom the server told of. @type {Map<string, Peer>} */
    this._here = new Map()
    /** What is to be said to the server. @type {Map<string, Peer>} */
    this._unsaid = new Map()
    /** The tabs whose end is awaited. */
    this._tabs = new Set([this._tab])
    this._isWanted = false
    this._isLive = false
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._pace = undefined
    /** @type {Set<{ call: (peers: Peer[]) => void, item: string | null | undefined }>} */
    this._watchers = new Set()
    this._listen()
  }

  /**
   * From now on this is what others see of this tab, until it is set again, cleared, or the tab is gone. Fails with
   * too_large, or bad_settings if there is no server, and leaves what was. It is said when the connection is live, at a bounded pace, the last state of all.
   * @param {any} state any JSON, up to 4 KiB; null: gone
   * @param {string | null} [item] what it is about, seen by those who may read it; null: the space
   * @param {string} [key] tells several presences of this tab apart
   */
  set(state, item = null, key = '') {
    if (!this._line) fail('bad_settings', 'Presence needs a server: open the replica with { server }.')
    if (sizeOf(JSON.stringify(state)) > MAX_PRESENCE_BYTES) fail('too_large', `A state has at most ${MAX_PRESENCE_BYTES} bytes.`)
    this._want()
    const { user, node } = this._replica
    const presence = { user: user ?? '', node, key: key ? `${this._tab}.${key}` : this._tab, item, state }
    this._put(presence)
    this._replica.tabs?.send('presence', presence)
  }

  /** This tab is no longer here. */
  clear(key = '') {
    if (this._line) this.set(null, null, key)
  }

  /**
   * Everyone else who is here, other tabs of this node among them.
   * @param {string | null} [item] those about this; null: about the space; left out: all
   * @returns {Peer[]}
   */
  peers(item) {
    this._want()
    const others = [...this._own.values()].filter(({ key }) => key.slice(0, 8) !== this._tab)
    const found = this._isLive ? [...this._here.values(), ...others] : []
    return found.filter((peer) => item === undefined || peer.item === item).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  }

  /**
   * Calls back with `peers(item)`, at once and whenever it may be another; returns the way to stop.
   * @param {(peers: Peer[]) => void} call
   * @param {{ item?: string | null }} [options]
   */
  watch(call, { item } = {}) {
    const watcher = { call, item }
    this._watchers.add(watcher)
    call(this.peers(item))
    return () => void this._watchers.delete(watcher)
  }

  _tell() {
    for (const { call, item } of [...this._watchers]) call(this.peers(item))
  }

  /** Somebody asks for the first time: from now on the server is asked, too. */
  _want() {
    if (this._isWanted) return
    this._isWanted = true
    this._replica.tabs?.send('presence?', this._tab)
    if (this._replica.isLeader && this._isLive) this._begin()
  }

  // Tabs

  _listen() {
    const { tabs } = this._replica
    this._locks?.request(lockOf(this._tab), () => new Promise((resolve) => (this._leave = () => resolve(null)))).catch(() => {})
    this._replica.watchStatus(({ state }) => this._connect(state === 'live'))
    if (this._line) this._line.onPeers = (peers) => this._take(peers)
    tabs?.on('presence', (presence) => this._put(presence))
    tabs?.on('peers', ({ peers, isWhole }) => this._hear(peers, isWhole))
    tabs?.on('presence?', () => this._answer())
    globalThis.addEventListener?.('pagehide', () => this._goAway())
  }

  _leave = () => {}

  /** Another tab begins to ask. */
  _answer() {
    for (const presence of this._own.values()) if (this._isMine(presence)) this._replica.tabs?.send('presence', presence)
    if (!this._replica.isLeader) return
    this._want()
    this._replica.tabs?.send('peers', { peers: [...this._here.values()], isWhole: true })
  }

  /** @param {Peer} presence */
  _isMine({ key }) {
    return key.slice(0, 8) === this._tab
  }

  /** One of the tabs says something of itself. @param {Peer} presence */
  _put(presence) {
    const { key, state } = presence
    if (state === null) this._own.delete(key)
    else this._own.set(key, presence)
    if (this._speaksFor(presence)) this._unsaid.set(key, presence)
    if (!this._isMine(presence)) this._await(key.slice(0, 8))
    this._say()
    this._tell()
  }

  /** When a tab dies its lock is free: what it said is no longer so. @param {string} tab */
  _await(tab) {
    if (this._tabs.has(tab)) return
    this._tabs.add(tab)
    this._locks?.request(lockOf(tab), () => {
      this._tabs.delete(tab)
      for (const presence of this._own.values()) if (presence.key.startsWith(tab)) this._put({ ...presence, state: null })
    }).catch(() => {})
  }

  _goAway() {
    for (const presence of [...this._own.values()]) if (this._isMine(presence)) {
      this._replica.tabs?.send('presence', { ...presence, state: null })
      this._put({ ...presence, state: null })
    }
  }

  // The session

  /** @param {boolean} isLive */
  _connect(isLive) {
    if (isLive === this._isLive) return
    this._isLive = isLive
    this._here.clear()
    if (isLive && this._isWanted) {
      if (this._replica.isLeader) this._begin()
      else this._replica.tabs?.send('presence?', this._tab)
    }
    this._tell()
  }

  /** A session begins: all is to be said; if there is nothing, who is here is asked for. */
  _begin() {
    this._unsaid = new Map([...this._own].filter(([, presence]) => this._speaksFor(presence)))
    if (!this._own.size) this._announce({ key: this._tab, item: null, state: null })
    this._say()
  }

  /** Who leads speaks for all. Where tabs have no locks each leads: what it says ends with its session. @param {Peer} presence */
  _speaksFor(presence) {
    return Boolean(this._locks) || this._isMine(presence)
  }

  /** Says the last state of each presence, and not before a moment later again. */
  _say() {
    if (!this._isLive || !this._replica.isLeader) this._unsaid.clear() // who leads says it, or will
    if (this._pace || !this._unsaid.size) return
    for (const presence of this._unsaid.values()) this._announce(presence)
    this._unsaid.clear()
    this._pace = setTimeout(() => {
      this._pace = undefined
      this._say()
    }, 1000 / PRESENCES_PER_SECOND)
  }

  /** @param {{ key: string, item: string | null, state: any }} presence */
  _announce({ key, item, state }) {
    try {
      this._line?.announce({ type: 'presence', ref: 0, key, item, state })
    } catch {
      // the connection has just ended: all is said again on the next
    }
  }

  /** The server tells. @param {Peer[]} peers */
  _take(peers) {
    const { user, node } = this._replica
    const others = peers.filter((peer) => peer.user !== user || peer.node !== node)
    this._hear(others, false)
    this._replica.tabs?.send('peers', { peers: others, isWhole: false })
  }

  /** @param {Peer[]} peers @param {boolean} isWhole */
  _hear(peers, isWhole) {
    if (isWhole) this._here.clear()
    for (const peer of peers) {
      if (peer.state === null) this._here.delete(nameOf(peer))
      else this._here.set(nameOf(peer), peer)
    }
    this._tell()
  }

  close() {
    clearTimeout(this._pace)
    this._goAway()
    this._watchers.clear()
    this._leave()
  }
}

/** @param {Peer} peer */
const nameOf = ({ user, node, key }) => `${user}\n${node}\n${key}`

/** @param {string} tab */
const lockOf = (tab) => `syncline:tab:${tab}`
