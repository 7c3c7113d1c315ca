// The tabs of one replica: one of them leads, by a Web Lock that the browser passes on when it dies; all of them talk.

import { SynclineError, fromWire } from '../errors.js'
import { newNode } from '../stores/index.js'

/** @typedef {{ kind: string, data: any }} Message */
/** @typedef {{ id: string, kind: string, data: any }} Question */
/** @typedef {Question & { resolve: (value: any) => void, reject: (error: unknown) => void }} Asked */

/** Where the browser has no locks or no channels, a tab is alone, and leads. */
export class Tabs {
  /**
   * @param {string} name of what they share
   * @param {{ locks?: Pick<LockManager, 'request'>, Channel?: typeof BroadcastChannel }} [options]
   */
  constructor(name, { locks = globalThis.navigator?.locks, Channel = globalThis.BroadcastChannel } = {}) {
    this.isLeader = false
    /** @type {Map<string, Set<(data: any) => void>>} */
    this._callbacks = new Map()
    /** @type {Map<string, (data: any) => any>} */
    this._servants = new Map()
    /** What the tab that leads was asked, and has not answered. @type {Map<string, Asked>} */
    this._asked = new Map()
    this._channel = Channel ? new Channel(`syncline:${name}`) : null
    /** @type {any} */
    const channel = this._channel ?? {}
    channel.onmessage = (/** @type {{ data: Message }} */ { data }) => this._tell(data.kind, data.data)
    channel.unref?.() // in Node, where it would keep the program alive
    this.on('ask', (asked) => this._answer(asked))
    this.on('answer', (answer) => this._settle(answer))
    this.on('lead', () => this._askAgain())
    this._ending = new AbortController()
    /** @type {() => void} */
    this._release = () => {}
    this._wait(`syncline:${name}`, locks)
  }

  /** @param {string} name @param {Pick<LockManager, 'request'>} [locks] */
  _wait(name, locks) {
    if (!locks) return void Promise.resolve().then(() => this._lead())
    const { signal } = this._ending
    locks.request(name, { signal }, () => this._lead()).catch(() => {}) // closed before it led
  }

  /** Leads until it is closed. @returns {Promise<void>} */
  _lead() {
    if (this._ending.signal.aborted) return Promise.resolve()
    this.isLeader = true
    return new Promise((resolve) => {
      this._release = resolve
      this._tell('leading')
      this.send('lead')
      this._askAgain()
    })
  }

  /**
   * Calls back when this tab leads, from then on until it is closed; at once if it does already.
   * @param {() => void} call
   */
  onLead(call) {
    this.on('leading', call)
    if (this.isLeader) call()
  }

  /**
   * Tells all other tabs.
   * @param {string} kind
   * @param {any} [data] what a structured clone can carry
   */
  send(kind, data) {
    this._channel?.postMessage({ kind, data })
  }

  /**
   * Calls back with what other tabs send; returns the way to stop.
   * @param {string} kind
   * @param {(data: any) => void} call
   */
  on(kind, call) {
    /** @type {Set<(data: any) => void>} */
    const callbacks = this._callbacks.get(kind) ?? new Set()
    this._callbacks.set(kind, callbacks.add(call))
    return () => void callbacks.delete(call)
  }

  /** @param {string} kind @param {any} [data] */
  _tell(kind, data) {
    for (const call of this._callbacks.get(kind) ?? []) call(data)
  }

  // Requests to the tab that leads

  /**
   * How this tab answers when it leads.
   * @param {string} kind
   * @param {(data: any) => any} servant its answer, or a promise of it
   */
  serve(kind, servant) {
    this._servants.set(kind, servant)
    if (this.isLeader) this._askAgain()
  }

  /**
   * The answer of the tab that leads, be it this one. If it dies before, its successor is asked, so a request may be
   * carried out twice.
   * @param {string} kind
   * @param {any} [data]
   * @returns {Promise<any>}
   */
  ask(kind, data) {
    return new Promise((resolve, reject) => {
      const id = newNode()
      this._asked.set(id, { id, kind, data, resolve, reject })
      this._askOnce({ id, kind, data })
    })
  }

  /** @param {Question} asked */
  _askOnce({ id, kind, data }) {
    if (this.isLeader) this._answer({ id, kind, data })
    else this.send('ask', { id, kind, data })
  }

  _askAgain() {
    for (const asked of [...this._asked.values()]) this._askOnce(asked)
  }

  /** @param {Question} asked */
  async _answer({ id, kind, data }) {
    const servant = this._servants.get(kind)
    if (!this.isLeader || !servant) return
    const answer = { id, value: /** @type {any} */ (null), error: /** @type {any} */ (null) }
    try {
      answer.value = await servant(data)
    } catch (error) {
      answer.error = (error instanceof SynclineError ? error : new SynclineError('internal', String(error))).toWire()
    }
    if (this._asked.has(id)) this._settle(answer)
    else this.send('answer', answer)
  }

  /** @param {{ id: string, value: any, error: Record<string, any> | null }} answer */
  _settle({ id, value, error }) {
    const asked = this._asked.get(id)
    this._asked.delete(id)
    if (error) asked?.reject(fromWire(error))
    else asked?.resolve(value)
  }

  /** Lets another tab lead. */
  close() {
    this.isLeader = false
    this._ending.abort()
    this._release()
    this._channel?.close()
    this._channel = null
  }
}
