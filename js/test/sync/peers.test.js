// Replicas that sync with each other, and then with a server: nothing is lost, nothing is there twice.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { Event } from '../../src/core/events.js'
import { giveOf } from '../../src/core/peering.js'
import { ChannelTransport, MemoryTransport, ReplicaPeer, serve, syncWith } from '../../src/peers.js'
import { hear, holdingsOf } from '../../src/replica/exchange.js'
import { DocumentReplica } from '../../src/replica/documents/index.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { SyncManager } from '../../src/sync/manager.js'
import { HttpTransport } from '../../src/transports/http.js'
import { START_MS, Author, entries } from '../author.js'
import { Server, eventually, token } from '../serving.js'

/** @type {Server} */
let server
before(async () => void (server = await Server.start()))
after(() => server.stop())

/** @param {import('node:test').TestContext} t @param {import('../../src/replica/commits.js').Sources & {node?: string}} [sources] */
function place(t, { node, ...sources } = {}) {
  const replica = new DocumentReplica(new MemoryStore(node), sources)
  t.after(() => replica.close())
  return replica
}

/** @param {DocumentReplica} one @param {DocumentReplica} other */
const meet = (one, other) => syncWith(one, new MemoryTransport(new ReplicaPeer(other))).sync()

/** @param {DocumentReplica} replica @param {string} space @param {string} key */
const sync = (replica, space, key) => new SyncManager(replica, new HttpTransport(server.url), { space, token: key }).sync()

/** The ids of what people wrote in a space. @param {string} space @returns {Promise<string[]>} */
const stored = async (space) =>
  (await server.events(space)).filter((/** @type {any} */ { item }) => item[0] !== '.').map((/** @type {any} */ { id }) => id)

/** @param {DocumentReplica} replica */
const shown = (replica) => Object.fromEntries(replica.items().map((item) => [item, replica.get(item)?.plain]))

/** @param {DocumentReplica} replica */
const root = async (replica) => (await (await holdingsOf(replica)).tree()).root

/** @param {DocumentReplica[]} replicas */
async function areAlike(replicas) {
  for (const each of replicas) {
    assert.deepEqual(shown(each), shown(replicas[0]))
    assert.equal(await root(each), await root(replicas[0]))
  }
}

test('two replicas agree with no server', async (t) => {
  const [a, b] = [place(t), place(t)]
  a.create('task.a', { title: 'Milk' })
  b.create('task.b', { title: 'Bread' })
  const { pushed, pulled, failure } = await meet(a, b)
  assert.deepEqual([pushed, pulled, failure], [1, 1, null])
  assert.deepEqual(shown(a), { 'task.a': { title: 'Milk' }, 'task.b': { title: 'Bread' } })
  await areAlike([a, b])
  for (const each of [a, b]) assert.deepEqual([each.status().pending, each.status().heard, each.heard().length], [1, 1, 1])
  const again = await meet(b, a)
  assert.deepEqual([again.pushed, again.pulled, again.failure], [0, 0, null])
  assert.equal(a.status().state, 'offline')
})

test('both edit one document, and merge alike', async (t) => {
  const [a, b] = [place(t), place(t)]
  a.create('task.a', { title: 'Milk', n: 0 })
  await meet(a, b)
  for (let round = 0; round < 5; round++) {
    a.document('task.a').put(`a${round}`, round)
    b.document('task.a').put(`b${round}`, round)
    a.document('task.a').put('n', round)
    b.document('task.a').put('n', -round)
  }
  await meet(b, a)
  await areAlike([a, b])
  assert.equal(Object.keys(/** @type {any} */ (a.get('task.a')?.plain)).length, 12)
})

test('three in a ring, then a server: nothing is lost, and nothing is there twice', async (t) => {
  const space = token()
  const people = await Promise.all([0, 1, 2].map(() => server.user(space)))
  const keys = await Promise.all(people.map((user) => server.keyOf(space, user)))
  const ring = people.map((user) => place(t, { user }))
  ring.forEach((each, place) => each.create(`task.${place}`, { by: place }))
  for (let round = 0; round < 2; round++) for (const place of [0, 1, 2]) await meet(ring[place], ring[(place + 1) % 3])
  ring[0].document('task.1').put('by', 0) // builds on what was heard
  await meet(ring[2], ring[0])
  await meet(ring[1], ring[2])
  await areAlike(ring)

  const first = await sync(ring[0], space, keys[0])
  assert.deepEqual([first.pushed, first.failure], [1, null])
  assert.equal(ring[0].status().pending, 1, 'what names something heard waits until that is in the log')
  assert.equal((await sync(ring[1], space, keys[1])).pushed, 1)
  assert.equal((await sync(ring[2], space, keys[2])).pushed, 1)
  for (const place of [0, 1, 2, 0, 1, 2]) assert.equal((await sync(ring[place], space, keys[place])).failure, null)
  const ids = await stored(space)
  assert.deepEqual([ids.length, new Set(ids).size], [4, 4])
  for (const each of ring) assert.deepEqual([each.status().pending, each.status().heard, each.status().refused], [0, 0, 0])
  await areAlike(ring)
  assert.deepEqual(ring[2].get('task.1')?.plain, { by: 0 })
})

test('what one user recorded elsewhere is pushed by whichever of the two gets there', async (t) => {
  const space = token()
  const user = await server.user(space)
  const key = await server.keyOf(space, user)
  const [laptop, phone] = [place(t, { user }), place(t, { user })]
  phone.create('task.a', { n: 1 })
  await meet(laptop, phone)
  await sync(laptop, space, key) // whose user the server has said now
  await sync(laptop, space, key)
  assert.equal((await stored(space)).length, 1)
  assert.equal((await sync(phone, space, key)).failure, null)
  assert.deepEqual([phone.status().pending, laptop.status().heard], [0, 0])
  assert.equal((await stored(space)).length, 1)
})

test('an author who met no server has no user yet; later the same event has one', async (t) => {
  const space = token()
  const user = await server.user(space)
  const [author, friend] = [place(t), place(t)]
  author.create('task.a', { n: 1 })
  await meet(author, friend)
  await sync(author, space, await server.keyOf(space, user))
  await meet(author, friend)
  assert.deepEqual(friend.heard().map((event) => event.user), [user])
  await areAlike([author, friend])
})

test('replicas of two logs exchange nothing', async (t) => {
  const [a, b] = [place(t), place(t)]
  for (const [each, epoch] of /** @type {const} */ ([[a, '1'], [b, '2']])) {
    each.create('task.a', { n: epoch })
    await hear(each, [new Author(`friend${epoch}`).event('task.b')], epoch.repeat(32))
  }
  const { failure } = await meet(a, b)
  assert.equal(failure?.code, 'epoch_changed')
  assert.deepEqual(a.get('task.a')?.plain, { n: '1' })
  const c = place(t)
  await meet(c, a)
  assert.equal(c.epoch, '1'.repeat(32), 'who knows no log learns which it is')
})

test('copies of one replica get a node each before they exchange anything', async (t) => {
  const [a, b] = [place(t, { node: 'same' }), place(t, { node: 'same' })]
  a.create('task.a', { n: 1 })
  b.create('task.b', { n: 2 })
  const { failure, pulled } = await meet(a, b)
  assert.deepEqual([failure, pulled], [null, 1])
  assert.notEqual(a.node, b.node)
  await areAlike([a, b])
})

test('what no server could take, and what only a server tells, is left where it is', async (t) => {
  const ahead = place(t, { nowMs: () => Date.now() + 3_600_000 })
  const [here, peer] = [place(t), new ReplicaPeer(ahead)]
  ahead.create('task.a', { n: 1 })
  const result = await syncWith(here, new MemoryTransport(peer)).sync()
  assert.deepEqual([result.pulled, result.errors.map(({ code }) => code)], [0, ['clock_drift']])
  const system = Event.of({ ...new Author().event('.rules.a').value })
  const { left, news } = await hear(here, [system], null)
  assert.deepEqual([left.get(system.id)?.code, news], ['forbidden', []])
  const { id, item, node, clock } = new Author().event('task.b').value
  const erased = Event.of({ id, item, action: '.erased', node, clock })
  assert.deepEqual((await hear(here, [erased], null)).left.get(id)?.code, 'forbidden')
})

test('a peer whose history begins later each time is not asked for ever', async (t) => {
  const [here, peer] = [place(t), new ReplicaPeer(place(t))]
  here.create('task.a', { n: 1 })
  /** @type {any} */
  const transport = new MemoryTransport(peer)
  const ask = transport.ask.bind(transport)
  transport.ask = async (/** @type {any} */ step) => ({ ...(await ask(step)), ...(step.type === 'merkle' && { seq: step.since + 1 }) })
  const { failure } = await syncWith(here, transport).sync()
  assert.equal(failure?.code, 'bad_request')
})

test('a peer answers who shows its token, and what it cannot read with an error', async (t) => {
  const replica = place(t)
  const peer = new ReplicaPeer(replica, { token: 'secret' })
  const wrong = await syncWith(place(t), new MemoryTransport(peer), { token: 'guess' }).sync()
  assert.equal(wrong.failure?.code, 'unauthorized')
  const say = async (/** @type {any} */ message) => JSON.parse(await peer.answer(JSON.stringify(message)))
  assert.equal((await say({ type: 'fetch', ref: 7, ids: [new Author().event().id] })).code, 'hello_required')
  assert.equal((await syncWith(place(t), new MemoryTransport(peer), { token: 'secret' }).sync()).failure, null)
  assert.deepEqual([(await say({ type: 'pull', ref: 8 })).code, (await say({ type: 'pull', ref: 8 })).ref], ['bad_request', 8])
  assert.equal((await say({ ...giveOf(null, []), entries: [1] })).code, 'bad_request')
  assert.equal((await say({ ...giveOf(null, []), entries: [{ event: { id: 'no' } }] })).results[0].error.code, 'invalid_event')
  assert.deepEqual(await say({ type: 'ping', ref: 3 }), { type: 'pong', ref: 3 })
})

test('what a peer knows keeps its id, whatever the clock of a server says', async (t) => {
  const [a, b] = [place(t), place(t)]
  const shared = a.record('task.a', 'create', {})
  await meet(b, a)
  const own = a.record('task.b', 'create', {})
  await a.saved()
  await a.perform({ type: 'restamp', nowMs: Date.now() })
  const ids = a.pending().map(({ id }) => id)
  assert.deepEqual([ids.includes(shared.id), ids.includes(own.id), ids.length], [true, false, 2])
})

test('new ids come after what was heard, which new events may name', async (t) => {
  const nowMs = () => START_MS
  const [a, b] = [place(t, { nowMs }), place(t, { nowMs })]
  const heard = b.record('task.a', 'create', {})
  await meet(a, b)
  const naming = a.record('task.a', 'update', null, { ops: [{ op: 'put', key: 'a', value: 1, over: [`${heard.id}:0`] }] })
  await a.saved()
  await a.perform({ type: 'restamp', nowMs: START_MS - 1_000 })
  const [{ id }] = a.pending()
  assert.deepEqual([id === naming.id, id > heard.id], [false, true])
})

test('what was heard and comes too late for its node is refused: nothing was copied here', async (t) => {
  const replica = place(t, { user: 'ann' })
  const [bobs, mine] = [new Author('bobs', 'bob').event('task.a'), new Author('tablet').event('task.a')]
  const welcome = /** @type {any} */ ({ epoch: 'e', head: 0, time: Date.now(), user: 'ann', own: null, rules: null })
  await replica.perform({ type: 'greet', welcome })
  await hear(replica, [bobs, mine], 'e')
  const { node } = replica
  for (const event of [bobs, mine]) await replica.perform({ type: 'mark_copied', event })
  assert.deepEqual([replica.node, replica.local().copied, replica.status().heard], [node, false, 0])
  const codes = [replica.unvouched(), replica.refused()].map((found) => found.map(({ event, error }) => [event.id, error.code]))
  assert.deepEqual(codes, [[[bobs.id, 'node_conflict']], [[mine.id, 'node_conflict']]])
})

test('who came first in the log wins, in whatever order it was heard', async (t) => {
  const [a, b] = [place(t, { user: 'ann' }), place(t, { user: 'ann' })]
  /** @param {import('../../src/core/events.js').Event[]} events @param {number} seq */
  const arrive = (events, seq) => {
    const page = /** @type {any} */ ({ type: 'page', entries: entries(events, seq), late: [], forget: [], cursor: 'c', more: false })
    return a.perform({ type: 'apply', page, items: [] })
  }
  const policy = new Author('server').event('.policies', { action: '.policy.set', payload: { item: '*', policy: 'server_wins' } })
  await arrive([policy], 1)
  const milk = a.create('task.milk', { title: 'Milk' })
  await meet(a, b)
  b.get('task.milk')?.put('title', 'Bread')
  milk.put('title', 'Butter')
  await meet(a, b)
  const [made, first, second] = [...a.pending(), ...a.heard()].sort((one, other) => (one.id < other.id ? -1 : 1))
  const title = (/** @type {import('../../src/core/events.js').Event} */ { node }) => (node === a.node ? 'Butter' : 'Bread')
  assert.equal(milk.plain?.title, title(first))
  let seq = 2
  for (const event of [made, second, first]) {
    await arrive([event], seq++)
    if (event !== made) assert.equal(a.query('task.*', { where: { title: title(second) } }).length, 1)
  }
  assert.equal(milk.plain?.title, title(second))
})

test('what was heard is dropped, and comes again', async (t) => {
  const [a, b] = [place(t), place(t)]
  const { id } = a.record('task.a', 'create', { n: 1 })
  await meet(a, b)
  b.drop(id)
  await eventually(() => b.status().heard === 0)
  assert.equal((await meet(b, a)).pulled, 1)
})

test('over a channel, once and live, and in long frames', async (t) => {
  const [a, b, c] = [place(t), place(t), place(t)]
  const channels = [new MessageChannel(), new MessageChannel()]
  const ends = channels.map(({ port1 }) => serve(/** @type {any} */ (port1), new ReplicaPeer(b)))
  const syncs = [a, c].map((each, at) => syncWith(each, new ChannelTransport(/** @type {any} */ (channels[at].port2))))
  t.after(async () => {
    for (const each of syncs) await each.close()
    for (const end of ends) end()
    for (const { port1 } of channels) port1.close()
  })
  a.recordMany(Array.from({ length: 300 }, (_, n) => ({ item: `note.${n}`, action: 'create', payload: 'x'.repeat(400) })))
  assert.deepEqual([(await syncs[0].sync()).pushed, (await syncs[1].sync()).pulled], [300, 300])
  for (const each of syncs) each.start()
  a.create('task.a', { n: 1 })
  await eventually(() => c.get('task.a') !== null) // told by the one between
  c.document('task.a').put('n', 2)
  await eventually(() => /** @type {any} */ (a.get('task.a')?.plain)?.n === 2)
  await areAlike([a, b, c])
})
