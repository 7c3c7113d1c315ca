// What a real server's log has lost, it gets back from the replicas that hold it.

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import WebSocket from 'ws'

import { DocumentReplica } from '../../src/replica/documents/index.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { SyncManager } from '../../src/sync/manager.js'
import { transportTo } from '../../src/transports/either.js'
import { PASSWORD, Server, eventually } from '../serving.js'

const SPACE = 'home'
const SETTLED = { pending: 0, refused: 0, orphan: 0, unvouched: 0 }

/** A server with users of its own. @param {import('node:test').TestContext} t */
async function started(t) {
  const server = await Server.start()
  t.after(() => server.stop())
  await server.ask('spaces', { name: SPACE })
  return server
}

/**
 * A member of the space: a replica, and who syncs it. Both end with the test.
 * @param {import('node:test').TestContext} t @param {Server} server @param {any} [options]
 */
async function member(t, server, options = {}) {
  const user = options.user ?? (await server.user(SPACE))
  const key = options.key ?? (await server.keyOf(SPACE, user))
  const replica = /** @type {DocumentReplica} */ (options.replica) ?? new DocumentReplica(new MemoryStore())
  const transport = transportTo(server.url, { WebSocket: /** @type {any} */ (WebSocket) })
  const manager = new SyncManager(replica, transport, { space: SPACE, token: key, backoffSeconds: 0.02, ...options })
  t.after(async () => {
    await manager.close()
    if (!options.replica) await replica.close()
  })
  return { user, key, replica, manager }
}

/** What people wrote, in order. @param {Server} server */
const written = async (server) =>
  (await server.events(SPACE)).filter((/** @type {any} */ { item }) => item[0] !== '.').map((/** @type {any} */ { payload }) => payload)

/** What a replica shows, in order. @param {DocumentReplica} replica */
const shown = (replica) =>
  [...replica.store.log.map(({ event }) => event), ...replica.onTheirWay()].filter(({ item }) => item[0] !== '.').map(({ payload }) => payload)

/** @param {DocumentReplica} replica */
function unsettled(replica) {
  const { pending, refused, orphan, unvouched } = replica.status()
  return { pending, refused, orphan, unvouched }
}

/** Ends a server, and has it go on from an older copy of its data. @param {Server} server @param {() => void} restore */
async function putBack(server, restore) {
  await server.halt('SIGKILL')
  restore()
  await server.begin()
}

/** A copy of a server's data; returns the way to put it back. @param {Server} server */
async function copied(server) {
  await server.halt()
  const restore = server.backUp()
  await server.begin()
  return restore
}

test('a server that is put back gets everything back, what others wrote too', async (t) => {
  const server = await started(t)
  const [ann, bob] = [await member(t, server), await member(t, server)]
  ann.replica.record('x', 'put', 'first')
  await ann.manager.sync()
  const restore = await copied(server)
  ann.replica.recordMany(Array.from({ length: 1_200 }, (_, n) => ({ item: `x${n % 7}`, action: 'put', payload: n })))
  await ann.manager.sync()
  bob.replica.record('y', 'put', 'b')
  await bob.manager.sync()
  await ann.manager.sync()
  const before = await written(server)
  await putBack(server, restore)
  const { given, errors } = await bob.manager.sync() // ann is not there
  assert.deepEqual([given, errors], [1_201, []])
  assert.deepEqual(await written(server), before)
  await ann.manager.sync()
  for (const { replica } of [ann, bob]) assert.deepEqual([shown(replica), unsettled(replica)], [before, SETTLED])
})

test('live, others’ wait for a while, one’s own do not', async (t) => {
  const server = await started(t)
  const [ann, bob] = [await member(t, server, { giveSeconds: 1e6, random: () => 0.5 }), await member(t, server)]
  ann.replica.record('x', 'put', 'first')
  await ann.manager.sync()
  const restore = await copied(server)
  bob.replica.record('y', 'put', 'of bob')
  await bob.manager.sync()
  ann.replica.record('z', 'put', 'mine')
  await ann.manager.sync()
  await putBack(server, restore)
  ann.manager.start()
  await eventually(() => ann.replica.status().state === 'live' && ann.replica.status().orphan === 1 && ann.replica.store.log.some(({ event }) => event.payload === 'mine'))
  assert.deepEqual([await written(server), shown(ann.replica)], [['first', 'mine'], ['first', 'mine', 'of bob']])
  assert.equal((await bob.manager.sync()).given, 1) // in whose hands ann had left it
  await eventually(() => ann.replica.status().orphan === 0)
  assert.deepEqual(shown(ann.replica), ['first', 'mine', 'of bob'])
})

test('nobody else is there: what others wrote is given when the wait is over', async (t) => {
  const server = await started(t)
  const [ann, bob] = [await member(t, server, { giveSeconds: 0.2 }), await member(t, server)]
  ann.replica.record('x', 'put', 'first')
  await ann.manager.sync()
  const restore = await copied(server)
  bob.replica.record('y', 'put', 'of bob')
  await bob.manager.sync()
  await ann.manager.sync()
  await putBack(server, restore)
  ann.manager.start()
  await eventually(() => ann.replica.status().state === 'live' && ann.replica.status().orphan === 0 && ann.replica.store.log.length > 1)
  assert.deepEqual(await written(server), ['first', 'of bob'])
})

test('what no receipt vouches for stays, and is offered again when somebody asks', async (t) => {
  const server = await started(t)
  const [ann, bob] = [await member(t, server), await member(t, server)]
  bob.replica.record('z', 'put', 'kept')
  await bob.manager.sync()
  const restore = await copied(server)
  bob.replica.record('y', 'put', 'of bob')
  await bob.manager.sync()
  ann.replica.record('x', 'put', 'mine')
  await ann.manager.sync()
  await putBack(server, () => {
    restore()
    rmSync(join(server._data, 'data', 'server.db')) // the register, whose keys make receipts
  })
  await server.ask(`spaces/${SPACE}/users`, { name: ann.user, password: PASSWORD })
  const again = await member(t, server, { user: ann.user, replica: ann.replica })
  assert.deepEqual((await again.manager.sync()).errors.map(({ code }) => code), ['unvouched'])
  assert.deepEqual([unsettled(ann.replica), shown(ann.replica)], [{ ...SETTLED, unvouched: 1 }, ['kept', 'mine', 'of bob']])
  assert.deepEqual(ann.replica.unvouched().map(({ event, error }) => [event.payload, error.code]), [['of bob', 'unvouched']])
  await server.ask(`spaces/${SPACE}/acl`, { user: ann.user, item: 'y', action: '.give', type: 'allow' })
  assert.equal((await again.manager.sync()).given, 0) // nobody has asked for it
  assert.equal(await ann.replica.offerAgain(), 1)
  assert.equal((await again.manager.sync()).given, 1)
  assert.deepEqual([unsettled(ann.replica), await written(server)], [SETTLED, ['kept', 'mine', 'of bob']])
})

test('a server that was lost begins anew with what somebody has who may give it everything', async (t) => {
  const server = await started(t)
  const [ann, bob] = [await member(t, server), await member(t, server)]
  bob.replica.record('y', 'put', 'of bob')
  ann.replica.record('x', 'put', 'mine')
  await bob.manager.sync()
  await ann.manager.sync()
  const other = await started(t)
  await other.ask(`spaces/${SPACE}/users`, { name: ann.user, password: PASSWORD })
  const again = await member(t, other, { user: ann.user, replica: ann.replica })
  assert.deepEqual((await again.manager.sync()).errors.map(({ code }) => code), ['epoch_changed'])
  assert.deepEqual([unsettled(ann.replica), shown(ann.replica)], [SETTLED, ['of bob', 'mine']])
  await other.ask(`spaces/${SPACE}/acl`, { user: ann.user, item: '*', action: '.give', type: 'allow' })
  const { failure } = await again.manager.sync() // the log is empty: it takes the epoch, and then what was in it
  assert.deepEqual([failure, await written(other)], [null, ['of bob', 'mine']])
  assert.deepEqual(unsettled(ann.replica), SETTLED)
})
