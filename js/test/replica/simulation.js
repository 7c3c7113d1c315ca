// Several tabs of one replica, with everything that may go wrong between them, their disk and their server.

import assert from 'node:assert/strict'
import { mock } from 'node:test'

import { ClientSession } from '../../src/core/session.js'
import { fail } from '../../src/errors.js'
import { Store } from '../../src/stores/store.js'
import { START_MS } from '../author.js'
import { Dice } from '../dice.js'
import { Browser } from './browser.js'
import { Server } from './server.js'

/** @typedef {import('../../src/core/events.js').Event} Event */
/** @typedef {import('../../src/replica/index.js').Replica} Replica */

const STEPS = 500
const PASSING = ['storage_full', 'store_damaged', 'connection_lost']

/** @typedef {{ tab: number, replica: any, busy: boolean, session: ClientSession | null }} Tab */

/** Tabs whose replicas derive something by the hooks. Subclasses say what. */
export class Simulation {
  /** @param {number} seed */
  constructor(seed) {
    this.dice = new Dice(seed)
    this.browser = new Browser(this.dice)
    this.server = new Server({
      now: () => this.ms,
      refuses: (event) => this.refuses(event),
      pageEntries: () => 1 + this.dice.below(9),
    })
    /** Whether the clocks of tabs are an hour ahead of the server's. */
    this.isAhead = false
    /** @type {Tab[]} */
    this.tabs = []
    this.count = 0
    /** @type {unknown[]} */
    this.wrong = []
    this.ms = START_MS
    this.loss = this.dice.below(3) ? 0 : 0.3
    this.browser.breaks = this.dice.below(3) ? 0 : 0.1
    this.restores = this.dice.below(2)
    this.losesKeys = !this.dice.below(3)
    /** Whether there is room, and time: more comes to a server then, for it to lose. */
    this.isCalm = !this.dice.below(2)
  }

  async open() {
    const opening = this.browser.open()
    const { tab, tabs, store } = await opening
    const random = () => this.dice.below(2 ** 32)
    const nowMs = () => (this.ms += this.dice.below(3)) + (this.isAhead ? 3_600_000 : 0)
    const replica = this.make(store, { tabs, random, nowMs, user: 'ann' })
    this.tabs.push({ tab, replica, busy: false, session: null })
  }

  /**
   * A replica of these.
   * @abstract
   * @param {Store} _store @param {import('../../src/replica/index.js').Sources} _sources
   * @returns {Replica}
   */
  make(_store, _sources) {
    throw new TypeError()
  }

  /** Something is recorded. @abstract @param {Tab} _tab */
  edit(_tab) {}

  /** Whether a server refuses an event. @param {Event} event */
  refuses({ id }) {
    return parseInt(id.slice(-2), 16) % 25 === 7
  }

  /** Checks what a replica derives. @abstract @param {Replica} _replica */
  compare(_replica) {}

  /** Checks what all have at the end. @abstract @param {Store} _fresh opened anew */
  async finish(_fresh) {}

  /** What the tab that leads says to the server next. @param {Tab} tab */
  async talk(tab) {
    tab.busy = true
    try {
      const session = tab.session ?? (await this.begin(tab))
      await this.converse(tab.replica, session)
    } catch (error) {
      tab.session = null
      if (!PASSING.includes(/** @type {any} */ (error).code)) throw error
    }
    tab.busy = false
  }

  /** A new conversation, after the end of another. @param {Tab} tab */
  async begin(tab) {
    await tab.replica.keepAcks()
    tab.session = new ClientSession({ space: 's', batchSize: 1 + this.dice.below(4) })
    return tab.session
  }

  /** @param {Replica} replica @param {ClientSession} session */
  async converse(replica, session) {
    const die = this.dice.below(40)
    if (die === 0) fail('connection_lost')
    if (die < 4) return replica.settle()
    const [first] = replica.local(1).pending
    if (die === 4 && first) return replica.perform({ type: 'mark_copied', event: first })
    const step = session.next(replica.local())
    if (step?.type === 'restamp') return replica.perform(step)
    if (!step) {
      session.release()
      session.caughtUp = false
      return
    }
    const answer = this.server.answer(step, session._pushed)
    if (die === 5) fail('connection_lost')
    for (const effect of session.receive(answer)) {
      await replica.perform(/** @type {any} */ (effect))
      for (const { event } of replica.refused()) this.server.refused.add(event.id)
    }
  }

  async step() {
    const die = this.dice.below(100)
    const tab = this.tabs.length ? this.dice.choose(this.tabs) : null
    if (!tab || (die < 4 && this.tabs.length < 4)) await this.open()
    else if (die < 6) this.kill(tab)
    else if (die < 9) this.browser.isFull = !this.isCalm && !this.dice.below(3)
    else if (die < 11) mock.timers.tick(200)
    else if (die < 12) mock.timers.tick(11_000)
    else if (die < 13 && this.restores && this.server.log.length) this.restore()
    else if (die < 14) this.isAhead = !this.dice.below(4)
    else if (die < 15) this.drop(tab)
    else if (die < 27) this.edit(tab)
    else if (die < 30) this.others()
    else if (die < 50) this.lead()
    else await this.browser.happen({ loss: this.loss })
    for (let more = this.isCalm ? 4 : 0; more--; ) await this.browser.happen({ loss: this.loss })
    await new Promise(setImmediate)
    this.check()
  }

  /** Somebody else does something. */
  others() {}

  /** The server comes back with an older copy of its log; so all conversations end. */
  restore() {
    this.server.restore(this.dice.below(this.server.log.length), this.losesKeys && !this.dice.below(3))
    for (const tab of this.tabs) tab.session = null
  }

  lead() {
    const leader = this.tabs.find(({ replica, busy }) => replica.status().isLeader && !busy)
    if (leader) void this.talk(leader).catch((error) => this.wrong.push(error))
  }

  /** @param {Tab} tab */
  kill(tab) {
    this.tabs = this.tabs.filter((each) => each !== tab)
    this.browser.kill(tab.tab)
    clearInterval(tab.replica._ticking)
  }

  /** @param {Tab} tab */
  drop({ replica }) {
    const [first] = replica.refused()
    if (first) replica.drop(first.event.id)
    return first?.event
  }

  check() {
    if (this.wrong.length) throw this.wrong[0]
    for (const { replica } of this.tabs) {
      this.compare(replica)
      const mine = replica.onTheirWay().filter((/** @type {Event} */ event) => event.node === replica.node)
      for (const [place, event] of mine.entries()) {
        if (place) assert.ok(mine[place - 1].id < event.id && mine[place - 1].n < event.n, 'ids and n rise')
      }
    }
  }

  /** All is delivered, the disk has room, and everybody says what they have. */
  async end() {
    this.browser.isFull = false
    this.browser.breaks = 0
    if (!this.tabs.length) await this.open()
    for (let round = 0; round < 6; round++) {
      await this.browser.settle()
      mock.timers.tick(11_000)
      await this.browser.settle()
      mock.timers.tick(200)
      await this.browser.settle()
      this.check()
    }
    const fresh = await Store.open(this.browser.disk)
    for (const { replica } of this.tabs) {
      const told = (/** @type {Store} */ { state, outbox, log, documents }) =>
        JSON.parse(JSON.stringify([state, [...outbox], log, [...documents.values()].sort((a, b) => (a.item < b.item ? -1 : 1))]))
      assert.deepEqual(told(replica.store), told(fresh))
      assert.equal(replica.status().unsaved, 0)
    }
    await this.finish(fresh)
  }

  /** Lives as long as a test does. */
  async run() {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
    try {
      for (let step = 0; step < STEPS; step++) await this.step()
      await this.end()
    } finally {
      mock.timers.reset()
    }
  }
}
