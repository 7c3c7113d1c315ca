// By what right a replica syncs: a token, or a function that is asked for a fresh one.

/** @typedef {import('../errors.js').SynclineError} SynclineError */

/**
 * A token (an API key, or what a login gave), or a function that returns a fresh one, which may be async. It is asked at
 * the beginning of each conversation, before its token expires, and once more when its token was refused (then its
 * `refused` is called before).
 * @typedef {string | null | undefined} Given
 * @typedef {Given | ((() => Given | Promise<Given>) & {refused?: () => void})} Token
 */

const UNAUTHORIZED = ['unauthorized', 'token_expired', 'token_reused', 'invalid_credentials', 'second_factor_required']

/** What one manager says of itself to its server. */
export class Credentials {
  /** @param {Token} token */
  constructor(token) {
    this.token = token
    this._wasRefused = false
  }

  /** Whether there is somebody to ask for another token. */
  get mayChange() {
    return typeof this.token === 'function'
  }

  /** The token for the next conversation. Fails as its function does. @returns {Promise<string | null>} */
  async ask() {
    const { token } = this
    return (typeof token === 'function' ? await token() : token) ?? null
  }

  /**
   * Whether to ask again at once, after a conversation that ended so: a token may have expired, but not twice.
   * @param {SynclineError | null} error
   */
  mayHelp(error) {
    const { token } = this
    this._wasRefused = typeof token === 'function' && !this._wasRefused && isUnauthorized(error)
    if (this._wasRefused && typeof token === 'function') token.refused?.()
    return this._wasRefused
  }
}

/** @param {SynclineError | null} error */
const isUnauthorized = (error) => error !== null && UNAUTHORIZED.includes(error.code)

/**
 * Whether only other credentials can help: those of somebody, or those of whose replica this is.
 * @param {SynclineError | null} error
 */
export const isAboutCredentials = (error) => isUnauthorized(error) || error?.code === 'user_mismatch'
