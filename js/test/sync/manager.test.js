// Replicas that sync with a real server: once and live, through its end and a new beginning.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import WebSocket from 'ws'

import { DocumentReplica } from '../../src/replica/documents/index.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { SyncManager } from '../../src/sync/manager.js'
import { transportTo } from '../../src/transports/either.js'
import { HttpTransport } from '../../src/transports/http.js'
import { Server, eventually, token } from '../serving.js'

/** @typedef {import('../../src/sync/manager.js').SyncResult} SyncResult */

const QUICK = { backoffSeconds: 0.02, maxBackoffSeconds: 0.1 }

/** @type {Record<string, (url: string) => import('../../src/transports/memory.js').Transport>} */
const TRANSPORTS = {
  websocket: (url) => transportTo(url, { WebSocket: /** @type {any} */ (WebSocket) }),
  http: (url) => new HttpTransport(url),
}

/** @type {Server} */
let server
before(async () => void (server = await Server.start({ open: true })))
after(() => server.stop())

/**
 * A new replica, and who syncs it. Both end with the test.
 * @param {import('node:test').TestContext} t
 * @param {string} transport
 * @param {any} options
 * @param {DocumentReplica} [replica]
 */
function place(t, transport, options, replica = new DocumentReplica(new MemoryStore())) {
  const manager = new SyncManager(replica, TRANSPORTS[transport](options.url ?? server.url), { ...QUICK, ...options })
  t.after(async () => {
    await manager.close()
    await replica.close()
  })
  return { replica, manager }
}

/** The ids of a replica's events, in order. @param {DocumentReplica} replica */
const held = (replica) => replica.store.log.map(({ event }) => event.id)

/** @param {SyncResult} result */
const told = ({ pushed, pulled, errors }) => [pushed, pulled, errors.map(({ code }) => code)]

for (const name of Object.keys(TRANSPORTS)) {
  test(`${name}: two replicas agree`, async (t) => {
    const space = token()
    const [a, b] = [place(t, name, { space }), place(t, name, { space })]
    const made = [a.replica.record('task.a', 'create'), a.replica.record('task.b', 'create')]
    assert.deepEqual(told(await a.manager.sync()), [2, 2, []])
    made.push(b.replica.record('task.a', 'update'))
    assert.deepEqual(told(await b.manager.sync()), [1, 3, []])
    assert.deepEqual(told(await a.manager.sync()), [0, 1, []])
    assert.deepEqual([held(a.replica), held(b.replica)], Array(2).fill(made.map(({ id }) => id)))
    const { state, pending, error } = a.replica.status()
    assert.deepEqual([state, pending, error], ['offline', 0, null])
  })

  test(`${name}: only the items that were asked for come`, async (t) => {
    const space = token()
    const [a, b] = [place(t, name, { space }), place(t, name, { space, items: ['task.*'] })]
    a.replica.record('task.a', 'create')
    a.replica.record('note.a', 'create')
    await a.manager.sync()
    assert.deepEqual(told(await b.manager.sync()), [0, 1, []])
  })

  test(`${name}: a long log comes page by page`, async (t) => {
    const space = token()
    const [a, b] = [place(t, name, { space }), place(t, name, { space })]
    a.replica.recordMany(Array.from({ length: 2_500 }, (_, at) => ({ item: `task.${at % 50}`, action: 'create' })))
    assert.deepEqual(told(await a.manager.sync()), [2_500, 2_500, []])
    assert.deepEqual(told(await b.manager.sync()), [0, 2_500, []])
  })

  test(`${name}: what is refused is told, and blocks nothing`, async (t) => {
    const { replica, manager } = place(t, name, { space: token() })
    const bad = replica.record('task.a', '.secret')
    replica.record('task.b', 'create')
    const { pushed, errors, failure } = await manager.sync()
    assert.deepEqual([pushed, errors.map(({ code }) => code), failure], [1, ['reserved_action'], null])
    assert.deepEqual(replica.refused().map(({ event }) => event.id), [bad.id])
  })

  test(`${name}: live, what one records the other has, and whoever syncs meanwhile is answered`, async (t) => {
    const space = token()
    const [a, b] = [place(t, name, { space }), place(t, name, { space })]
    for (const { manager } of [a, b]) manager.start()
    await eventually(() => [a, b].every(({ replica }) => replica.status().state === 'live'))
    for (let n = 1; n <= 3; n++) {
      a.replica.record('task.a', 'update')
      b.replica.record('task.b', 'update')
      await eventually(() => [a, b].every(({ replica }) => held(replica).length === 2 * n))
    }
    a.replica.record('task.a', 'update')
    assert.deepEqual((await a.manager.sync()).errors, [])
    assert.equal((await server.events(space)).length, 7)
    await eventually(() => a.replica.status().pending === 0)
    assert.equal(a.replica.status().state, 'live')
    await a.manager.stop()
    assert.equal(a.replica.status().state, 'offline')
    b.replica.record('task.a', 'update')
    await eventually(() => held(b.replica).length === 8)
    assert.equal(held(a.replica).length, 7)
  })

  test(`${name}: a server that comes again finds everybody`, async (t) => {
    const own = await Server.start({ open: true })
    t.after(() => own.stop())
    const { replica, manager } = place(t, name, { url: own.url })
    manager.start()
    await eventually(() => replica.status().state === 'live')
    await own.halt('SIGKILL')
    replica.record('task.a', 'create')
    await eventually(() => replica.status().error?.code === 'connection_lost')
    assert.equal(replica.status().pending, 1)
    await own.begin()
    await eventually(() => replica.status().state === 'live' && replica.status().pending === 0)
    assert.equal((await own.events('default')).length, 1)
  })
}

test('without a server a sync tries, ends, and loses nothing', async (t) => {
  for (const name of Object.keys(TRANSPORTS)) {
    const { replica, manager } = place(t, name, { url: 'http://127.0.0.1:9' })
    replica.record('task.a', 'create')
    const { errors, failure } = await manager.sync()
    assert.deepEqual([errors.length, failure?.code], [1, 'connection_lost'])
    assert.deepEqual([replica.status().pending, replica.status().error?.code], [1, 'connection_lost'])
  }
})

test('a pause ends when the network is back', async (t) => {
  const own = await Server.start({ open: true })
  t.after(() => own.stop())
  const { replica, manager } = place(t, 'websocket', { url: own.url, backoffSeconds: 1e6, maxBackoffSeconds: 1e6, random: () => 1 })
  manager.start()
  await eventually(() => replica.status().state === 'live')
  await own.halt('SIGKILL')
  await eventually(() => replica.status().error?.code === 'connection_lost')
  await own.begin()
  await eventually(() => {
    manager.nudge()
    return replica.status().state === 'live'
  })
})

test('stopping while there is no server does not wait', async (t) => {
  const { replica, manager } = place(t, 'websocket', { url: 'http://127.0.0.1:9', backoffSeconds: 1e6, maxBackoffSeconds: 1e6, random: () => 1 })
  manager.start()
  await eventually(() => replica.status().error?.code === 'connection_lost')
  await manager.stop()
  assert.equal(replica.status().state, 'offline')
  manager.start()
  await manager.stop()
})

test('a server that was restored from an older copy gets back what it lost', async (t) => {
  const own = await Server.start({ open: true })
  t.after(() => own.stop())
  const { replica, manager } = place(t, 'websocket', { url: own.url })
  replica.record('task.a', 'create')
  await manager.sync()
  await own.halt()
  const restore = own.backUp()
  await own.begin()
  replica.record('task.a', 'update')
  await manager.sync()
  await own.halt()
  restore()
  await own.begin()
  assert.equal((await own.events('default')).length, 1)
  const fresh = replica.record('task.a', 'update')
  manager.start()
  await eventually(() => replica.status().state === 'live' && replica.status().error === null && !replica.status().orphan && replica.store.log.length === 2)
  assert.equal((await own.events('default')).length, 2)
  // what is new waits until rules that were lost may be back
  assert.deepEqual(replica.pending().map(({ id }) => id), [fresh.id])
  const { errors, given } = await manager.sync()
  assert.deepEqual([errors.map(({ code }) => code), given], [['recovering'], 0])
})
