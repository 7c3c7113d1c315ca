// Signing in with a name and a password, and staying so: a source of tokens that are refreshed when due.
//
// A refresh token is used once. Where tabs share a storage they take turns, and who waited finds the new one there.

import { SynclineError, fail } from '../errors.js'
import { Requests } from '../transports/requests.js'
import { pause } from './waiting.js'

/**
 * What the server gave.
 * @typedef {{user: string, space: string | null, accessToken: string, expiresMs: number, refreshToken: string}} Grant
 */

/**
 * @typedef {object} Who
 * @property {string} server its URL; in a page it may be relative
 * @property {string} [space]
 * @property {string} [user]
 * @property {string} [password]
 * @property {string} [code] the second factor, if there is one
 * @property {string} [refreshToken] instead of a password: of a session that goes on
 * @property {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} [storage] where the session is kept, such as
 *   `localStorage`. Without user, password and refresh token the one that is there goes on
 * @property {typeof globalThis.fetch} [fetch]
 */

/** A source of tokens. @typedef {(() => Promise<string>) & {user: string, refused: () => void, signOut: () => Promise<void>}} SignIn */

const MARGIN_MS = 60_000 // a token that expires so soon is refreshed first
// How long a server's access token is taken to be valid, whatever the clocks of both say.
const LONGEST_MS = 600_000
const SHORTEST_MS = 120_000
const PAUSES_SECONDS = [0.2, 1] // within the 10 s in which a server repeats an answer that was lost

/**
 * Signs in; `open(name, { server, space, token: await signedIn(…) })`. Fails with invalid_credentials,
 * second_factor_required, too_many_attempts, unauthorized if a session has ended, or connection_lost.
 * @param {Who} who
 * @returns {Promise<SignIn>}
 */
export async function signedIn(who) {
  const session = new Session(who)
  const grant = await session.begin(who)
  const token = () => session.token()
  return Object.assign(token, { user: grant.user, refused: () => session.refused(), signOut: () => session.end() })
}

class Session {
  /** @param {Who} who */
  constructor({ server, space, storage, fetch }) {
    this._requests = new Requests(server, fetch)
    this._requests.open(space ? { 'X-Tenant-ID': space } : {})
    this._storage = storage
    this._key = `syncline:${this._requests.url}:${space ?? ''}`
    /** @type {Grant | null} */
    this._grant = null
    this._refused = ''
  }

  /** @param {Who} who */
  async begin({ user, password, code, refreshToken }) {
    if (user !== undefined) return this._keep(await this._ask('login', { user, password, code }))
    if (refreshToken === undefined) return this._read() ?? fail('unauthorized', 'Nobody is signed in.')
    return this._keep(await this._ask('refresh', { refresh_token: refreshToken }))
  }

  /** A token that is valid for a while. */
  async token() {
    const grant = this._read()
    if (grant && this._isGood(grant)) return grant.accessToken
    const { locks } = globalThis.navigator ?? {}
    const refreshed = await (locks ? locks.request(this._key, () => this._refresh()) : this._refresh())
    return refreshed.accessToken
  }

  /** The server did not take the token that was given last: it is not given again. */
  refused() {
    this._refused = this._read()?.accessToken ?? ''
  }

  async end() {
    const grant = this._read()
    this._forget()
    if (grant) await this._requests.ask('auth/logout', JSON.stringify({ refresh_token: grant.refreshToken }))
  }

  /** @param {Grant} grant */
  _isGood(grant) {
    return Date.now() < grant.expiresMs - MARGIN_MS && grant.accessToken !== this._refused
  }

  async _refresh() {
    const grant = this._read() ?? fail('unauthorized', 'Nobody is signed in any more.')
    if (this._isGood(grant)) return grant
    for (const seconds of [...PAUSES_SECONDS, null]) {
      try {
        return this._keep(await this._ask('refresh', { refresh_token: grant.refreshToken }))
      } catch (error) {
        if (!(error instanceof SynclineError && error.retryable) || seconds === null) throw this._judged(error)
        await pause(seconds)
      }
    }
    return grant
  }

  /** A session that has ended is forgotten. @param {unknown} error */
  _judged(error) {
    if (error instanceof SynclineError && !error.retryable) this._forget()
    return error
  }

  /** @param {string} verb @param {Record<string, any>} body @returns {Promise<Grant>} */
  async _ask(verb, body) {
    const found = JSON.parse(await this._requests.ask(`auth/${verb}`, JSON.stringify(body)))
    const lastsMs = Math.min(Math.max(found.expires_ms - Date.now(), SHORTEST_MS), LONGEST_MS)
    const { user, space, access_token: accessToken, refresh_token: refreshToken } = found
    return { user, space, accessToken, expiresMs: Date.now() + lastsMs, refreshToken }
  }

  // What is kept

  /** @returns {Grant | null} */
  _read() {
    return this._storage ? JSON.parse(this._storage.getItem(this._key) ?? 'null') : this._grant
  }

  /** @param {Grant} grant */
  _keep(grant) {
    this._storage?.setItem(this._key, JSON.stringify(grant))
    return (this._grant = grant)
  }

  _forget() {
    this._storage?.removeItem(this._key)
    this._grant = null
  }
}
