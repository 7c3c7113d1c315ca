// Spaces whose history is bounded, at a real server: who begins from a snapshot, and who was away for too long.

import 'fake-indexeddb/auto'
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import WebSocket from 'ws'

import { encode } from '../../src/core/documents/snapshots.js'
import { openIndexedDB } from '../../src/stores/indexeddb.js'
import { Counter, ORSet, SynclineError, SyncedReplica, Text, open } from '../../src/syncline.js'
import { Server, eventually, token } from '../serving.js'

/** @typedef {import('node:test').TestContext} T */

const MILK = { title: 'Milk', n: new Counter(2), body: new Text('two litres'), tags: new ORSet(['shop']), steps: ['go', 'pay'] }

/** @type {Server} */
let server
before(async () => void (server = await Server.start({ open: true })))
after(() => server.stop())

const socket = /** @type {any} */ (WebSocket)

/** @param {T} t @param {string} space @param {import('../../src/sync/background.js').Settings} [more] */
async function place(t, space, more) {
  const replica = await open('notes', { store: 'memory', server: server.url, space, WebSocket: socket, ...more })
  t.after(() => replica.close())
  return replica
}

/** What a sync did. @param {SyncedReplica} replica */
async function synced(replica) {
  const { errors, ...counts } = await replica.sync()
  assert.deepEqual(errors, [])
  return counts
}

/** Makes a snapshot. @param {string} space */
const snapshot = (space) => server.ask(`spaces/${space}/history`, {})

/** Makes a snapshot, and lets go of all before it. @param {string} space */
async function forget(space) {
  await server.ask(`spaces/${space}`, { retention: { revisions: 1 } }, 'PATCH')
  const { horizon } = await snapshot(space)
  return horizon
}

/** Who was there from the start: a document with four revisions, and an item that is none. @param {T} t @param {string} space */
async function author(t, space) {
  const ann = await place(t, space)
  const milk = ann.create('task.milk', MILK)
  milk.put('title', 'Oat milk')
  milk.counter('n').increment(3)
  milk.list('steps').push('home')
  ann.record('note', 'say', { text: 'hello' })
  await synced(ann)
  return ann
}

/** @param {import('../../src/syncline.js').DocumentReplica} replica */
const stateOf = (replica, item = 'task.milk') => encode(replica.library.document(item))

/** @param {{ number: number }[]} revisions */
const numbers = (revisions) => revisions.map(({ number }) => number)

test('a new replica begins from a snapshot and what came after it', async (t) => {
  const space = token()
  const ann = await author(t, space)
  await snapshot(space)
  ann.document('task.milk').put('title', 'Rice milk')
  ann.create('task.bread', { title: 'Bread' })
  await synced(ann)
  const bob = await place(t, space, { history: false })
  const { bases, pulled } = await synced(bob)
  assert.deepEqual([bases, pulled, bob.horizon], [2, 2, 5])
  assert.deepEqual(bob.items(), ['task.bread', 'task.milk'])
  assert.equal(stateOf(bob), stateOf(ann))
  assert.deepEqual(bob.query('*', { where: { title: 'Rice milk' } }).map(({ item }) => item), ['task.milk'])
  const said = bob.record('note', 'say')
  assert.deepEqual(said.clock, { [ann.node]: 5, [bob.node]: 1 })
  assert.ok(said.id > ann.library.document('task.milk').events.id(0))
})

test('without a snapshot all history comes, and so it does for whoever wants it', async (t) => {
  const space = token()
  const ann = await author(t, space)
  const bob = await place(t, space, { history: false })
  assert.deepEqual((await synced(bob)).pulled, 5)
  assert.equal(bob.document('task.milk').firstRevision, 1)
  await snapshot(space)
  const cleo = await place(t, space)
  assert.deepEqual((await synced(cleo)).bases, 0)
  assert.deepEqual(numbers(await cleo.document('task.milk').history()), [1, 2, 3, 4])
  assert.equal(stateOf(cleo), stateOf(ann))
})

test('history begins after the base, and says so', async (t) => {
  const space = token()
  const ann = await author(t, space)
  await snapshot(space)
  ann.document('task.milk').put('title', 'Rice milk')
  await synced(ann)
  const bob = await place(t, space, { history: false })
  await synced(bob)
  const milk = bob.document('task.milk')
  for (const settles of [false, true]) {
    if (settles) await bob.settle()
    assert.deepEqual([milk.firstRevision, milk.revision, numbers(await milk.history())], [5, 5, [5]])
    assert.equal((await milk.at(4)).plain?.title, 'Oat milk')
    assert.equal((await milk.at({ seq: 5 })).plain?.title, 'Oat milk')
    assert.deepEqual(await milk.diff(4, 5), [{ op: 'replace', path: '/title', value: 'Rice milk' }])
    await assert.rejects(milk.at(3), { code: 'history_expired', details: (await base(milk)) })
    await assert.rejects(milk.at({ seq: 2 }), { code: 'history_expired' })
    await assert.rejects(milk.at({ time: 1 }), { code: 'history_expired' })
    await assert.rejects(milk.restore(1), { code: 'history_expired' })
    await assert.rejects(milk.patch([], { base: 2 }), { code: 'history_expired' })
    await assert.rejects(milk.at(9), { code: 'not_found' })
  }
  await milk.restore(4)
  assert.equal(milk.plain?.title, 'Oat milk')
  assert.deepEqual(numbers(await milk.history({ after: 5 })), [6])
})

/** What an error says of a history's beginning. @param {import('../../src/syncline.js').LiveDocument} document */
async function base(document) {
  const { revision, seq, at } = /** @type {any} */ (document)._replica.library._base(document.item)
  return { revision, seq, at }
}

test('what is in the base cannot be undone, and what came after can', async (t) => {
  const space = token()
  const ann = await author(t, space)
  await snapshot(space)
  const bob = await place(t, space, { history: false })
  await synced(bob)
  const milk = bob.document('task.milk')
  await assert.rejects(milk.undo(), { code: 'history_expired' })
  assert.equal(await milk.redo(), false)
  milk.put('title', 'Soy')
  milk.counter('n').increment(10)
  for (const settles of [false, true]) {
    await synced(bob)
    if (settles) await bob.settle()
    assert.equal(await milk.undo(), true)
    assert.equal(milk.plain?.n, 5)
    assert.equal(await milk.redo(), true)
    assert.equal(milk.plain?.n, 15)
  }
  assert.equal(await milk.undo(), true)
  assert.equal(await milk.undo(), true)
  assert.deepEqual([milk.plain?.title, milk.plain?.n], ['Oat milk', 5])
  await assert.rejects(milk.undo(), { code: 'history_expired' })
  await synced(bob)
  await synced(ann)
  assert.equal(stateOf(bob), stateOf(ann))
})

test('the first group after the base is undone as a whole or not at all', async (t) => {
  const space = token()
  const ann = await author(t, space)
  const type = (/** @type {SyncedReplica} */ by, /** @type {string} */ text, group = 'typing') =>
    by.document('task.milk').edit('type', (edit) => edit.text('body').insert(0, text), { meta: { group } })
  type(ann, 'a')
  await synced(ann)
  await snapshot(space)
  type(ann, 'b')
  await synced(ann)
  const same = await open('x', { store: 'memory', server: server.url, space, WebSocket: socket, history: false })
  t.after(() => same.close())
  await synced(same)
  const milk = same.document('task.milk')
  assert.deepEqual([milk.revision, milk.firstRevision, numbers(await milk.history())], [5, 6, []])
  await assert.rejects(milk.undo(), { code: 'history_expired' })
  type(same, 'c', 'more')
  type(same, 'd', 'more')
  assert.deepEqual([milk.revision, numbers(await milk.history())], [6, [6]])
  assert.equal(await milk.undo(), true)
  assert.equal(milk.plain?.body, 'batwo litres')
})

test('who was away for a year takes the snapshot, keeps its own, and counts once', async (t) => {
  const space = token()
  const ann = await author(t, space)
  const away = await place(t, space)
  await synced(away)
  away.document('task.milk').counter('n').increment(50)
  ann.document('task.milk').put('title', 'Rice milk')
  ann.create('task.bread', { title: 'Bread' })
  await synced(ann)
  ann.document('task.bread').put('title', 'Rye')
  await synced(ann)
  const horizon = await forget(space)
  const { pushed, bases } = await synced(away)
  assert.deepEqual([pushed, bases, away.horizon], [1, 3, horizon])
  await synced(ann)
  assert.deepEqual([away.document('task.milk').plain?.n, ann.document('task.milk').plain?.n], [55, 55])
  for (const item of ['task.milk', 'task.bread']) assert.equal(stateOf(away, item), stateOf(ann, item))
  assert.deepEqual(numbers(await away.document('task.milk').history()), [6])
})

test('who pushes again what it pushed a year ago changes nothing, a copy of it neither', async (t) => {
  const space = token()
  const ann = await author(t, space)
  const store = await openIndexedDB(`old ${space}`)
  const settings = { server: server.url, space, WebSocket: socket }
  const old = new SyncedReplica(store, null, settings)
  await synced(old)
  old.document('task.milk').counter('n').increment(50)
  await old.saved()
  await copy(`old ${space}`, `again ${space}`) // as of before its push was answered
  await synced(old)
  await old.close()
  await forget(space)
  ann.document('task.milk').put('title', 'Rice milk')
  await synced(ann)
  const head = (await server.ask(`spaces/${space}`)).head
  const again = new SyncedReplica(await openIndexedDB(`again ${space}`), null, settings)
  t.after(() => again.close())
  const node = again.node
  assert.deepEqual([again.status().pending, again.document('task.milk').plain?.n], [1, 55])
  assert.deepEqual((await synced(again)).pushed, 1)
  assert.deepEqual([again.status().pending, again.document('task.milk').plain?.n, again.node], [0, 55, node])
  assert.equal((await server.ask(`spaces/${space}`)).head, head)
  again.document('task.milk').counter('n').increment(1)
  assert.deepEqual([(await synced(again)).pushed, again.status().pending], [1, 0])
  await synced(ann)
  assert.equal(ann.document('task.milk').plain?.n, 56)
  assert.equal(stateOf(again), stateOf(ann))
})

/** Copies a database. @param {string} from @param {string} to */
async function copy(from, to) {
  const [one, other] = [await openIndexedDB(from), await openIndexedDB(to)]
  const [source, target] = /** @type {any[]} */ ([one, other]).map((store) => store._disk)
  const names = ['state', 'outbox', 'log', 'documents', 'history']
  const rows = await source.run((/** @type {any} */ tx) => Promise.all(names.map((name) => tx.all(name))), 'read')
  await target.run(async (/** @type {any} */ tx) => {
    names.forEach((name, at) => rows[at].forEach((/** @type {any} */ row) => tx.put(name, row)))
  }, 'strict')
  for (const store of [one, other]) store.close()
}

test('a replica on a disk opens where it was', async (t) => {
  const space = token()
  const ann = await author(t, space)
  await snapshot(space)
  const settings = { server: server.url, space, WebSocket: socket, history: false }
  const name = `disk ${space}`
  const before = new SyncedReplica(await openIndexedDB(name), null, settings)
  await synced(before)
  before.document('task.milk').put('title', 'Soy')
  await synced(before)
  await before.settle()
  await before.close()
  const bob = new SyncedReplica(await openIndexedDB(name), null, settings)
  t.after(() => bob.close())
  const milk = bob.document('task.milk')
  assert.deepEqual([bob.horizon, milk.firstRevision, numbers(await milk.history())], [5, 5, [5]])
  assert.equal((await milk.at(4)).plain?.title, 'Oat milk')
  ann.document('task.milk').put('title', 'Rice')
  await synced(ann)
  assert.deepEqual((await synced(bob)).bases, 0)
  assert.equal(stateOf(bob), stateOf(ann))
})

test('a snapshot comes in parts, and is nothing until the last has come', async (t) => {
  const space = token()
  const ann = await place(t, space)
  const text = Array.from({ length: 6_000 }, () => Math.random().toString(36).slice(2, 12).padEnd(10)).join('')
  for (let n = 0; n < 100; n++) ann.create(`task.${n}`, { n, text: text.slice(n) })
  await synced(ann)
  await snapshot(space)
  const bob = await place(t, space, { history: false })
  /** @type {[boolean, number][]} */
  const parts = []
  const perform = bob.perform.bind(bob)
  bob.perform = async (effect) => {
    await perform(effect)
    if (effect.type === 'take') parts.push([effect.isLast, bob.items().length])
  }
  assert.equal((await synced(bob)).bases, 100)
  assert.ok(parts.length > 1, `${parts.length} parts`)
  assert.deepEqual(parts, parts.map((_, at) => (at === parts.length - 1 ? [true, 100] : [false, 0])))
  assert.equal(stateOf(bob, 'task.7'), stateOf(ann, 'task.7'))
})

test('while live, too: who learns that its place has gone begins again', async (t) => {
  const space = token()
  const ann = await author(t, space)
  const away = await place(t, space)
  await synced(away)
  away.document('task.milk').counter('n').increment(7)
  ann.document('task.milk').put('title', 'Rice milk')
  ann.document('task.milk').put('title', 'Rice milk!')
  await synced(ann)
  await forget(space)
  for (const each of [ann, away]) each.start()
  await eventually(() => ann.get('task.milk')?.plain.n === 12)
  assert.equal(away.document('task.milk').plain?.n, 12)
  ann.document('task.milk').put('title', 'Soy')
  await eventually(() => away.get('task.milk')?.plain.title === 'Soy')
})

test('items that become visible come as they stand, with what came after', async (t) => {
  const closed = await Server.start()
  t.after(() => closed.stop())
  const [ann] = [await place(t, 'default', { server: closed.url, token: closed.key })]
  await synced(ann)
  const bob = await place(t, 'default', { server: closed.url, token: await closed.keyOf('default', await closed.user('default')) })
  const deny = { user: '*', item: 'task.milk', action: '.read', type: 'deny' }
  const { rules: [{ id }] } = await closed.ask('spaces/default/acl', { rules: [deny] })
  const milk = ann.create('task.milk', MILK)
  for (let n = 0; n < 6; n++) milk.counter('n').increment(1)
  await synced(ann)
  await closed.ask('spaces/default', { retention: { revisions: 2 } }, 'PATCH')
  await closed.ask('spaces/default/history', {})
  await synced(bob)
  assert.deepEqual([bob.items(), bob.plain('task.milk')], [[], null]) // it is looked at before there is anything
  /** @type {string[]} */
  const told = []
  bob.watch('task.*', (documents) => told.push(...documents.map(({ item }) => item)))
  await closed.ask(`spaces/default/acl/${id}`, undefined, 'DELETE')
  assert.deepEqual((await synced(bob)).bases, 0) // none of a snapshot
  assert.equal(stateOf(bob), stateOf(ann))
  const there = bob.document('task.milk')
  assert.deepEqual([told, there.firstRevision, numbers(await there.history())], [['task.milk'], 6, [6, 7]])
  assert.ok(bob.horizon > 0)
  there.counter('n').increment(100)
  await synced(bob)
  await synced(ann)
  assert.equal(milk.plain?.n, 108)
})

test('policies come with a snapshot, and hold', async (t) => {
  const space = token()
  const ann = await author(t, space)
  await server.ask(`spaces/${space}/policies`, { 'task.*': 'server_wins' }, 'PUT')
  await snapshot(space)
  const bob = await place(t, space, { history: false })
  await synced(bob)
  const overruled = /** @type {string[]} */ ([])
  bob.watchOverruled((_, { id }) => overruled.push(id))
  bob.document('task.milk').put('title', 'Soy')
  const [{ id }] = bob.pending()
  await synced(ann)
  ann.document('task.milk').put('title', 'Rice milk')
  await synced(ann)
  await synced(bob)
  await eventually(() => overruled.length)
  assert.deepEqual([overruled, bob.plain('task.milk')], [[id], { ...bob.plain('task.milk'), title: 'Rice milk' }])
  await synced(ann)
  assert.equal(stateOf(bob), stateOf(ann))
})

test('what was erased leaves the bases, too', async (t) => {
  const space = token()
  const ann = await author(t, space)
  ann.document('task.milk').put('title', 'correct horse')
  const { id } = ann.pending()[0]
  await synced(ann)
  await snapshot(space)
  const name = `erased ${space}`
  const bob = new SyncedReplica(await openIndexedDB(name), null, { server: server.url, space, WebSocket: socket, history: false })
  t.after(() => bob.close())
  await synced(bob)
  bob.document('task.milk').counter('n').increment(1)
  await synced(bob)
  await bob.settle() // the base is in its history now
  await server.ask(`spaces/${space}/erase`, { events: [id] })
  assert.equal((await synced(bob)).bases, 2)
  const rows = await /** @type {any} */ (bob.store)._disk.run(
    async (/** @type {any} */ tx) => [await tx.all('documents'), await tx.all('history'), await tx.all('log')],
    'read',
  )
  assert.ok(!JSON.stringify(rows).includes('correct horse'))
  assert.deepEqual(bob.plain('task.milk'), { ...bob.plain('task.milk'), title: null, n: 6 })
  await synced(ann)
  assert.equal(stateOf(bob), stateOf(ann))
})

test('a connection that breaks amid a snapshot leaves all as it was', async (t) => {
  const space = token()
  const ann = await author(t, space)
  await snapshot(space)
  const bob = await place(t, space, { history: false })
  bob.create('task.own', { n: 1 })
  bob.document('task.milk').edit('update', (edit) => edit.put('mine', true))
  const perform = bob.perform.bind(bob)
  let breaks = true
  bob.perform = async (effect) => {
    if (effect.type !== 'take' || !breaks) return perform(effect)
    const bases = effect.part.bases.concat({ ...effect.part.bases[1], item: 'task.gone' })
    await perform({ ...effect, isLast: false, part: { ...effect.part, bases, after: 'z' } }) // the last part does not come
    breaks = false
    throw new SynclineError('connection_lost')
  }
  await synced(bob)
  assert.deepEqual([bob.items(), bob.horizon], [['task.milk', 'task.own'], 5])
  assert.deepEqual([bob.get('task.milk')?.plain.mine, bob.get('task.milk')?.plain.title], [true, 'Oat milk'])
  await synced(ann)
  for (const item of bob.items()) assert.equal(stateOf(bob, item), stateOf(ann, item))
})

test('a log that is restored from before the snapshot is begun from again', async (t) => {
  const own = await Server.start({ open: true })
  t.after(() => own.stop())
  const settings = { server: own.url }
  const ann = await place(t, 'default', settings)
  const milk = ann.create('task.milk', MILK)
  await synced(ann)
  await own.halt()
  const putBack = own.backUp()
  await own.begin()
  milk.put('title', 'Oat milk')
  await synced(ann)
  await own.ask('spaces/default/history', {})
  const bob = await place(t, 'default', { ...settings, history: false })
  await synced(bob)
  bob.document('task.milk').counter('n').increment(1)
  await synced(bob)
  await own.halt()
  putBack()
  await own.begin()
  assert.equal((await bob.sync()).failure, null)
  for (let left = true; left; left = [ann, bob].some((each) => each.status().pending || each.status().orphan)) {
    for (const each of [ann, bob]) await each.sync()
  }
  await synced(ann)
  await synced(bob)
  assert.deepEqual(ann.plain('task.milk'), { ...milk.plain, title: 'Oat milk', n: 3 })
  assert.equal(stateOf(bob), stateOf(ann))
})

test('a copy that has to take new ids asks for what a base may hold first', async (t) => {
  const space = token()
  await author(t, space)
  const settings = { server: server.url, space, WebSocket: socket }
  const old = new SyncedReplica(await openIndexedDB(`one ${space}`), null, settings)
  await synced(old)
  old.document('task.milk').counter('n').increment(50)
  await old.saved()
  await copy(`one ${space}`, `two ${space}`)
  await synced(old)
  old.document('task.milk').counter('n').increment(5) // the copy knows nothing of this
  await synced(old)
  await old.close()
  await forget(space)
  const again = new SyncedReplica(await openIndexedDB(`two ${space}`), null, settings)
  t.after(() => again.close())
  const { node } = again
  again.document('task.milk').counter('n').increment(500)
  await synced(again)
  assert.notEqual(again.node, node)
  assert.equal(again.get('task.milk')?.plain.n, 5 + 50 + 5 + 500)
  assert.deepEqual([again.status().pending, again.status().refused], [0, 0])
  const bob = await place(t, space)
  await synced(bob)
  assert.equal(bob.get('task.milk')?.plain.n, 560)
})
