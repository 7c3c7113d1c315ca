// What a real server erases is gone from a replica: from what it shows, and from every record of its disk.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import WebSocket from 'ws'
import 'fake-indexeddb/auto'

import { DocumentReplica } from '../../src/replica/documents/index.js'
import { openIndexedDB } from '../../src/stores/indexeddb.js'
import { KEYS } from '../../src/stores/store.js'
import { SyncManager } from '../../src/sync/manager.js'
import { transportTo } from '../../src/transports/either.js'
import { Server, eventually, token } from '../serving.js'

const SECRET = 'correct horse'

/** A replica on a disk of its own, and who syncs it. @param {import('node:test').TestContext} t @param {Server} server */
async function member(t, server) {
  const replica = new DocumentReplica(await openIndexedDB(token()))
  const transport = transportTo(server.url, { WebSocket: /** @type {any} */ (WebSocket) })
  const manager = new SyncManager(replica, transport, { token: server.key })
  t.after(async () => {
    await manager.close()
    await replica.close()
  })
  return { replica, manager }
}

/** All that is on the disk. @param {DocumentReplica} replica @returns {Promise<string>} */
const disk = ({ store }) =>
  store._disk.run(async (tx) => JSON.stringify(await Promise.all(Object.keys(KEYS).map((name) => tx.all(name)))), 'read')

/** @param {import('node:test').TestContext} t */
async function started(t) {
  const server = await Server.start()
  t.after(() => server.stop())
  return server
}

for (const settles of [false, true]) {
  test(`a note is erased ${settles ? 'in history' : 'in the log'}, and what came after it stays`, async (t) => {
    const server = await started(t)
    const [ann, bob] = [await member(t, server), await member(t, server)]
    const note = ann.replica.create('note.a', { title: 'Keys', text: 'public' })
    note.put('password', SECRET)
    note.put('title', 'Passwords')
    const { id } = ann.replica.pending()[1]
    for (let n = 0; n < 200; n++) note.put('n', n)
    for (const { manager } of [ann, bob]) await manager.sync()
    const find = async () => (await bob.replica.store.entries()).find(({ event }) => event.id === id)?.event
    const { digest } = /** @type {any} */ (await find())
    if (settles) for (const { replica } of [ann, bob]) await replica.settle()
    bob.manager.start()
    await eventually(() => bob.replica.status().state === 'live')
    for (const { replica } of [ann, bob]) assert.ok((await disk(replica)).includes(SECRET))
    assert.deepEqual(bob.replica.plain('note.a'), { title: 'Passwords', text: 'public', password: SECRET, n: 199 })
    await server.ask('erase', { events: [id] })
    await eventually(() => /** @type {any} */ (bob.replica.plain('note.a')).password === null)
    await ann.manager.sync()
    for (const { replica } of [ann, bob]) {
      await eventually(() => replica.status().unsaved === 0)
      assert.deepEqual(replica.plain('note.a'), { title: 'Passwords', text: 'public', password: null, n: 199 })
      assert.ok(!(await disk(replica)).includes(SECRET))
      await replica.settle()
      assert.ok(!(await disk(replica)).includes(SECRET))
    }
    const erased = await find()
    assert.deepEqual([erased?.isErased, erased?.digest], [true, digest])
    bob.replica.document('note.a').put('title', 'Open') // on what is left
    await bob.manager.sync()
    await ann.manager.sync()
    assert.equal(/** @type {any} */ (ann.replica.plain('note.a')).title, 'Open')
  })
}

test('who was offline has it erased too, before a server that was put back can bring it again', async (t) => {
  const server = await started(t)
  const [ann, bob] = [await member(t, server), await member(t, server)]
  ann.replica.create('note.a', { title: 'Keys' })
  await ann.manager.sync()
  await server.halt()
  const restore = server.backUp()
  await server.begin()
  const secret = ann.replica.record('note.a', 'say', SECRET)
  await ann.manager.sync()
  await bob.manager.sync()
  await server.ask('erase', { events: [secret.id] })
  await ann.manager.sync()
  await server.halt()
  restore()
  await server.begin()
  const { given } = await ann.manager.sync() // in its erased form, with what says that it is erased
  assert.ok(given > 0)
  await bob.manager.sync()
  for (const { replica } of [ann, bob]) {
    assert.ok(!(await disk(replica)).includes(SECRET))
    assert.deepEqual([replica.status().orphan, replica.status().pending, replica.status().refused], [0, 0, 0])
  }
  assert.ok(!JSON.stringify(await server.events('default')).includes(SECRET))
})

test('what is recorded on erasable items is salted, once the server has said so', async (t) => {
  const server = await started(t)
  await server.ask('spaces/default/erasable', { items: ['user.*'] }, 'PUT')
  const { replica, manager } = await member(t, server)
  assert.equal(replica.record('user.a', 'say', 1).meta, undefined)
  await manager.sync()
  assert.match(replica.record('user.a', 'say', 2).meta?.salt ?? '', /^[\w-]{22}$/)
  assert.equal(replica.record('task.a', 'say', 3).meta, undefined)
  replica.create('user.b', { name: 'Bob' })
  const { errors } = await manager.sync()
  assert.deepEqual(errors, [])
  const salts = (await server.events('default')).map((/** @type {any} */ { meta }) => Boolean(meta?.salt))
  assert.deepEqual(salts.slice(-4), [false, true, false, true])
})
