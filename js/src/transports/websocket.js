// Over one WebSocket: messages as text frames. See memory.js for what a transport is.

import { SynclineError } from '../errors.js'
import { LineTransport } from './line.js'
import { baseOf } from './requests.js'

const CONNECT_SECONDS = 5

export class WebSocketTransport extends LineTransport {
  /** @param {string} url @param {{WebSocket?: typeof globalThis.WebSocket}} [options] */
  constructor(url, { WebSocket = globalThis.WebSocket } = {}) {
    super()
    this._url = baseOf(url).replace(/^http/, 'ws') + '/ws'
    this._WebSocket = WebSocket
  }

  /** Fails with `unopened` among its details if there is no WebSocket. @override */
  _connect() {
    return connect(this._WebSocket, this._url)
  }
}

/** @param {typeof globalThis.WebSocket} WebSocket @param {string} url @returns {Promise<WebSocket>} */
function connect(WebSocket, url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    const giveUp = () => {
      clearTimeout(timer)
      socket.onopen = socket.onerror = socket.onclose = null
      socket.onerror = () => {} // closing what is not open may be one more error
      socket.close()
      reject(new SynclineError('connection_lost', `${url} cannot be reached.`, { unopened: true }))
    }
    const timer = setTimeout(giveUp, CONNECT_SECONDS * 1000)
    socket.onerror = socket.onclose = giveUp
    socket.onopen = () => {
      clearTimeout(timer)
      resolve(socket)
    }
  })
}
