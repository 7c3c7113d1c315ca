// How two sets of events become one, as two ends say it to each other.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { MAX_FETCH_IDS, MAX_PUSH_EVENTS } from '../../src/core/limits.js'
import { Tree } from '../../src/core/merkle/tree.js'
import { nodeOf, summaryOf } from '../../src/core/merkle/nodes.js'
import { Peering, batches, checkEpochs, eventsFound, eventsOf, giveOf, sortedOut } from '../../src/core/peering.js'
import { Author, entry } from '../author.js'

/** @typedef {import('../../src/core/events.js').Event} Event */

class End {
  /** @param {readonly Event[]} events */
  constructor(events) {
    this.events = new Map(events.map((event) => [event.id, event]))
  }

  get tree() {
    return new Tree([...this.events.values()].map(({ id, digest }) => [id, digest]))
  }

  /** @param {any} step @param {number} most @returns {any} */
  answer(step, most) {
    if (step.type === 'merkle') {
      const summaries = this.tree.describe(step.summaries.map(nodeOf)).map(summaryOf)
      return { type: 'tree', ref: 0, seq: 0, root: this.tree.root, count: this.tree.count, summaries }
    }
    const found = step.ids.map((/** @type {string} */ id) => this.events.get(id)).filter(Boolean)
    return { type: 'found', ref: 0, entries: found.slice(0, most).map((/** @type {Event} */ each) => entry(0, each)), more: found.length > most }
  }
}

/** Until there is nothing left to do. @param {End} mine @param {End} theirs */
function run(mine, theirs, most = 10_000) {
  const peering = new Peering(mine.tree, { items: ['a*'], since: 7 })
  for (let step; (step = peering.next()); ) {
    if (step.type === 'share') for (const id of step.ids) theirs.events.set(id, /** @type {Event} */ (mine.events.get(id)))
    else for (const { event } of peering.receive(theirs.answer(step, most))) mine.events.set(event.id, event)
    if (step.type === 'merkle') assert.deepEqual([step.items, step.since], [['a*'], 7])
    if (step.type === 'fetch') assert.ok(step.ids.length <= MAX_FETCH_IDS)
  }
  assert.equal(peering.next(), null)
  return peering
}

const events = new Author().events(2_500)

test('equal sets are equal in one question', () => {
  assert.equal(run(new End(events), new End(events)).isEqual, true)
})

for (const [mine, theirs] of [[0, 2_500], [2_500, 0], [1_500, 1_600], [2_495, 9]]) {
  test(`both get what the other has: ${mine} and ${theirs}`, () => {
    const [one, other] = [new End(events.slice(0, mine)), new End(events.slice(events.length - theirs))]
    assert.equal(run(one, other, 700).isEqual, false)
    assert.equal(one.tree.root, other.tree.root)
    assert.equal(one.events.size, events.length)
  })
}

test('what nobody asked for is refused', () => {
  const peering = new Peering(new End([]).tree)
  const other = new End(events.slice(0, 2))
  peering.receive(other.answer(peering.next(), 9))
  assert.equal(peering.next()?.type, 'fetch')
  const found = (/** @type {Event[]} */ of, more = false) => /** @type {any} */ ({ type: 'found', ref: 0, entries: of.map((each) => entry(0, each)), more })
  assert.throws(() => peering.receive(found([events[3]])), { code: 'bad_request' })
  assert.throws(() => peering.receive(found([], true)), { code: 'bad_request' })
  assert.equal(peering.receive(found(events.slice(0, 2))).length, 2)
})

test('what is given is looked at as a server would, each event for itself', () => {
  const { entries } = giveOf(null, events.slice(0, 2))
  assert.deepEqual(eventsOf(entries), events.slice(0, 2).map((event) => eventsFound([entry(0, event)])[0]))
  const twice = entries.replace('"action":"update"', '"action":"update","action":"update"')
  assert.throws(() => eventsOf(twice), { code: 'bad_json' })
  const { events: good, errors } = sortedOut(eventsOf(entries.replace('"item":"task.1"', '"item":""')))
  assert.deepEqual([good.length, errors.map(({ code }) => code)], [1, ['invalid_event']])
  for (const wrong of ['{}', '[1]', '[{"seq":1}]', 'x']) assert.throws(() => eventsOf(wrong), { code: 'bad_request' })
})

test('as many go together as a message carries', () => {
  const sizes = [...batches(events)].map((batch) => batch.length)
  assert.deepEqual(sizes, [MAX_PUSH_EVENTS, MAX_PUSH_EVENTS, 500])
  assert.deepEqual([...batches(events.slice(0, 3), 1)].map((batch) => batch.length), [1, 1, 1])
})

test('two logs do not mix', () => {
  for (const [mine, theirs] of [[null, 'e'], ['e', null], ['e', 'e'], [null, '']]) checkEpochs(mine, theirs)
  assert.throws(() => checkEpochs('e', 'f'), { code: 'epoch_changed' })
})
