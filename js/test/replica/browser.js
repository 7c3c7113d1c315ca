// What a browser gives to the tabs of a replica, in one process: locks, channels and a disk, which a seeded test holds
// up, loses, fills and breaks. Nothing happens by itself: `happen` lets one of the things happen that wait.

import { fail } from '../../src/errors.js'
import { Tabs } from '../../src/replica/tabs.js'
import { Store } from '../../src/stores/store.js'
import { MemoryDisk } from '../../src/stores/memory.js'

/** @typedef {import('../../src/stores/store.js').Disk} Disk */
/** @typedef {{ name: string, tab: number, what: string, go: () => void }} Waiting */

export class Browser {
  /** @param {import('../dice.js').Dice} dice */
  constructor(dice) {
    this.dice = dice
    this.disk = new MemoryDisk('node')
    this.isFull = false
    /** What waits to happen. @type {Waiting[]} */
    this._waiting = []
    /** @type {Set<Channel>} */
    this._channels = new Set()
    /** @type {{ tab: number, lead: () => Promise<void> }[]} */
    this._locks = []
    this._isLocked = false
    /** Tabs that are gone. @type {Set<number>} */
    this._dead = new Set()
    this._tabs = 0
  }

  /** What a new tab has: a store and the others. @param {number} [tab] */
  async open(tab = ++this._tabs) {
    const browser = this
    const tabs = new Tabs('test', {
      locks: /** @type {any} */ ({ request: (/** @type {string} */ _, /** @type {any} */ __, /** @type {any} */ lead) => this._request(tab, lead) }),
      Channel: /** @type {any} */ (class extends Channel {
        constructor() {
          super(browser, tab)
        }
      }),
    })
    return { tab, tabs, store: await Store.open(this._diskOf(tab)) }
  }

  /** A tab is gone at once. @param {number} tab */
  kill(tab) {
    this._dead.add(tab)
    this._waiting = this._waiting.filter((each) => each.tab !== tab)
    for (const channel of this._channels) if (channel.tab === tab) this._channels.delete(channel)
    this._locks = this._locks.filter((each) => each.tab !== tab)
    if (this._leader === tab) this._pass()
  }

  /** One of the things that wait happens; a message may be lost instead. False if nothing waits. */
  async happen({ loss = 0 } = {}) {
    const found = this._waiting.length ? this._waiting.splice(this.dice.below(this._waiting.length), 1)[0] : null
    if (found && !(found.what === 'message' && this.dice.random() < loss)) found.go()
    await new Promise(setImmediate)
    return found !== null
  }

  /** Everything that waits happens, and what follows of it. */
  async settle() {
    while (await this.happen());
  }

  /** @param {number} tab @param {string} what */
  turn(tab, what) {
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      if (!this._dead.has(tab)) this._waiting.push({ name: '', tab, what, go: resolve })
    })
  }

  /** The disk as a tab has it. @param {number} tab @returns {Disk} */
  _diskOf(tab) {
    let isClosed = false
    return {
      run: async (work, kind) => {
        if (isClosed) fail('store_closed')
        if (kind !== 'read') await this.turn(tab, 'disk')
        if (kind !== 'read' && this.isFull) fail('storage_full')
        const done = await this.disk.run(work)
        if (kind !== 'read') await this.turn(tab, 'disk') // carried out, and the tab may die before it knows
        if (kind !== 'read' && this.breaks && done && this.dice.random() < this.breaks) fail('store_damaged')
        return done
      },
      close: () => void (isClosed = true),
      erase: async () => {},
      persist: async () => true,
    }
  }

  /** How often a commit is carried out but fails for who asked for it. */
  breaks = 0

  /** @param {number} tab @param {() => Promise<void>} lead */
  _request(tab, lead) {
    this._locks.push({ tab, lead })
    if (!this._isLocked) this._pass()
    return Promise.resolve()
  }

  _pass() {
    const next = this._locks.shift()
    this._isLocked = next !== undefined
    this._leader = next?.tab
    if (next) void this.turn(next.tab, 'lock').then(() => next.lead()).then(() => this._leader === next.tab && this._pass())
  }

  /** @param {Channel} from @param {any} data */
  post(from, data) {
    for (const to of this._channels) {
      if (to === from) continue
      void this.turn(to.tab, 'message').then(() => this._channels.has(to) && to.onmessage?.({ data: structuredClone(data) }))
    }
  }

  /** @param {Channel} channel */
  join(channel) {
    this._channels.add(channel)
  }

  /** @param {Channel} channel */
  leave(channel) {
    this._channels.delete(channel)
  }
}

class Channel {
  /** @type {((message: { data: any }) => void) | null} */
  onmessage = null

  /** @param {Browser} browser @param {number} tab */
  constructor(browser, tab) {
    this._browser = browser
    this.tab = tab
    browser.join(this)
  }

  /** @param {any} data */
  postMessage(data) {
    this._browser.post(this, data)
  }

  close() {
    this._browser.leave(this)
  }
}
