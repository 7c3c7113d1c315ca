// A server's half of a sync session, as a state machine without I/O. Its shell feeds `ServerSession.receive` with what
// arrives and carries out what it returns.

import { SynclineError, fail } from '../errors.js'
import { PROTOCOL, encode, errorMessage } from './messages.js'
import { decodeRequest, refOf } from './requests.js'

/** @typedef {import('./messages.js').Request} Request */

/**
 * What the shell must do.
 *
 * - authenticate: check the credentials; answer with `ServerSession.welcome` or `ServerSession.reject`
 * - reauthenticate: check other credentials of the same user; answer with `authenticated` of this ref, or an error
 * - commit: store what may be stored of a JSON array of events; answer with an `ack` of this ref
 * - read: answer a pull with one page
 * - follow: send pages from a cursor on, for as long as the session lasts
 * - inquire: answer what heals with the reply of this ref
 * - announce: show a presence to others, and this session theirs; `text` is the message, for `stateOf`
 * - send: send this text as one message
 * - close: end the session with a WebSocket close code of the private range
 * @typedef {{type: 'authenticate', hello: import('./messages.js').Hello}
 *   | {type: 'reauthenticate', ref: number, token: string}
 *   | {type: 'commit', ref: number, events: string}
 *   | {type: 'read', pull: import('./messages.js').Pull}
 *   | {type: 'follow', live: import('./messages.js').Live}
 *   | {type: 'inquire', inquiry: import('./messages.js').Inquiry}
 *   | {type: 'announce', presence: import('./messages.js').Presence, text: string}
 *   | {type: 'send', text: string}
 *   | {type: 'close', code: number, reason: string}} Deed
 */

/** @type {Record<string, number>} */
const CLOSE_CODES = {
  unauthorized: 4401,
  token_expired: 4401,
  forbidden: 4403,
  space_suspended: 4403,
  unknown_space: 4404,
  rate_limited: 4429,
  too_many_connections: 4429,
  request_timeout: 4408,
  shutting_down: 1012,
}
const CLOSE_OTHERWISE = 4400

export class ServerSession {
  constructor() {
    this.isOpen = false
    this._isGreeted = false
    this._follows = false
  }

  /**
   * What to do about a message. Whatever is wrong with it is answered, never raised.
   * @param {string} text
   * @returns {Deed[]}
   */
  receive(text) {
    try {
      const request = decodeRequest(text)
      if (request.type === 'hello') return this._greet(request)
      if (!this.isOpen) fail('hello_required', 'The first message of a session is hello.')
      return this._dispatch(request, text)
    } catch (error) {
      if (!(error instanceof SynclineError)) throw error
      return this.isOpen ? [send(errorMessage(error, refOf(text)))] : this.reject(error)
    }
  }

  /** @param {import('./messages.js').Hello} hello @returns {Deed[]} */
  _greet(hello) {
    if (this._isGreeted) fail('hello_required', 'A session has one hello.')
    if (hello.protocol !== PROTOCOL) fail('unsupported_protocol', `This server speaks protocol ${PROTOCOL}.`)
    this._isGreeted = true
    return [{ type: 'authenticate', hello }]
  }

  /** @param {Request} request @param {string} text @returns {Deed[]} */
  _dispatch(request, text) {
    switch (request.type) {
      case 'push':
        return [{ type: 'commit', ref: request.ref, events: request.events }]
      case 'pull':
        return [{ type: 'read', pull: request }]
      case 'live':
        if (this._follows) fail('bad_request', 'This session is live already.')
        this._follows = true
        return [{ type: 'follow', live: request }]
      case 'auth':
        return [{ type: 'reauthenticate', ref: request.ref, token: request.token }]
      case 'merkle':
      case 'fetch':
      case 'give':
      case 'snapshot':
        return [{ type: 'inquire', inquiry: request }]
      case 'presence':
        return [{ type: 'announce', presence: request, text }]
      case 'ping':
        return [send({ type: 'pong', ref: request.ref })]
    }
    return []
  }

  /** The credentials are good: the session is open. @param {import('./messages.js').Welcome} welcome @returns {Deed[]} */
  welcome(welcome) {
    this.isOpen = true
    return [send(welcome)]
  }

  /** The session ends because of an error. @param {SynclineError} error @returns {Deed[]} */
  reject(error) {
    this.isOpen = false
    return [send(errorMessage(error)), { type: 'close', code: CLOSE_CODES[error.code] ?? CLOSE_OTHERWISE, reason: error.code }]
  }

  /** The live subscription ended with an error; another may begin. */
  unfollow() {
    this._follows = false
  }
}

/** @param {import('./messages.js').Answer} message @returns {Deed} */
const send = (message) => ({ type: 'send', text: encode(message) })
