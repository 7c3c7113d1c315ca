// Tabs in a simulation, each with what it derives of the log by its hooks alone.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Mirror } from './mirror.js'
import { Simulation } from './simulation.js'

/** @typedef {import('../../src/core/events.js').Event} Event */
/** @typedef {import('../../src/stores/store.js').Store} Store */
/** @typedef {import('./simulation.js').Tab} Tab */

const SEEDS = Number(process.env.SEEDS ?? 40)

class Log extends Simulation {
  /** What tabs recorded, by replica. @type {Map<Mirror, number[]>} */
  recorded = new Map()
  /** What a tab was told is on the disk. @type {Set<number>} */
  durable = new Set()
  /** What somebody dropped. @type {Set<number>} */
  gone = new Set()

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
  }

  /** What a tab that lives has recorded, or that was durable, is there once. @param {Store} fresh */
  async finish(fresh) {
    const log = (await fresh.entries()).map(({ event }) => event)
    const outbox = [...fresh.outbox.values()].map(({ event }) => event)
    const behind = this.server.log.map(({ event }) => event).filter(({ id }) => ![...log, ...outbox].some((each) => each.id === id))
    const payloads = [...log, ...outbox, ...behind].map(({ payload }) => payload).sort((a, b) => a - b)
    assert.deepEqual(payloads, [...new Set(payloads)], 'nothing is there twice')
    const there = new Set(payloads)
    const expected = new Set([...this.durable, ...this.tabs.flatMap(({ replica }) => this.recorded.get(replica) ?? [])])
    assert.deepEqual([...expected].filter((payload) => !there.has(payload) && !this.gone.has(payload)), [], 'nothing is lost')
  }
}

for (let seed = 1; seed <= SEEDS; seed++) test(`tabs, seed ${seed}`, () => new Log(seed).run())
