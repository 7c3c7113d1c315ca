// Waiting that can be cut short, and turns.

/**
 * Resolves after some seconds, or when the signal is aborted.
 * @param {number} seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(seconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, seconds * 1000)
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
  })
}

/**
 * Resolves when a promise does, or after some seconds.
 * @param {number} seconds
 * @param {Promise<void>} done
 */
export async function within(seconds, done) {
  const waited = new AbortController()
  await Promise.race([done, pause(seconds, waited.signal)])
  waited.abort()
}

/** One after the other: `take` runs an action when all before it have ended. */
export class Turns {
  constructor() {
    /** @type {Promise<unknown>} */
    this._last = Promise.resolve()
  }

  /** @template T @param {() => Promise<T>} action @returns {Promise<T>} */
  take(action) {
    const result = this._last.then(action)
    this._last = result.catch(() => {})
    return result
  }
}

/** Something that happens now and then: `next` resolves at the first `ring` after the last `next` resolved. */
export class Bell {
  constructor() {
    this._isRung = false
    this._wake = () => {}
  }

  ring() {
    this._isRung = true
    this._wake()
  }

  async next() {
    if (!this._isRung) await new Promise((resolve) => (this._wake = () => resolve(null)))
    this._isRung = false
  }
}
