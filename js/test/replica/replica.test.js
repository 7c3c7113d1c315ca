// A replica alone: what it records, what it makes of a session's effects, what it says of itself.

import assert from 'node:assert/strict'
import { mock, test } from 'node:test'

import { DEFAULT_LIMITS } from '../../src/core/messages.js'
import { SynclineError } from '../../src/errors.js'
import { MemoryDisk, MemoryStore } from '../../src/stores/memory.js'
import { Store } from '../../src/stores/store.js'
import { START_MS, Author, entries, entry, erasedEntry } from '../author.js'
import { sharing } from '../stores/shared.js'
import { Mirror } from './mirror.js'

/** @typedef {import('../../src/core/events.js').Event} Event */
/** @typedef {import('../../src/core/messages.js').Page} Page */

let made = 0

/** @param {import('../../src/replica/index.js').Sources & { store?: Store }} [options] */
function open({ store = new MemoryStore('node'), ...sources } = {}) {
  return new Mirror(store, { nowMs: () => START_MS, random: () => ++made, ...sources })
}

/** @param {Mirror} replica @param {Partial<import('../../src/core/messages.js').Welcome>} [more] */
const greet = (replica, more) =>
  replica.perform({
    type: 'greet',
    welcome: /** @type {any} */ ({
      type: 'welcome', epoch: 'e', head: 0, time: START_MS, user: 'ann', own: null, limits: DEFAULT_LIMITS, rules: null, expires: null,
      ...more,
    }),
  })

/** @param {Mirror} replica @param {Partial<Page>} page */
const arrive = (replica, page) =>
  replica.perform({
    type: 'apply',
    page: { type: 'page', ref: null, entries: [], late: [], forget: [], cursor: 'c', more: false, ...page },
    items: [],
  })

/** @param {Mirror} replica @param {[Event, number | SynclineError][]} answers */
const settle = (replica, ...answers) => replica.perform({ type: 'settle', answers })

/** @param {readonly Event[]} events */
const ids = (events) => events.map(({ id }) => id)

// Writing

test('an event is recorded at once and saved soon', async () => {
  const replica = open()
  const event = replica.record('task.1', 'create', { a: 1 }, { ops: [{ op: 'x' }], meta: { schema: 1 } })
  assert.deepEqual(event.value, {
    action: 'create', clock: { node: 1 }, id: event.id, item: 'task.1', meta: { schema: 1 }, node: 'node', ops: [{ op: 'x' }], payload: { a: 1 },
  })
  assert.deepEqual([ids(replica.pending()), replica.local().pending, replica.status().unsaved], [[event.id], [], 1])
  await replica.saved()
  assert.deepEqual([ids(replica.local().pending), replica.status().unsaved, replica.status().pending], [[event.id], 0, 1])
})

test('the edits of a task are one commit, and ids and n rise', async () => {
  const replica = open()
  const events = Array.from({ length: 5_000 }, (_, n) => replica.record(`task.${n % 3}`, 'update'))
  await replica.saved()
  assert.equal(replica.store.state.version, 1)
  assert.deepEqual(events.map(({ n }) => n), Array.from({ length: 5_000 }, (_, n) => n + 1))
  assert.deepEqual(ids(events), ids(events).sort())
  replica.record('task.1', 'update')
  await replica.saved()
  assert.equal(replica.store.state.version, 2)
})

test('several are recorded together, or none', async () => {
  const replica = open()
  const drafts = ['a', 'b'].map((item) => ({ item, action: 'update', meta: { group: 'g' } }))
  const [one, other] = replica.recordMany(drafts, { together: true })
  assert.ok(one.tx && one.tx === other.tx && one.meta?.group === 'g')
  assert.throws(() => replica.recordMany([...drafts, { item: 'no item', action: 'x' }]), { code: 'invalid_event' })
  assert.throws(() => replica.recordMany(Array(1_001).fill(drafts[0]), { together: true }), { code: 'invalid_event' })
  assert.equal(replica.record('a', 'update').n, 3)
  assert.deepEqual(replica.record('a', 'update').clock, { node: 4 })
  await replica.saved()
  assert.equal(replica.store.state.n, 4)
})

test('a reserved id is used, unless something else was recorded since', () => {
  const replica = open()
  const id = replica.reserve()
  assert.equal(replica.recordMany([{ item: 'a', action: 'x', id }])[0].id, id)
  const [first, second] = [replica.reserve(), replica.reserve()]
  const amid = replica.record('a', 'amid')
  const draft = (/** @type {string} */ id) => ({ item: 'a', action: 'x', id, ops: [{ op: 'put', over: [`${id}:1`, `${amid.id}:2`] }] })
  const [late, last] = replica.recordMany([draft(first), draft(second)])
  assert.deepEqual(ids([amid, late, last]), ids([amid, late, last]).sort())
  assert.deepEqual(late.ops, [{ op: 'put', over: [`${late.id}:1`, `${amid.id}:2`] }])
  assert.ok(late.id > second)
})

test('a clock tells what was seen, of an item, in memory or settled', async () => {
  const replica = open()
  await arrive(replica, { entries: entries([new Author('far').event('a'), new Author('near').event('b')]) })
  assert.deepEqual(replica.record('a', 'update').clock, { far: 1, node: 1 })
  await replica.saved()
  await replica.settle()
  const again = open({ store: replica.store })
  assert.deepEqual(again.record('b', 'update').clock, { near: 1, node: 2 })
  await arrive(replica, { forget: ['a'] })
  assert.deepEqual(replica.record('a', 'update').clock, { node: 2 })
})

test('a clock holds the nodes that wrote last', async () => {
  const replica = open()
  const events = Array.from({ length: 70 }, (_, n) => new Author(`n${n}`).event('a'))
  await arrive(replica, { entries: entries(events) })
  await arrive(replica, { entries: [entry(71, new Author('n0').event('a', { clock: { n0: 2 } }))] })
  const nodes = Object.keys(replica.record('a', 'update').clock)
  assert.equal(nodes.length, 64)
  assert.ok(nodes.includes('n0') && nodes.includes('n69') && nodes.includes('node') && !nodes.includes('n1'))
})

// Meeting a server

test('what was recorded before the first welcome gets its user', async () => {
  const replica = open()
  const event = replica.record('a', 'update')
  await replica.saved()
  await greet(replica)
  assert.deepEqual([replica.user, replica.pending()[0].user, replica.pending()[0].id], ['ann', 'ann', event.id])
  assert.equal(replica.record('a', 'update').user, 'ann')
  await assert.rejects(greet(replica, { user: 'bob' }), { code: 'user_mismatch' })
  await arrive(replica, { entries: [entry(1, new Author('far').event())] })
  await assert.rejects(greet(replica, { epoch: 'f' }), { code: 'epoch_changed' })
})

test('whose replica it is may be known before', async () => {
  const replica = open({ user: 'ann' })
  assert.equal(replica.record('a', 'update').user, 'ann')
  await replica.saved()
  assert.equal(replica.store.state.user, 'ann')
  await assert.rejects(greet(open({ user: 'ann' }), { user: 'bob' }), { code: 'user_mismatch' })
})

test('what was acknowledged beyond the head of the server is pushed again', async () => {
  const replica = open()
  const [one, other] = ['a', 'b'].map((item) => replica.record(item, 'update'))
  await replica.saved()
  await settle(replica, [one, 4], [other, 5])
  assert.deepEqual([replica.pending(), replica.status().pending], [[], 2])
  await replica.keepAcks()
  assert.deepEqual([replica.pending(), replica.status().pending], [[], 0])
  assert.deepEqual([...replica.store.outbox.values()].map(({ status, seq }) => [status, seq]), [['acked', 4], ['acked', 5]])
  await greet(replica, { head: 4 })
  assert.deepEqual(ids(replica.pending()), [other.id])
})

test('an entry may come before the answer to its push', async () => {
  const replica = open()
  const event = replica.record('a', 'update')
  await replica.saved()
  await arrive(replica, { entries: [entry(1, event)] })
  await settle(replica, [event, 1])
  assert.deepEqual([replica.pending(), replica._acks.written(), replica._acks._early.size], [[], null, 0])
})

test('the clock of a machine that is far off is put right', async () => {
  const replica = open({ nowMs: () => START_MS - 10_000_000 })
  const before = replica.record('a', 'update').id
  await greet(replica)
  assert.ok(replica.record('a', 'update').id > before)
  assert.equal(replica.store.state.skewMs, 10_000_000)
})

// Pages

test('a page is one record of the log, with the cursor', async () => {
  const disk = new MemoryDisk('node')
  const rows = /** @type {string[]} */ ([])
  const counting = { ...sharing(disk), run: (/** @type {any} */ work) => disk.run((tx) => work({ ...tx, put: (/** @type {string} */ store, /** @type {any} */ row) => (rows.push(store), tx.put(store, row)) })) }
  const replica = open({ store: await Store.open(counting) })
  await arrive(replica, { entries: entries(new Author('far').events(1_000)), cursor: 'at 1000' })
  assert.deepEqual(rows.sort(), ['log', 'state'])
  const { seq, cursor, cursors, syncedAt } = replica.store.state
  assert.deepEqual([seq, cursor, cursors, syncedAt], [1_000, 'at 1000', [[1_000, 'at 1000']], START_MS])
  assert.deepEqual(replica.told, replica.seen)
})

test('a page that a live one has overtaken does not lead back', async () => {
  const replica = open()
  const all = entries(new Author('far').events(6))
  await arrive(replica, { entries: all, cursor: 'at 6' })
  await arrive(replica, { entries: all.slice(0, 4), cursor: 'at 4' })
  assert.deepEqual([replica.local().cursor, replica.store.state.seq, replica.store.log.length], ['at 6', 6, 6])
})

test('what grows settles, and is the same', async () => {
  const replica = open()
  const authors = ['x', 'y'].map((node) => new Author(node))
  const all = entries(Array.from({ length: 2_400 }, (_, n) => authors[n % 2].event(`task.${n % 600}`)))
  await arrive(replica, { entries: all.slice(0, 1_200), more: true })
  assert.equal(replica.store.log.length, 1_200)
  await arrive(replica, { entries: all.slice(1_200) })
  await replica.settle()
  assert.deepEqual([replica.store.log.length, replica.store.documents.size], [0, 600])
  assert.equal(JSON.stringify(await replica.store.entries()), JSON.stringify(all))
  assert.deepEqual(replica.told, replica.seen)
  assert.ok(replica.calls.filter((call) => call === 'settled').length > 2, 'some at a time')
})

test('settling ends its task when that took long enough', async () => {
  let nowMs = START_MS
  const replica = open({ nowMs: () => ++nowMs })
  const far = new Author('far')
  await arrive(replica, { entries: entries(Array.from({ length: 100 }, (_, n) => far.event(`task.${n}`))) })
  await replica.settle()
  assert.deepEqual([replica.store.log.length, replica.store.documents.size, replica.told], [0, 100, replica.seen])
  assert.ok(replica.calls.filter((call) => call === 'settled').length > 4)
})

test('what came while it settled settles after that', async () => {
  const replica = open()
  const far = new Author('far')
  const made = (/** @type {string} */ kind) => Array.from({ length: 2_400 }, (_, n) => far.event(`${kind}.${n % 800}`))
  await arrive(replica, { entries: entries(made('task')) })
  await arrive(replica, { entries: entries(made('note'), 2_401) })
  for (let turn = 0; turn < 1_000 && replica.store.log.length; turn++) await new Promise(setImmediate)
  assert.deepEqual([replica.store.log.length, replica.store.documents.size, replica.told], [0, 1_600, replica.seen])
})

test('an event of this node that it never made shows that its data was copied', async () => {
  const replica = open()
  const mine = replica.record('a', 'update')
  await replica.saved()
  await arrive(replica, { entries: [entry(1, mine)] })
  await replica.settle()
  await greet(replica, { own: mine.id })
  await arrive(replica, { entries: [entry(1, mine)] })
  assert.equal(replica.local().copied, false)
  await arrive(replica, { entries: [entry(2, new Author('node').event('a', { id: replica.reserve(), clock: { node: 2 } }))] })
  assert.equal(replica.local().copied, true)
  const other = open()
  await greet(other, { own: mine.id })
  assert.equal(other.local().copied, true)
})

test('an own entry that was forgotten and comes back is no copy\'s', async () => {
  const replica = open()
  const mine = ['a', 'b'].map((item) => replica.record(item, 'update'))
  await replica.saved()
  await arrive(replica, { entries: entries(mine) })
  await arrive(replica, { forget: ['a'] })
  await greet(replica, { own: mine[1].id })
  await arrive(replica, { late: [entry(1, mine[0])] })
  assert.deepEqual([replica.local().copied, replica.store.log.map(({ seq }) => seq)], [false, [1, 2]])
  assert.deepEqual(replica.told, replica.seen)
})

test('everything is forgotten and comes again from the start', async () => {
  const replica = open()
  const all = entries(new Author('far').events(9))
  await arrive(replica, { entries: all, cursor: 'old' })
  await arrive(replica, { forget: ['*'], entries: all.slice(0, 3), cursor: 'new', more: true })
  assert.deepEqual([replica.local().cursor, replica.store.state.seq, replica.store.state.cursors], ['new', 3, [[3, 'new']]])
  await arrive(replica, { entries: all.slice(3), cursor: 'newer' })
  assert.deepEqual([replica.told, replica.store.log], [replica.seen, all])
})

test('acknowledged events whose entries never come are pushed again, or let go of if they may not be read', async () => {
  const replica = open()
  const rule = { user: 'ann', item: 'box', action: '.read', type: 'deny', seq: 1, id: 'x' }
  const open_ = { user: '*', item: '*', action: '*', type: 'allow', seq: 0, id: '' }
  await greet(replica, { rules: [open_, rule] })
  const [box, other, later] = ['box', 'open', 'open'].map((item) => replica.record(item, 'drop'))
  await replica.saved()
  await settle(replica, [box, 1], [other, 2], [later, 9])
  await replica.keepAcks()
  await arrive(replica, { entries: [entry(3, new Author('far').event('x'))] })
  assert.deepEqual([...replica.store.outbox.values()].map(({ event, status }) => [event.id, status]), [[other.id, 'pending'], [later.id, 'acked']])
  assert.equal(replica.may('box', '.read'), false)
  assert.equal(replica.may('box', 'drop'), true)
  assert.equal(open().may('box', 'drop'), null)
})

test('doomed is what the rules known last would refuse', async () => {
  const replica = open()
  const [one] = ['a', 'b'].map((item) => replica.record(item, 'update'))
  await replica.saved()
  const rules = ['a', 'b'].map((item) => ({ user: '*', item, action: 'update', type: item === 'a' ? 'deny' : 'allow', seq: 1, id: item }))
  await greet(replica, { rules })
  assert.deepEqual(ids(replica.doomed()), [one.id])
})

// Refusals

test('refused events go to the inbox with all that names them, and are retried or dropped', async () => {
  const replica = open()
  const first = replica.record('a', 'update')
  const named = replica.record('b', 'update', first.id)
  const [tied, last] = replica.recordMany([{ item: 'c', action: 'x', ops: [{ id: named.id }] }, { item: 'd', action: 'x', payload: 1 }], { together: true })
  const free = replica.record('e', 'update')
  await replica.saved()
  await settle(replica, [first, new SynclineError('forbidden', 'No.')], [free, 1])
  assert.deepEqual(replica.refused().map(({ event, error }) => [event.id, error.code]), ids([first, named, tied, last]).map((id) => [id, 'forbidden']))
  assert.deepEqual(replica.told, replica.seen)
  const again = replica.retry(last.id, { payload: 2 })
  assert.deepEqual([again.item, again.payload, again.tx, again.n], ['d', 2, undefined, 6])
  replica.drop(first.id)
  assert.throws(() => replica.drop(first.id), { code: 'unknown_event' })
  assert.deepEqual([replica.refused().length, replica.status().refused, replica.status().unsaved], [2, 2, 3])
  await replica.saved()
  assert.deepEqual([replica.store.counts.refused, replica.status().refused], [2, 2])
})

// A log that was put back, a copied node, a clock that ran ahead

test('a rewind keeps what came after, also what had settled', async () => {
  const replica = open()
  await greet(replica)
  const mine = replica.record('a', 'update')
  await replica.saved()
  const theirs = new Author('far', 'bob').events(30, 'a')
  await arrive(replica, { entries: entries(theirs.slice(0, 10)), cursor: 'at 10' })
  await replica.settle()
  await arrive(replica, { entries: [...entries(theirs.slice(10), 11), entry(31, mine)], cursor: 'at 31' })
  await replica.settle()
  await replica.perform({ type: 'rewind', head: 99 })
  assert.deepEqual([replica.local().cursor, replica.store.state.seq, replica.pending()], ['at 10', 10, []])
  assert.deepEqual([replica.store.counts.orphan, (await replica.store.entries()).map(({ seq }) => seq)], [21, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])
  assert.deepEqual(replica.told, replica.seen)
  await replica.perform({ type: 'rewind', head: 99 })
  assert.deepEqual([replica.local().cursor, replica.store.counts.orphan, replica.store.documents.size], [null, 31, 0])
  assert.deepEqual(replica.onTheirWay().length, 31)
  await arrive(replica, { entries: [...entries(theirs), entry(31, mine)] })
  assert.deepEqual([replica.store.outbox.size, replica.store.log.length, replica.told], [0, 31, replica.seen])
})

test('pending events get new ids, in what they name too, and a new node after a copy', async () => {
  const replica = open({ nowMs: () => START_MS + 9_000_000 })
  const shared = replica.record('a', 'update')
  await replica.saved()
  await arrive(replica, { entries: [entry(1, shared)] })
  const before = [replica.record('a', 'update')]
  before.push(replica.record('a', 'update', null, { ops: [{ over: [`${before[0].id}:3`] }], meta: { undoes: before[0].id } }))
  await replica.saved()
  const fresh = replica.record('b', 'update', null, { ops: [{ over: [`${before[1].id}:4`, `${shared.id}:1`] }] })
  await replica.perform({ type: 'mark_copied', event: before[0] })
  await replica.perform({ type: 'restamp', nowMs: START_MS + 9_000_000 })
  const [one, two, three] = replica.pending()
  assert.ok(replica.node !== 'node' && !replica.local().copied)
  assert.deepEqual([one, two, three].map(({ n, node }) => [n, node]), [1, 2, 3].map((n) => [n, replica.node]))
  assert.deepEqual([one.clock, three.clock], [{ node: 1, [replica.node]: 1 }, { [replica.node]: 3 }])
  assert.deepEqual([two.ops, two.meta], [[{ over: [`${one.id}:3`] }], { undoes: one.id }])
  assert.deepEqual(three.ops, [{ over: [`${two.id}:4`, `${shared.id}:1`] }])
  assert.equal(new Set(ids([...before, fresh, one, two, three])).size, 6)
  assert.deepEqual(replica.told, replica.seen)
  await replica.saved()
  assert.deepEqual(ids(replica.local().pending), ids([one, two, three]))
})

test('new ids begin after the greatest that is confirmed, though the clock ran ahead', async () => {
  const replica = open({ nowMs: () => START_MS + 90_000_000 })
  const ahead = replica.record('a', 'update')
  await replica.saved()
  const far = new Author('far').event('a')
  await arrive(replica, { entries: [entry(1, far)] })
  await replica.settle()
  await replica.perform({ type: 'restamp', nowMs: START_MS - 1_000 })
  const [event] = replica.pending()
  assert.ok(event.id < ahead.id && event.id > far.id)
  assert.deepEqual([replica.store.state.skewMs, event.n], [-90_001_000, 2])
  assert.ok(replica.record('a', 'update').id < ahead.id)
})

test('what a log has held keeps its id', async () => {
  const replica = open()
  await greet(replica)
  const mine = replica.record('a', 'update')
  await replica.saved()
  await settle(replica, [mine, 1])
  await replica.keepAcks()
  await greet(replica, { head: 0 }) // it was put back meanwhile
  const fresh = replica.record('a', 'update')
  await replica.saved()
  await replica.perform({ type: 'restamp', nowMs: START_MS })
  assert.deepEqual([replica.pending()[0].id, replica.pending()[1].id === fresh.id], [mine.id, false])
  await replica.perform({ type: 'mark_copied', event: mine })
  assert.equal([...replica.store.outbox.values()][0].seq, null)
})

test('what a log has lost is offered in the old order, and shows until it is back', async () => {
  const replica = open()
  await greet(replica)
  const mine = replica.record('a', 'update')
  await replica.saved()
  const theirs = new Author('far', 'bob')
  const [other, policy, hidden] = [theirs.event('b'), theirs.event('.policies'), theirs.event('c')]
  await arrive(replica, { entries: entries([mine, other, policy, hidden]), cursor: 'at 4' })
  await replica.perform({ type: 'rewind', head: 0 })
  const { offers = [], epoch, user } = replica.local()
  assert.deepEqual(offers.map(({ event, voucher }) => [event.id, voucher.seq, voucher.epoch]), [[policy.id, 3, 'e'], [mine.id, 1, 'e'], [other.id, 2, 'e'], [hidden.id, 4, 'e']])
  assert.deepEqual([epoch, user, replica.status().orphan, replica.pending()], ['e', 'ann', 4, []])
  assert.deepEqual(ids(replica.onTheirWay()).sort(), ids([mine, other, policy, hidden]).sort())
  const refusal = new SynclineError('unvouched', 'Who?')
  await replica.perform({ type: 'given', answers: [[policy, 1], [mine, 2], [other, refusal], [hidden, 3]] })
  assert.deepEqual([replica.status().orphan, replica.status().unvouched, ids(replica.unvouched().map(({ event }) => event))], [0, 1, [other.id]])
  assert.deepEqual([replica.unvouched()[0].error.code, replica.local().offers], ['unvouched', []])
  await arrive(replica, { entries: entries([policy, mine, hidden]), cursor: 'at 3' })
  assert.deepEqual([replica.store.outbox.size, replica.told], [1, replica.seen])
  assert.equal(await replica.offerAgain(), 1)
  assert.deepEqual([ids(replica.local().offers?.map(({ event }) => event) ?? []), replica.unvouched()], [[other.id], []])
  await replica.perform({ type: 'given', answers: [[other, 2]] }) // read past, and not shown: it may not be read
  assert.deepEqual([replica.store.outbox.size, replica.told], [0, replica.seen])
})

test('one’s own that a log does not take back goes to the inbox, with what names it', async () => {
  const replica = open()
  await greet(replica)
  const mine = replica.record('a', 'update')
  await replica.saved()
  await arrive(replica, { entries: [entry(1, mine)] })
  await replica.perform({ type: 'rewind', head: 0 })
  const named = replica.record('b', 'update', mine.id)
  await replica.saved()
  await replica.perform({ type: 'given', answers: [[mine, new SynclineError('forbidden', 'No.')]] })
  assert.deepEqual([ids(replica.refused().map(({ event }) => event)), replica.local().offers], [ids([mine, named]), []])
  assert.deepEqual(replica.told, replica.seen)
})

test('a rewind goes to no cursor beyond the head', async () => {
  const replica = open()
  await greet(replica)
  const all = entries(new Author('far').events(9, 'a'))
  for (const end of [3, 6, 9]) await arrive(replica, { entries: all.slice(end - 3, end), cursor: `at ${end}` })
  await replica.perform({ type: 'rewind', head: 5 })
  assert.deepEqual([replica.local().cursor, replica.store.state.seq, replica.status().orphan], ['at 3', 3, 6])
})

test('a replica without entries takes the epoch it meets, and no other', async () => {
  const replica = open()
  await greet(replica)
  replica.record('a', 'update')
  await replica.saved()
  assert.equal(replica.local().epoch, null)
  await greet(replica, { epoch: 'f' })
  assert.equal(replica.store.state.epoch, 'f')
  await arrive(replica, { entries: [entry(1, new Author('far').event('b'))] })
  assert.equal(replica.local().epoch, 'f')
  await assert.rejects(greet(replica), { code: 'epoch_changed' })
})

test('what is erased replaces what was held, wherever it is by now', async () => {
  const replica = open()
  await greet(replica)
  const all = entries(new Author('far', 'bob').events(6, 'a'))
  await arrive(replica, { entries: all.slice(0, 4), cursor: 'at 4' })
  await replica.settle()
  await arrive(replica, { entries: all.slice(4), cursor: 'at 6' })
  const late = [all[1], all[5]].map(erasedEntry)
  await arrive(replica, { late, entries: [entry(7, new Author('root').event('.erasures'))], cursor: 'at 7' })
  const found = await replica.store.entries()
  assert.deepEqual(found.map(({ event }) => event.isErased), [false, true, false, false, false, true, false])
  assert.deepEqual(found.map(({ event }) => event.digest).slice(0, 6), all.map(({ event }) => event.digest))
  assert.deepEqual(replica.told, replica.seen)
})

test('events of erasable items have a salt of their own', async () => {
  const replica = open()
  assert.equal(replica.record('user.ann', 'update').meta, undefined)
  await replica.saved()
  await greet(replica, { erasable: ['user.*'] })
  const [one, other, free, tied] = [
    replica.record('user.ann', 'update', null, { meta: { group: 'g' } }),
    replica.record('user.ann', 'update', null, { meta: { salt: 'mine' } }),
    replica.record('task.1', 'update'),
    replica.recordMany([{ item: 'user.bob', action: 'x' }], { together: true })[0],
  ]
  assert.match(one.meta?.salt, /^[\w-]{22}$/)
  assert.match(tied.meta?.salt, /^[\w-]{22}$/)
  assert.ok(tied.tx && tied.meta?.salt !== one.meta?.salt)
  assert.deepEqual([one.meta?.group, other.meta?.salt, free.meta], ['g', 'mine', undefined])
})

test('an old copy of the data takes another node before it pushes', async () => {
  const disk = new MemoryDisk('node')
  const replica = open({ store: await Store.open(sharing(disk)) })
  replica.record('a', 'update')
  await replica.saved()
  const old = new MemoryDisk('x')
  for (const [store, rows] of disk._stores) old._stores.set(store, new Map(rows))
  const later = replica.record('a', 'update')
  await replica.saved()
  const copy = open({ store: await Store.open(sharing(old)) })
  assert.deepEqual([copy.node, copy.pending().length], ['node', 1])
  await greet(copy, { own: later.id })
  await arrive(copy, { entries: entries([...replica.pending()]) })
  copy.record('a', 'update')
  await copy.saved()
  await copy.perform({ type: 'restamp', nowMs: START_MS })
  const [event] = copy.pending()
  assert.deepEqual([copy.node === 'node', event.clock], [false, { node: 2, [copy.node]: 1 }])
})

// A full disk

test('nothing is lost when the disk is full', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const disk = new MemoryDisk('node')
  let isFull = true
  const run = async (/** @type {any} */ work, /** @type {string} */ kind) => {
    if (isFull && kind !== 'read') throw new SynclineError('storage_full')
    return disk.run(work)
  }
  const replica = open({ store: await Store.open({ ...sharing(disk), run }) })
  const told = /** @type {(string | undefined)[]} */ ([])
  replica.watchStatus(({ error }) => told.push(error?.code))
  const events = [replica.record('a', 'update')]
  await replica._saving
  assert.deepEqual([replica.status().error?.code, replica.status().unsaved, told.at(-1)], ['storage_full', 1, 'storage_full'])
  events.push(replica.record('b', 'update'))
  await replica._saving
  await assert.rejects(arrive(replica, { entries: entries(new Author('far').events(3)) }), { code: 'storage_full' })
  assert.deepEqual([ids(replica.pending()), replica.local().pending, replica.store.log], [ids(events), [], []])
  isFull = false
  mock.timers.tick(11_000)
  await replica.saved()
  assert.deepEqual([ids(replica.local().pending), replica.status().error, replica.status().unsaved], [ids(events), null, 0])
  mock.timers.reset()
})

// Watching, closing

test('events and the status are watched, and who throws disturbs nobody', async () => {
  const replica = open()
  const heard = /** @type {string[]} */ ([])
  const later = mock.method(globalThis, 'queueMicrotask', () => {}) // where the error becomes the page's
  replica.watchEvents(() => { throw new Error('mine') })
  const stop = replica.watchEvents((events) => heard.push(...events.map(({ item }) => item)), { items: ['task.*'] })
  replica.record('task.1', 'update')
  replica.record('note', 'update')
  await arrive(replica, { late: [entry(1, new Author('far').event('task.2'))], entries: [entry(2, new Author('near').event('task.3'))] })
  stop()
  replica.record('task.4', 'update')
  assert.deepEqual(heard, ['task.1', 'task.2', 'task.3'])
  assert.throws(/** @type {any} */ (later.mock.calls[0].arguments[0]), /mine/)
  later.mock.restore()
})

test('closing saves, and then nothing is recorded', async () => {
  const disk = new MemoryDisk('node')
  const replica = open({ store: await Store.open(sharing(disk)) })
  const event = replica.record('a', 'update')
  await replica.close()
  await replica.close()
  assert.throws(() => replica.record('a', 'update'), { code: 'store_closed' })
  await assert.rejects(arrive(replica, {}), { code: 'store_closed' })
  assert.deepEqual(ids(open({ store: await Store.open(disk) }).pending()), [event.id])
})

test('the browser is asked to keep the data with the first edit', async () => {
  const replica = open({ store: await Store.open({ ...sharing(new MemoryDisk('node')), persist: async () => true }) })
  assert.equal(replica.status().persisted, null)
  replica.record('a', 'update')
  await replica.saved()
  assert.equal(replica.status().persisted, true)
})
