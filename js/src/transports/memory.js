// Within one program: messages are handed over, after a trip through their encoded form. The transport to read.
//
// A transport is one conversation with one server. It fails with the server's error where a request fails as a whole, or
// with connection_lost where nobody answers. `hello` comes first; after an error of the connection it may be said again.

import { fail } from '../errors.js'
import { REPLIES, decodeAnswer, encode, expect } from '../core/messages.js'

/** @typedef {import('../core/messages.js').Ack} Ack */
/** @typedef {import('../core/messages.js').Auth} Auth */
/** @typedef {import('../core/messages.js').Authenticated} Authenticated */
/** @typedef {import('../core/messages.js').Hello} Hello */
/** @typedef {import('../core/messages.js').Inquiry} Inquiry */
/** @typedef {import('../core/messages.js').Live} Live */
/** @typedef {import('../core/messages.js').Page} Page */
/** @typedef {import('../core/messages.js').Peer} PresentPeer */
/** @typedef {import('../core/messages.js').Presence} Presence */
/** @typedef {import('../core/messages.js').Pull} Pull */
/** @typedef {import('../core/messages.js').Push} Push */
/** @typedef {import('../core/messages.js').Reply} Reply */
/** @typedef {import('../core/messages.js').Welcome} Welcome */

/**
 * @typedef {object} Transport
 * @property {(hello: Hello) => Promise<Welcome>} hello opens the conversation
 * @property {(auth: Auth) => Promise<Authenticated>} authenticate goes on with other credentials of the same user, or as
 *   before if they are not good; what is subscribed may end with the old ones
 * @property {(push: Push) => Promise<Ack>} push when this resolves, what the answer calls stored is durable
 * @property {(pull: Pull) => Promise<Page>} pull one page of the log
 * @property {(inquiry: Inquiry) => Promise<Reply>} ask what heals, answered by what `REPLIES` says
 * @property {(live: Live) => AsyncGenerator<Page>} subscribe pages from a cursor on, as they come
 * @property {(presence: Presence) => void} announce shows a presence, where the transport can
 * @property {(peers: PresentPeer[]) => void} [onPeers] is called with the presences of others
 * @property {() => void} probe something happened to the network: finds out soon whether the server is still there
 * @property {() => Promise<void>} close ends the conversation
 */

/**
 * The other end: whatever answers encoded requests.
 * @typedef {object} Answering
 * @property {(request: string) => Promise<string>} answer
 * @property {(live: Live) => AsyncIterable<string>} follow
 */

/** @implements {Transport} */
export class MemoryTransport {
  /** @param {Answering} peer */
  constructor(peer) {
    this._peer = peer
    this._isGreeted = false
  }

  /** @param {Hello} hello */
  async hello(hello) {
    const welcome = await this._answer(hello, 'welcome')
    this._isGreeted = true
    return welcome
  }

  /** @param {Auth} auth */
  authenticate(auth) {
    return this._ask(auth, 'authenticated')
  }

  /** @param {Push} push */
  push(push) {
    return this._ask(push, 'ack')
  }

  /** @param {Pull} pull */
  pull(pull) {
    return this._ask(pull, 'page')
  }

  /** @param {Inquiry} inquiry @returns {Promise<Reply>} */
  ask(inquiry) {
    return this._ask(inquiry, REPLIES[inquiry.type])
  }

  /** @param {Live} live */
  async *subscribe(live) {
    this._checkGreeted()
    for await (const page of this._peer.follow(live)) yield expect(decodeAnswer(page), 'page')
  }

  announce() {}

  probe() {}

  async close() {
    this._isGreeted = false
  }

  /** @template {import('../core/messages.js').Answer['type']} T @param {Auth | Push | Pull | Inquiry} request @param {T} type */
  async _ask(request, type) {
    this._checkGreeted()
    return this._answer(request, type)
  }

  /** @template {import('../core/messages.js').Answer['type']} T @param {import('../core/messages.js').Request} request @param {T} type */
  async _answer(request, type) {
    return expect(decodeAnswer(await this._peer.answer(encode(request))), type)
  }

  _checkGreeted() {
    if (!this._isGreeted) fail('hello_required', 'Say hello first.')
  }
}
