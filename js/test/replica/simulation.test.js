// Tabs in a simulation, each with what it derives of the log by its hooks alone.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { KEYS } from '../../src/stores/store.js'
import { Mirror } from './mirror.js'
import { Simulation } from './simulation.js'

/** @typedef {import('../../src/core/events.js').Event} Event */
/** @typedef {import('../../src/stores/store.js').Store} Store */
/** @typedef {import('./simulation.js').Tab} Tab */

const SEEDS = Number(process.env.SEEDS ?? 100)

class Log extends Simulation {
  /** What tabs recorded, by replica. @type {Map<Mirror, number[]>} */
  recorded = new Map()
  /** What a tab was told is on the disk. @type {Set<number>} */
  durable = new Set()
  /** What somebody dropped. @type {Set<number>} */
  gone = new Set()
  erases = !this.dice.below(2)

  /** @param {Store} store @param {import('../../src/replica/index.js').Sources} sources */
  make(store, sources) {
    return new Mirror(store, sources)
  }

  /** @param {Tab} tab */
  edit({ replica }) {
    const item = this.dice.choose(['a', 'b', 'c'])
    const named = replica.onTheirWay().filter((/** @type {Event} */ event) => event.item === item).map((/** @type {Event} */ { id }) => id)
    const ops = named.length && this.dice.below(2) ? [{ op: 'x', over: [this.dice.choose(named)] }] : undefined
    const count = 1 + this.dice.below(2)
    const drafts = Array.from({ length: count }, () => ({ item, action: 'update', ops, payload: ++this.count }))
    const recorded = this.recorded.get(replica) ?? []
    this.recorded.set(replica, recorded)
    for (const { payload } of replica.recordMany(drafts, { together: !this.dice.below(4) })) recorded.push(payload)
    const now = [...recorded]
    void replica.saved().then(() => now.forEach((payload) => this.durable.add(payload)))
  }

  /** Another user writes, an administrator erases, and somebody has offered again what was not believed. */
  others() {
    const { log } = this.server
    const people = log.map(({ event }) => event).filter(({ item, isErased }) => item[0] !== '.' && !isErased)
    if (this.erases && people.length && !this.dice.below(3)) this.server.erase([this.dice.choose(people)])
    else if (this.tabs.length && !this.dice.below(3)) void this.dice.choose(this.tabs).replica.offerAgain().catch(() => {})
    else this.server.hear(this.dice.choose(['a', 'b', 'c']), ++this.count)
  }

  /** @param {Event} event */
  refuses(event) {
    return event.payload % 25 === 7
  }

  /** @param {Tab} tab */
  drop(tab) {
    const dropped = super.drop(tab)
    if (dropped) this.gone.add(dropped.payload)
    return dropped
  }

  /** @param {any} replica */
  compare(replica) {
    assert.deepEqual(replica.told, replica.seen)
    for (const { event } of replica.store.log) if (typeof event.payload === 'number') this.durable.add(event.payload)
  }

  /** What a tab that lives has recorded, or that was durable, is there once. @param {Store} fresh */
  async finish(fresh) {
    const log = (await fresh.entries()).map(({ event }) => event)
    const outbox = [...fresh.outbox.values()].map(({ event }) => event)
    const behind = this.server.log.map(({ event }) => event).filter(({ id }) => ![...log, ...outbox].some((each) => each.id === id))
    const payloads = [...log, ...outbox, ...behind].map(({ payload }) => payload).filter(Number.isInteger).sort((a, b) => a - b)
    assert.deepEqual(payloads, [...new Set(payloads)], 'nothing is there twice')
    const there = new Set(payloads)
    const expected = new Set([...this.durable, ...this.tabs.flatMap(({ replica }) => this.recorded.get(replica) ?? [])])
    const erased = new Set([...this.server.erased.values()].map(({ payload }) => payload))
    const lost = [...expected].filter((payload) => !there.has(payload) && !this.gone.has(payload) && !erased.has(payload))
    assert.deepEqual(lost, [], 'nothing is lost')
    await this.checkErased(fresh, log)
  }

  /** What was erased, as far as is known here, is not on the disk. @param {Store} fresh @param {Event[]} log */
  async checkErased({ _disk: disk }, log) {
    const ids = log.filter(({ action }) => action === '.erase').flatMap(({ payload }) => payload.events)
    const rows = JSON.stringify(await disk.run((tx) => Promise.all(Object.keys(KEYS).map((name) => tx.all(name))), 'read'))
    for (const id of ids) {
      const payload = this.server.erased.get(id)?.payload
      assert.ok(!new RegExp(`payload\\\\*":${payload}\\b`).test(rows), `${payload} was erased`)
    }
  }
}

for (let seed = 1; seed <= SEEDS; seed++) test(`tabs, seed ${seed}`, () => new Log(seed).run())
