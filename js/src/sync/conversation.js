// One conversation of a replica with a server: the shell that carries out a `ClientSession`'s steps.

import { SynclineError, fail } from '../errors.js'
import { errorMessage } from '../core/messages.js'
import { retrySeconds } from '../core/session.js'
import { Turns, pause } from './waiting.js'

/** @typedef {import('../core/messages.js').Answer} Answer */
/** @typedef {import('../core/messages.js').Page} Page */
/** @typedef {import('../core/messages.js').Pull} Pull */
/** @typedef {import('../core/session.js').ClientSession} ClientSession */
/** @typedef {import('../core/session.js').Effect} Effect */
/** @typedef {import('../core/session.js').Notice} Notice */
/** @typedef {import('../core/session.js').Step} Step */
/** @typedef {import('./manager.js').Options} Options */
/** @typedef {import('./manager.js').SyncedReplica} SyncedReplica */
/** @typedef {import('../transports/memory.js').Transport} Transport */

const PENDING = 1_001 // more than one push takes

export class Conversation {
  /**
   * @param {SyncedReplica} replica
   * @param {Transport} transport
   * @param {Options} options
   * @param {ClientSession} session
   * @param {AbortSignal} signal stops it
   */
  constructor(replica, transport, options, session, signal) {
    this.session = session
    /** What was done since somebody last took note of it. */
    this.result = newResult()
    /** Until when the credentials are good, in milliseconds of the local clock; Infinity: they do not expire. */
    this.untilMs = Infinity
    this.onTold = () => {}
    this._replica = replica
    this._transport = transport
    this._options = options
    this._signal = signal
    this._turns = new Turns()
    /** A page that was asked for already. @type {{cursor: string, page: Promise<Page>} | null} */
    this._coming = null
  }

  /** Carries out the session's steps until it has none. Fails with what ends it before. */
  async run() {
    let refusals = 0
    for (let step; (step = await this._turns.take(() => this._next())); ) {
      if (this._signal.aborted) fail('connection_lost', 'Syncing was stopped meanwhile; sync again.')
      let answer
      try {
        answer = await this._carry(step)
        refusals = 0
      } catch (error) {
        if (!(error instanceof SynclineError)) throw error
        const { attempts, maxBackoffSeconds } = this._options
        const isTooMuch = ++refusals > attempts || retrySeconds(error) > maxBackoffSeconds
        if (error.code === 'rate_limited' && isTooMuch) throw error
        answer = errorMessage(error)
      }
      await this._receive(answer)
    }
    if (this.session.peer) await this._agree(this.session.peer)
  }

  /** There is no server at the other end: both replicas compare what they hold. @param {import('../core/messages.js').Welcome} peer */
  async _agree(peer) {
    const { agree } = await import('./peers.js')
    const { given, heard, errors } = await agree(/** @type {any} */ (this._replica), this._transport, peer, this._options.items)
    this.result.pushed += given
    this.result.pulled += heard
    this.result.errors.push(...errors)
  }

  /**
   * Once all is pulled: finds every other difference from the server's log, and mends it. What the log lacks makes the
   * replica go back to before that, so that it is given back as after any loss. Peers compare all in any case.
   */
  async heal() {
    if (this.session.peer) return
    const { heal } = await import('./healing.js')
    const { mended, isBehind } = await heal(/** @type {any} */ (this._replica), this._transport, this._options.items)
    this.result.mended += mended
    if (!isBehind) return
    const { pulled } = this.result
    this.session.caughtUp = false
    await this.run()
    this.result.pulled = pulled // the rest of it has come before
  }

  /**
   * Applies pages as they come. Resolves when the session has to begin anew; fails with what ends it. A peer sends none,
   * but calls.
   * @param {() => void} call
   */
  async follow(call) {
    if (this.session.peer) {
      const { follow } = await import('./peers.js')
      return follow(/** @type {any} */ (this._replica), this._transport, call)
    }
    const { cursor } = this._replica.local(0)
    try {
      for await (const page of this._transport.subscribe({ type: 'live', cursor, items: this._options.items })) {
        await this._receive(page)
      }
    } catch (error) {
      if (!(error instanceof SynclineError)) throw error
      await this._receive(errorMessage(error))
    }
  }

  /** @returns {Promise<Step | null>} */
  async _next() {
    for (;;) {
      const { session } = this
      const limit = session.wantsPending ? (session.holdsBack ? Infinity : PENDING) : 0
      const step = session.next(this._replica.local(limit))
      if (step?.type !== 'restamp') return step
      await this._replica.perform(step)
    }
  }

  /** @param {Step} step @returns {Promise<Answer>} */
  async _carry(step) {
    switch (step.type) {
      case 'hello': {
        const welcome = await this._transport.hello(step)
        this._replica.setConnection('syncing')
        return welcome
      }
      case 'push':
        return this._transport.push(step)
      case 'auth':
        return this._transport.authenticate(step)
      case 'give':
      case 'snapshot':
        return this._transport.ask(step)
    }
    return this._pull(step)
  }

  /** A page; if there are more, the next is asked for already, and arrives while this one is stored. @param {Pull} step */
  async _pull(step) {
    const coming = this._coming
    this._coming = null
    const page = await (coming && coming.cursor === step.cursor ? coming.page : this._transport.pull(step))
    if (page.more && !this.session.live) {
      const next = this._transport.pull({ ...step, cursor: page.cursor })
      next.catch(() => {}) // whoever wants it is told
      this._coming = { cursor: page.cursor, page: next }
    }
    return page
  }

  /** @param {Answer} answer */
  async _receive(answer) {
    const wait = await this._turns.take(() => this._take(answer))
    if (wait) await pause(wait, this._signal)
  }

  /** Carries out what an answer means; returns how many seconds to wait. @param {Answer} answer */
  async _take(answer) {
    let wait = 0
    const effects = this.session.receive(answer)
    if (answer.type === 'welcome' || answer.type === 'authenticated') this._noteExpiry()
    for (const effect of effects) {
      if (effect.type === 'wait') wait = effect.seconds
      else if (effect.type !== 'meet') {
        this._count(effect)
        await this._replica.perform(effect)
      }
    }
    return wait
  }

  _noteExpiry() {
    const { lastsMs } = this.session
    this.untilMs = lastsMs === null ? Infinity : Date.now() + lastsMs
    this.onTold()
  }

  /** @param {Effect} effect */
  _count(effect) {
    const { errors } = this.result
    if (effect.type === 'take') this.result.bases += effect.part.bases.length
    if (effect.type === 'apply') this.result.pulled += effect.page.entries.length + effect.page.late.length
    if (effect.type !== 'settle' && effect.type !== 'given') return
    for (const [, answer] of effect.answers) {
      if (typeof answer === 'number') this.result[effect.type === 'given' ? 'given' : 'pushed']++
      else errors.push(answer)
    }
    // that events could not be stored yet is told once for each reason: thousands may wait for the same
    const told = new Set(errors.map(({ code }) => code))
    for (const [code, error] of this.session.postponed) if (!told.has(code)) errors.push(error)
  }
}

/** What a sync did. @returns {import('./manager.js').SyncResult} */
export const newResult = () => ({ pushed: 0, pulled: 0, given: 0, bases: 0, mended: 0, errors: [], failure: null })
