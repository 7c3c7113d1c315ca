// Over HTTP: one request for each message, and requests that wait for live pages. See memory.js for what a transport is.

import { fail } from '../errors.js'
import { REPLIES, decodeAnswer, encode, expect } from '../core/messages.js'
import { Requests, SILENCE_SECONDS } from './requests.js'

/** @typedef {import('../core/messages.js').Page} Page */

const PAGE_ENTRIES = 1_000
const WAIT_SECONDS = 25 // proxies give up a silent request after 30 or 60

export class HttpTransport {
  /** @param {string} url @param {{fetch?: typeof globalThis.fetch}} [options] */
  constructor(url, { fetch } = {}) {
    this._requests = new Requests(url, fetch)
    this._hello = ''
    this._user = ''
    /** Ends the request that waits for live pages. @type {AbortController | null} */
    this._waiting = null
    this._isRenewed = false
  }

  /** @param {import('../core/messages.js').Hello} hello */
  async hello(hello) {
    this._requests.open({ 'X-Tenant-ID': hello.space, 'X-Node-ID': hello.node })
    this._authorize(hello.token)
    this._hello = encode({ ...hello, token: null })
    const welcome = await this._greet()
    this._user = welcome.user
    return welcome
  }

  /** @param {string | null} token */
  _authorize(token) {
    if (token) this._requests.headers.Authorization = `Bearer ${token}`
  }

  async _greet() {
    return expect(decodeAnswer(await this._requests.ask('hello', this._hello)), 'welcome')
  }

  /** @param {import('../core/messages.js').Auth} auth @returns {Promise<import('../core/messages.js').Authenticated>} */
  async authenticate({ ref, token }) {
    const before = { ...this._requests.headers }
    try {
      this._authorize(token)
      const { user, time, expires } = await this._greet()
      if (user !== this._user) fail('user_mismatch', `These are credentials of ${user}, not of ${this._user}.`)
      this._isRenewed = this._waiting !== null
      this._waiting?.abort() // it came with the old credentials, and would end with them
      return { type: 'authenticated', ref, user, time, expires }
    } catch (error) {
      this._requests.headers = before
      throw error
    }
  }

  /** @param {import('../core/messages.js').Push} push */
  async push({ events }) {
    const text = await this._requests.ask('push', `{"events":${events}}`)
    return expect(decodeAnswer(`{"type":"ack",${text.trim().slice(1)}`), 'ack')
  }

  /** @param {import('../core/messages.js').Pull} pull */
  pull({ cursor, limit, items }) {
    return this._page(cursor, limit, items, 0)
  }

  /** @param {import('../core/messages.js').Inquiry} inquiry @returns {Promise<import('../core/messages.js').Reply>} */
  async ask(inquiry) {
    return expect(decodeAnswer(await this._requests.ask(inquiry.type, encode(inquiry))), REPLIES[inquiry.type])
  }

  /** @param {string | null} cursor @param {number} limit @param {readonly string[]} items @param {number} wait seconds */
  async _page(cursor, limit, items, wait) {
    const query = new URLSearchParams({ limit: String(limit) })
    if (cursor) query.set('since', cursor)
    if (items.length) query.set('items', items.join())
    if (wait) query.set('wait', String(wait))
    const controller = new AbortController()
    if (wait) this._waiting = controller
    try {
      const text = await this._requests.ask(`pull?${query}`, undefined, wait + SILENCE_SECONDS, controller)
      return expect(decodeAnswer(text), 'page')
    } finally {
      if (wait) this._waiting = null
    }
  }

  /** Ends at a time of the local clock, if one is given. @param {import('../core/messages.js').Live} live @returns {AsyncGenerator<Page>} */
  async *subscribe({ cursor, items }, untilMs = Infinity) {
    for (let wait = 0; Date.now() < untilMs; ) {
      const page = await this._page(cursor, PAGE_ENTRIES, items, wait).catch((error) => {
        if (!this._isRenewed) throw error
      })
      this._isRenewed = false
      if (!page) continue
      const { entries, late, forget } = page
      if (page.cursor !== cursor || entries.length || late.length || forget.length) yield page
      cursor = page.cursor
      wait = page.more ? 0 : WAIT_SECONDS
    }
  }

  /** Nobody is told of presences over HTTP. */
  announce() {}

  /** Live pages that are waited for are asked for anew: whether the server is there shows at once. */
  probe() {
    this._waiting?.abort()
  }

  async close() {
    this._requests.close()
  }
}
