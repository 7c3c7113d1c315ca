// The SyncManager: brings a replica and a server to agreement, once or live.

import { SynclineError } from '../errors.js'
import { ClientSession, retrySeconds } from '../core/session.js'
import { Conversation, newResult } from './conversation.js'
import { Credentials, isAboutCredentials } from './credentials.js'
import { keepValid } from './renewal.js'
import { Bell, Turns, pause, within } from './waiting.js'

/** @typedef {import('../core/session.js').Effect} Effect */
/** @typedef {import('../core/session.js').Local} Local */
/** @typedef {import('../transports/memory.js').Transport} Transport */
/** @typedef {import('./credentials.js').Token} Token */

/**
 * What is synced: a `Replica`, in the tab that leads.
 * @typedef {object} SyncedReplica
 * @property {(limit?: number) => Local} local
 * @property {(effect: Effect) => Promise<void>} perform
 * @property {() => Promise<void>} saved
 * @property {() => Promise<void>} keepAcks
 * @property {(state: string, error?: SynclineError | null) => void} setConnection
 * @property {() => {state: string, pending: number}} status
 * @property {(call: (status: {pending: number}) => void) => () => void} watchStatus
 */

/**
 * What one sync did: events the server stored, or had already; entries that arrived; entries that its log had lost, and
 * took back; items that came as they stood, without their history; entries that `heal` found to be missing here, or
 * otherwise in the log; refusals of single events, and last what ended the sync if it did not end well, which is
 * `failure`, too.
 * @typedef {{pushed: number, pulled: number, given: number, bases: number, mended: number,
 *   errors: SynclineError[], failure: SynclineError | null}} SyncResult
 */

/**
 * @typedef {object} Options
 * @property {string} space
 * @property {readonly string[]} items patterns; the server sends only these, none means all
 * @property {number} attempts how often one `sync` tries when errors are retryable
 * @property {number} backoffSeconds upper bound of the first pause after a retryable error; doubled each time
 * @property {number} maxBackoffSeconds
 * @property {boolean} history whether a new replica pulls all that has been, instead of how things stand
 * @property {number} giveSeconds while live, what others wrote and the server's log has lost is given back after a random
 *   part of these, if nobody else does; a `sync` that is asked for does not wait
 */

const PAGE_ENTRIES = 1_000 // so that storing a page is no long task
const HELD_SECONDS = 2 // how long items are held back, while live, whose events had a retryable answer
/** Only what is on the disk is pushed; a disk that is full is not waited for. */
export const SAVE_SECONDS = 2
const LONGEST_SECONDS = 3_600 // no server is left in peace for longer, whatever it asks for

export class SyncManager {
  /**
   * @param {SyncedReplica} replica
   * @param {Transport} transport
   * @param {Partial<Options> & {token?: Token, random?: () => number}} [options] `random`: numbers from [0, 1)
   */
  constructor(replica, transport, options = {}) {
    const { space = 'default', items = [], attempts = 3, backoffSeconds = 0.25, maxBackoffSeconds = 30 } = options
    const { giveSeconds = 30, history = true, token, random = Math.random } = options
    this.replica = replica
    this._transport = transport
    this._options = { space, items, attempts, backoffSeconds, maxBackoffSeconds, giveSeconds, history }
    this._credentials = new Credentials(token)
    this._random = random
    this._busy = new Turns()
    this._bell = new Bell()
    /** Those who asked to sync now, while live. @type {((result: SyncResult) => void)[]} */
    this._rounds = []
    this._isLive = false
    /** Stops what was started, even if it has ended because only a person can help. @type {AbortController | null} */
    this._automatic = null
    this._isStarted = false
    /** @type {Promise<void>} */
    this._ended = Promise.resolve()
    /** Cuts a pause short. */
    this._hurry = new AbortController()
    this._closing = new AbortController()
    /** @type {Set<(result: SyncResult) => void>} */
    this._callbacks = new Set()
  }

  // Once

  /** Pushes what is pending and pulls what is new. Errors are in the result, and nothing is lost by them. @returns {Promise<SyncResult>} */
  async sync() {
    await within(SAVE_SECONDS, this.replica.saved())
    return this._isLive ? this._nextRound() : this._busy.take(() => this._once())
  }

  /**
   * Syncs, and compares all that the replica holds with the server: what either lacks, it gets. It finds what no cursor
   * tells of. Where both hold an event and differ, the server's stands. What was started is interrupted.
   * @returns {Promise<SyncResult>}
   */
  async heal() {
    await within(SAVE_SECONDS, this.replica.saved())
    const isStarted = this._automatic !== null
    await this.stop()
    const result = await this._busy.take(() => this._once(true))
    if (isStarted) this.start()
    return result
  }

  async _once(heals = false) {
    const { attempts, maxBackoffSeconds } = this._options
    const { signal } = this._closing
    for (let attempt = 0; ; attempt++) {
      const { conversation, error } = await this._converse(signal, true, heals)
      const isLast = !error?.retryable || attempt === attempts - 1 || retrySeconds(error) > maxBackoffSeconds
      if (!isLast && !signal.aborted) {
        await pause(this._pauseSeconds(attempt, error), signal)
        continue
      }
      await this._hangUp()
      this._show(error)
      return this._report(conversation, error)
    }
  }

  /**
   * One conversation, up to where there is nothing more to say, or another one with a fresh token.
   * @param {AbortSignal} signal @param {boolean} [givesAll] @param {boolean} [heals]
   */
  async _converse(signal, givesAll = true, heals = false) {
    const { space, items, history } = this._options
    for (;;) {
      this.replica.setConnection('connecting')
      const session = new ClientSession({ space, items, pageEntries: PAGE_ENTRIES, givesAll, history })
      const conversation = new Conversation(this.replica, this._transport, this._options, session, signal)
      const error = await outcome(async () => {
        session.token = await this._credentials.ask()
        await conversation.run()
        if (heals) await conversation.heal()
      })
      if (signal.aborted || !this._credentials.mayHelp(error)) return { conversation, error }
    }
  }

  async _hangUp() {
    await this._transport.close()
    await outcome(() => this.replica.keepAcks())
  }

  /** @param {SynclineError | null} error */
  _show(error) {
    this.replica.setConnection(isAboutCredentials(error) ? 'needs_auth' : 'offline', error)
  }

  /** Closes the books of what a conversation did since the last report. @param {Conversation} conversation @param {SynclineError | null} [error] */
  _report(conversation, error = null) {
    const { result } = conversation
    conversation.result = newResult()
    if (error) result.errors.push(error)
    result.failure = error
    for (const call of this._callbacks) call(result)
    return result
  }

  /**
   * Full jitter: a random part of a bound that doubles with each attempt, after what the server asked for.
   * @param {number} attempt
   * @param {SynclineError | null} error
   */
  _pauseSeconds(attempt, error) {
    const { backoffSeconds, maxBackoffSeconds } = this._options
    const asked = error ? Math.min(retrySeconds(error), LONGEST_SECONDS) : 0
    return asked + this._random() * Math.min(maxBackoffSeconds, backoffSeconds * 2 ** attempt)
  }

  // Credentials

  /**
   * New credentials, after the status said `needs_auth` or before. What was started goes on with them at once. If they
   * are another user's, nothing is pushed or pulled, and the status says so.
   * @param {Token} token
   */
  async signIn(token) {
    this.use(token)
    if (this._automatic) {
      await this.stop()
      this.start()
    } else if (this.replica.status().state === 'needs_auth') this._show(null)
  }

  /** The same for what is begun from now on. @param {Token} token */
  use(token) {
    this._credentials = new Credentials(token)
  }

  // Live

  /** Calls back with the result of every sync, and of every exchange while live; returns the way to stop. @param {(result: SyncResult) => void} call */
  subscribe(call) {
    this._callbacks.add(call)
    return () => void this._callbacks.delete(call)
  }

  /** Stays live from now on. What only a person can help with ends it: see the status. */
  start() {
    if (this._isStarted) return
    this._isStarted = true
    this._automatic = new AbortController()
    this._ended = this._stayInSync(this._automatic.signal).then(() => void (this._isStarted = false))
  }

  /** Stops syncing; what was begun is finished by the next sync. */
  async stop() {
    const automatic = this._automatic
    if (!automatic) return
    this._automatic = null
    automatic.abort()
    this.nudge()
    await this._transport.close()
    await this._ended
    this._show(null)
  }

  /** The network came or went, or the page is looked at again: tries at once what waited, and whether the server is there. */
  nudge() {
    this._hurry.abort()
    if (this._isLive) this._transport.probe()
  }

  /** @param {AbortSignal} signal */
  async _stayInSync(signal) {
    for (let attempt = 0; !signal.aborted; attempt++) {
      let { error, wasLive } = await this._busy.take(() => this._live(signal))
      if (signal.aborted) return
      if (wasLive) {
        attempt = 0
        if (this._credentials.mayHelp(error)) error = null // the token expired meanwhile
      }
      this._show(error)
      if (error && !error.retryable) return
      await this._rest(attempt, error, signal)
    }
  }

  /** What the server asked for is kept; the rest of a pause may be cut short. @param {number} attempt @param {SynclineError | null} error @param {AbortSignal} signal */
  async _rest(attempt, error, signal) {
    const asked = error ? Math.min(retrySeconds(error), LONGEST_SECONDS) : 0
    await pause(asked, signal)
    this._hurry = new AbortController()
    if (!signal.aborted) await pause(this._pauseSeconds(attempt, null), this._hurry.signal)
  }

  /** One connection, for as long as it lasts: why it ended, and whether it ever was live. @param {AbortSignal} signal */
  async _live(signal) {
    if (signal.aborted) return { error: null, wasLive: false }
    this._isLive = true // from the first word on: whoever wants to sync meanwhile waits for the next exchange
    let { conversation, error } = await this._converse(signal, false)
    const wasLive = !error && !signal.aborted
    if (wasLive) {
      this._report(conversation)
      error = await this._stayLive(conversation)
    }
    this._isLive = false
    await this._hangUp()
    this._answerRounds(this._report(conversation, error))
    return { error, wasLive }
  }

  /** Applies pages as they come and pushes events as they are recorded. @param {Conversation} conversation */
  async _stayLive(conversation) {
    const { session } = conversation
    const ending = new AbortController()
    session.live = true
    this.replica.setConnection('live')
    const unwatch = this.replica.watchStatus(({ pending }) => pending && this._bell.ring())
    const following = outcome(() => conversation.follow(() => this._bell.ring())).then((error) => ({ error }))
    keepValid(conversation, this._credentials, () => this._bell.ring(), ending.signal)
    const error = await outcome(() => this._exchange(conversation, following, ending.signal))
    session.live = false
    unwatch()
    ending.abort()
    await this._transport.close()
    await following
    return error
  }

  /** @param {Conversation} conversation @param {Promise<{error: SynclineError | null}>} following @param {AbortSignal} signal */
  async _exchange(conversation, following, signal) {
    const { session } = conversation
    for (let isHolding = false, isWithholding = false; ; ) {
      if (this._rounds.length) {
        session.release() // somebody asked to sync now
        session.givesAll = true
      }
      await conversation.run()
      if (session.withholds && !isWithholding) {
        isWithholding = true
        void this._giveAll(session, signal).then(() => (isWithholding = false))
      }
      if (session.holdsBack && !isHolding) {
        isHolding = true
        void this._release(session, signal).then(() => (isHolding = false))
      }
      const { pushed, pulled, given, errors } = conversation.result
      if (this._rounds.length || pushed || pulled || given || errors.length) this._answerRounds(this._report(conversation))
      const ended = await Promise.race([following, this._bell.next()])
      if (ended?.error) throw ended.error
      if (ended) return
    }
  }

  /** What others have not given back meanwhile, this replica does. @param {ClientSession} session @param {AbortSignal} signal */
  async _giveAll(session, signal) {
    await pause(this._random() * this._options.giveSeconds, signal)
    session.givesAll = true
    this._bell.ring()
  }

  /** @param {ClientSession} session @param {AbortSignal} signal */
  async _release(session, signal) {
    await pause(Math.max(HELD_SECONDS, Math.min(session.heldSeconds, LONGEST_SECONDS)), signal)
    session.release()
    this._bell.ring()
  }

  /** While live: the result of the next exchange. @returns {Promise<SyncResult>} */
  _nextRound() {
    return new Promise((resolve) => {
      this._rounds.push(resolve)
      this._bell.ring()
    })
  }

  /** @param {SyncResult} result */
  _answerRounds(result) {
    const rounds = this._rounds
    this._rounds = []
    for (const resolve of rounds) resolve(result)
  }

  /** Stops syncing; the replica stays open. */
  async close() {
    this._closing.abort()
    await this.stop()
    await this._transport.close()
  }
}

/**
 * The error that ended some steps, if one did; a bug must not end syncing in silence.
 * @param {() => Promise<void>} steps
 */
async function outcome(steps) {
  try {
    await steps()
    return null
  } catch (error) {
    if (error instanceof SynclineError) return error
    console.error(error)
    return new SynclineError('internal', `Syncing failed on this side: ${error}`)
  }
}
