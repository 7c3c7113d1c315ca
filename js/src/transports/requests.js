// Requests over HTTP, each with a deadline. The one place that fetches.

import { SynclineError, fail, fromWire } from '../errors.js'
import { PING_SECONDS, PONG_SECONDS } from '../core/limits.js'

/** A server that sends nothing for so long is gone. */
export const SILENCE_SECONDS = PING_SECONDS + PONG_SECONDS

/** @param {[string, RequestInit]} request */
const platformFetch = (...request) => globalThis.fetch(...request)

/**
 * The server's URL without a slash at its end; in a page it may be relative. Fails with bad_settings.
 * @param {string} url
 */
export function baseOf(url) {
  try {
    return new URL(url, globalThis.location?.href).href.replace(/\/+$/, '')
  } catch {
    return fail('bad_settings', `server: ${url} is not a URL.`)
  }
}

/** Requests to one server, with the same headers. They fail with the server's error, or connection_lost. */
export class Requests {
  /** @param {string} url @param {typeof platformFetch} [fetch] */
  constructor(url, fetch = platformFetch) {
    this.url = baseOf(url)
    /** @type {Record<string, string>} */
    this.headers = {}
    this._fetch = fetch
    /** Those under way; null: closed. @type {Set<AbortController> | null} */
    this._underWay = null
  }

  /** @param {Record<string, string>} headers */
  open(headers) {
    this.headers = headers
    this._underWay ??= new Set()
  }

  /**
   * The text of a successful answer.
   * @param {string} path
   * @param {string} [body] JSON; with one it is a POST
   * @param {number} [seconds] that the answer may take
   * @param {AbortController} [controller] ends it
   */
  async ask(path, body, seconds = SILENCE_SECONDS, controller = new AbortController()) {
    const headers = body === undefined ? this.headers : { ...this.headers, 'Content-Type': 'application/json' }
    const underWay = this._underWay ?? fail('hello_required', 'Say hello first.')
    underWay.add(controller)
    const timer = setTimeout(() => controller.abort(), seconds * 1000)
    try {
      const method = body === undefined ? 'GET' : 'POST'
      const init = { method, headers, body, signal: controller.signal, cache: /** @type {const} */ ('no-store') }
      const response = await this._fetch(`${this.url}/v1/${path}`, init)
      const text = await response.text()
      if (!response.ok) throw problemOf(response.status, text)
      return text
    } catch (error) {
      throw error instanceof SynclineError ? error : new SynclineError('connection_lost', `${this.url} cannot be reached.`)
    } finally {
      clearTimeout(timer)
      underWay.delete(controller)
    }
  }

  /** Ends what is under way; it fails with connection_lost. */
  close() {
    for (const controller of this._underWay ?? []) controller.abort()
    this._underWay = null
  }
}

/** The error of a problem document, or of an answer that is none (from a proxy, say). @param {number} status @param {string} text */
function problemOf(status, text) {
  try {
    const { type: _, title, status: __, detail, ...error } = JSON.parse(text)
    if (typeof error.code === 'string') return fromWire({ message: detail, ...error })
  } catch {
    // whoever it was, it did not judge the request
  }
  return new SynclineError('internal', `The server (or a proxy before it) answered with HTTP status ${status}.`)
}
