import assert from 'node:assert/strict'
import { test } from 'node:test'

import { decodeEvents } from '../../src/core/batch.js'
import { Entry, Event, decodeEntries } from '../../src/core/events.js'
import { SynclineError } from '../../src/errors.js'

const VALUE = {
  action: 'create',
  clock: { n1: 7 },
  id: '018bcfe5-6800-7001-99da-e2ee00000000',
  item: 'task.milk',
  node: 'n1',
}

test('an event is made of fields in any order, and what is undefined is absent', () => {
  const event = Event.of({ payload: { b: 1, a: 2 }, ...VALUE, user: 'ann', meta: undefined })
  const [head, tail] = ['{"action":"create","clock":{"n1":7},', '"id":"018bcfe5-6800-7001-99da-e2ee00000000",']
  assert.equal(event.body, head + tail + '"item":"task.milk","node":"n1","payload":{"a":2,"b":1},"user":"ann"}')
  assert.equal(event.n, 7)
  assert.equal(event.tx, undefined)
  assert.equal(Event.of({ ...VALUE, meta: { tx: 't' } }).tx, 't')
})

test('what an app can get wrong is refused', () => {
  /** @type {[any, string][]} */
  const refused = [
    [{ item: '' }, 'invalid_event'],
    [{ item: 'a b' }, 'invalid_event'],
    [{ item: 'a\n' }, 'invalid_event'],
    [{ item: 'a'.repeat(257) }, 'invalid_event'],
    [{ action: 'a'.repeat(129) }, 'invalid_event'],
    [{ meta: { mood: 'x' } }, 'invalid_event'],
    [{ meta: { group: '' } }, 'invalid_event'],
    [{ meta: { group: 1 } }, 'invalid_event'],
    [{ meta: { schema: -1 } }, 'invalid_event'],
    [{ payload: NaN }, 'number_out_of_range'],
    [{ payload: '€'.repeat(22_000) }, 'event_too_large'],
    [{ payload: JSON.parse('['.repeat(64) + ']'.repeat(64)) }, 'too_deep'],
  ]
  for (const [fields, code] of refused) assert.throws(() => Event.of({ ...VALUE, ...fields }), { code })
  Event.of({ ...VALUE, meta: { schema: 0 }, payload: JSON.parse('['.repeat(63) + ']'.repeat(63)) })
  Event.of({ ...VALUE, meta: { schema: 'v1', group: '😀'.repeat(256) }, payload: 'x'.repeat(60_000) })
})

test('fields of a newer version are part of the body', () => {
  const event = new Event(JSON.parse(JSON.stringify({ ...VALUE, mood: 'good' })))
  assert.match(event.body, /"item":"task.milk","mood":"good","node"/)
})

test('entries are stored as JSON', () => {
  const entry = new Entry(3, 1_700_000_000_000, 'r', Event.of(VALUE))
  const [read] = decodeEntries(JSON.stringify([entry]))
  assert.deepEqual({ ...read, event: read.event.body }, { ...entry, event: entry.event.body })
})

test('each event of a push is judged on its own', () => {
  const other = { ...VALUE, id: '018bcfe5-6800-7002-99da-e2ee00000000' }
  const deep = JSON.stringify({ ...VALUE, payload: 1 }).replace('1}', '['.repeat(66) + ']'.repeat(66) + '}')
  const found = decodeEvents(`[ ${JSON.stringify(VALUE)}, {"a,]":1},${deep} ,${JSON.stringify(other)} ]`)
  assert.deepEqual(
    found.map((each) => (each instanceof SynclineError ? each.code : each.id)),
    [VALUE.id, 'invalid_event', 'too_deep', other.id],
  )
  assert.deepEqual(decodeEvents(' [ ] '), [])
})

test('a push that is no list of events is refused as a whole', () => {
  assert.throws(() => decodeEvents('{}'), { code: 'bad_request' })
  assert.throws(() => decodeEvents('[1'), { code: 'bad_json' })
  assert.throws(() => decodeEvents('[{"a":1,"a":1}]'), { code: 'bad_json' })
  assert.throws(() => decodeEvents(JSON.stringify(Array(1001).fill({}))), { code: 'too_many_events' })
})
