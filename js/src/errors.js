// Every error of Syncline. There is one class; `code` says which error it is, as on the wire and in the
// table of spec/PROTOCOL.md, and it never changes.

// The codes of requests that may succeed later, unchanged.
const RETRYABLE = new Set(
  ('request_timeout quota_exceeded too_many_attempts space_suspended connection_lost overloaded rate_limited ' +
    'too_many_connections too_many_presences issuer_unavailable store_unavailable shutting_down internal ' +
    'storage_full recovering').split(' '),
)

export class SynclineError extends Error {
  /**
   * @param {string} code
   * @param {string} [message] for people
   * @param {Record<string, any>} [details] further members of the error, such as `retry_after` (seconds)
   * @param {boolean} [retryable] whether the same may succeed later; a known code says so itself
   */
  constructor(code, message = code, details = {}, retryable = RETRYABLE.has(code)) {
    super(message)
    this.name = 'SynclineError'
    this.code = code
    this.details = details
    this.retryable = retryable
  }

  /** The error as a JSON object: code, message, retryable and its details. @returns {Record<string, any>} */
  toWire() {
    return { code: this.code, message: this.message, retryable: this.retryable, ...this.details }
  }
}

/**
 * Throws.
 * @param {string} code
 * @param {string} [message]
 * @param {Record<string, any>} [details]
 * @returns {never}
 */
export function fail(code, message, details) {
  throw new SynclineError(code, message, details)
}

/**
 * The error of an error object of the wire (see `toWire`). An unknown code counts as it says itself.
 * @param {Record<string, any>} wire
 */
export function fromWire({ code = 'error', message = '', retryable = false, ...details }) {
  return new SynclineError(String(code), String(message), details, RETRYABLE.has(code) || Boolean(retryable))
}
