// Over a WebSocket, or over HTTP where there is none or it cannot be opened (because of a proxy, say).

import { SynclineError } from '../errors.js'
import { HttpTransport } from './http.js'
import { WebSocketTransport } from './websocket.js'

/** @typedef {import('./memory.js').Transport} Transport */

const SECOND_MS = 600_000 // then a WebSocket is tried again: whatever was in its way may have gone

/**
 * @param {string} url the server's; in a page it may be relative
 * @param {{WebSocket?: typeof globalThis.WebSocket, fetch?: typeof globalThis.fetch}} [options]
 * @returns {Transport}
 */
export function transportTo(url, { WebSocket = globalThis.WebSocket, fetch } = {}) {
  const http = new HttpTransport(url, { fetch })
  return WebSocket ? new EitherTransport(new WebSocketTransport(url, { WebSocket }), http) : http
}

/** @implements {Transport} */
class EitherTransport {
  /** @param {WebSocketTransport} first @param {HttpTransport} second */
  constructor(first, second) {
    this._first = first
    this._second = second
    /** @type {Transport} */
    this._used = first
    /** @type {NonNullable<Transport['onPeers']>} */
    this.onPeers = () => {}
    first.onPeers = (peers) => this.onPeers(peers)
  }

  /** @param {import('../core/messages.js').Hello} hello */
  async hello(hello) {
    this._used = this._first
    try {
      return await this._first.hello(hello)
    } catch (error) {
      if (!(error instanceof SynclineError && error.details.unopened)) throw error
    }
    this._used = this._second
    return this._used.hello(hello)
  }

  /** @param {import('../core/messages.js').Auth} auth */
  authenticate(auth) {
    return this._used.authenticate(auth)
  }

  /** @param {import('../core/messages.js').Push} push */
  push(push) {
    return this._used.push(push)
  }

  /** @param {import('../core/messages.js').Pull} pull */
  pull(pull) {
    return this._used.pull(pull)
  }

  /** @param {import('../core/messages.js').Inquiry} inquiry */
  ask(inquiry) {
    return this._used.ask(inquiry)
  }

  /** @param {import('../core/messages.js').Live} live */
  subscribe(live) {
    const isFirst = this._used === this._first
    return isFirst ? this._first.subscribe(live) : this._second.subscribe(live, Date.now() + SECOND_MS)
  }

  /** @param {import('../core/messages.js').Presence} presence */
  announce(presence) {
    this._used.announce(presence)
  }

  probe() {
    this._used.probe()
  }

  async close() {
    await Promise.all([this._first.close(), this._second.close()])
  }
}
