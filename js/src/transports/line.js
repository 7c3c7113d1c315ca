// A conversation over a line: messages as texts in both directions, answers found by their refs, and a heartbeat that
// notices another end which vanished in silence. What carries the texts is said by subclasses.

import { SynclineError, fail } from '../errors.js'
import { PING_SECONDS, PONG_SECONDS } from '../core/limits.js'
import { REPLIES, decodeAnswer, encode, errorOf, expect } from '../core/messages.js'

/** @typedef {import('../core/messages.js').Answer} Answer */
/** @typedef {import('../core/messages.js').Page} Page */
/** @typedef {import('../core/messages.js').Request} Request */

/**
 * What carries texts: a WebSocket, or what looks like one.
 * @typedef {object} Wire
 * @property {(text: string) => void} send
 * @property {() => void} close
 * @property {((event: any) => void) | null} onmessage is called with a text as `data`
 * @property {((event: any) => void) | null} onclose
 * @property {((event: any) => void) | null} onerror
 */

export class LineTransport {
  constructor() {
    /** @type {Line | null} */
    this._line = null
    /** @type {(peers: import('../core/messages.js').Peer[]) => void} */
    this.onPeers = () => {}
  }

  /** An open wire to the other end. @abstract @returns {Promise<Wire>} */
  _connect() {
    throw new TypeError()
  }

  /** @param {import('../core/messages.js').Hello} hello */
  async hello(hello) {
    await this.close()
    this._line = new Line(await this._connect(), (peers) => this.onPeers(peers))
    return this._line.ask(hello, 'welcome')
  }

  /** @param {import('../core/messages.js').Auth} auth */
  async authenticate(auth) {
    return this._open().ask(auth, 'authenticated')
  }

  /** @param {import('../core/messages.js').Push} push */
  async push(push) {
    return this._open().ask(push, 'ack')
  }

  /** @param {import('../core/messages.js').Pull} pull */
  async pull(pull) {
    return this._open().ask(pull, 'page')
  }

  /** @param {import('../core/messages.js').Inquiry} inquiry @returns {Promise<import('../core/messages.js').Reply>} */
  async ask(inquiry) {
    return this._open().ask(inquiry, REPLIES[inquiry.type])
  }

  /** @param {import('../core/messages.js').Live} live @returns {AsyncGenerator<Page, never>} */
  async *subscribe(live) {
    const line = this._open()
    line.send(live)
    for (;;) yield await line.nextPage()
  }

  /** @param {import('../core/messages.js').Presence} presence */
  announce(presence) {
    this._open().send(presence)
  }

  probe() {
    this._line?.probe()
  }

  async close() {
    this._line?.end(lost())
    this._line = null
  }

  _open() {
    return this._line ?? fail('hello_required', 'Say hello first.')
  }
}

const SILENT = 'The server has gone silent.'
const lost = (why = 'The server ended the connection.') => new SynclineError('connection_lost', why)

let lastRef = 0 // of all lines: a channel may bring what another conversation was late for

/** An open connection: answers go to who asked, pages to who follows, and silence ends it. */
class Line {
  /** @param {Wire} socket @param {(peers: import('../core/messages.js').Peer[]) => void} onPeers */
  constructor(socket, onPeers) {
    this._socket = socket
    this._onPeers = onPeers
    /** Who waits for which answer, by ref. @type {Map<number, {resolve: (answer: Answer) => void, reject: (error: Error) => void}>} */
    this._asked = new Map()
    /** What nobody has taken yet, in order. @type {(Page | SynclineError)[]} */
    this._pages = []
    this._wake = () => {}
    this._heard = this._said = Date.now()
    /** @type {SynclineError | null} */
    this._failure = null
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._beat = undefined
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._probing = undefined
    this._wait()
    socket.onmessage = ({ data }) => this._receive(data)
    socket.onclose = socket.onerror = () => this.end(lost())
  }

  /**
   * Sends a request and waits for its answer.
   * @template {Answer['type']} T
   * @param {Request} request
   * @param {T} type
   */
  async ask(request, type) {
    const ref = request.type === 'hello' ? 0 : ++lastRef
    const answer = new Promise((resolve, reject) => this._asked.set(ref, { resolve, reject }))
    try {
      this.send(ref ? /** @type {Request} */ ({ ...request, ref }) : request)
      return expect(/** @type {Answer} */ (await answer), type)
    } finally {
      this._asked.delete(ref)
    }
  }

  /** @param {Request} message */
  send(message) {
    if (this._failure) throw this._failure
    this._socket.send(encode(message))
    this._said = Date.now()
  }

  /** The next page of the subscription. @returns {Promise<Page>} */
  async nextPage() {
    while (!this._pages.length) {
      if (this._failure) throw this._failure
      await new Promise((resolve) => (this._wake = () => resolve(null)))
    }
    const page = /** @type {Page | SynclineError} */ (this._pages.shift())
    if (page instanceof SynclineError) throw page
    return page
  }

  /** @param {any} data */
  _receive(data) {
    this._heard = Date.now()
    clearTimeout(this._probing)
    try {
      this._take(decodeAnswer(data))
    } catch (error) {
      this.end(/** @type {SynclineError} */ (error))
    }
  }

  /** @param {Answer} answer */
  _take(answer) {
    const { type } = answer
    if (type === 'ping') this.send({ type: 'pong', ref: answer.ref })
    else if (type === 'peers') this._onPeers(answer.peers)
    else if (type === 'page' && answer.ref === null) this._follow(answer)
    else if (type === 'error' && answer.ref === null && !this._asked.has(0)) this._follow(errorOf(answer))
    else this._asked.get(type === 'welcome' ? 0 : answer.ref ?? 0)?.resolve(answer)
  }

  /** @param {Page | SynclineError} page */
  _follow(page) {
    this._pages.push(page)
    this._wake()
  }

  _wait() {
    this._beat = setTimeout(() => this._checkSilence(), PING_SECONDS * 500)
  }

  _checkSilence() {
    const now = Date.now()
    const silence = now - this._heard
    if (silence > (PING_SECONDS + PONG_SECONDS) * 1000) return this.end(lost(SILENT))
    // whoever only reads has to be heard, too
    if (Math.max(silence, now - this._said) > PING_SECONDS * 1000) this.send({ type: 'ping', ref: 0 })
    this._wait()
  }

  probe() {
    if (this._failure) return
    this.send({ type: 'ping', ref: 0 })
    clearTimeout(this._probing)
    this._probing = setTimeout(() => this.end(lost(SILENT)), PONG_SECONDS * 1000)
  }

  /** Ends the connection; who waits for something is told why. @param {SynclineError} error */
  end(error) {
    if (this._failure) return
    this._failure = error
    clearTimeout(this._beat)
    clearTimeout(this._probing)
    for (const { reject } of this._asked.values()) reject(error)
    this._wake()
    this._socket.onclose = this._socket.onmessage = null
    this._socket.onerror = () => {}
    this._socket.close()
  }
}
