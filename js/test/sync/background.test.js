// What an app opens: a replica that syncs, and who else is here.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import WebSocket from 'ws'

import { open } from '../../src/syncline.js'
import { Server, eventually, token } from '../serving.js'

/** @type {Server} */
let server
before(async () => void (server = await Server.start({ open: true })))
after(() => server.stop())

/**
 * @param {import('node:test').TestContext} t
 * @param {import('../../src/sync/background.js').Settings} [more]
 */
async function place(t, more) {
  const socket = /** @type {any} */ (WebSocket)
  const replica = await open('notes', { store: 'memory', server: server.url, WebSocket: socket, ...more })
  t.after(() => replica.close())
  return replica
}

test('without a server a replica is local, and says so', async (t) => {
  const notes = await place(t, { server: undefined })
  notes.create('task.a', { n: 1 })
  await assert.rejects(notes.sync(), { code: 'bad_settings' })
  assert.throws(() => notes.start(), { code: 'bad_settings' })
  await assert.rejects(open('notes'), { code: 'bad_settings' })
})

test('what one edits the other shows, live', async (t) => {
  const space = token()
  const [a, b] = [await place(t, { space }), await place(t, { space })]
  a.create('task.a', { title: 'Milk' })
  assert.equal((await a.sync()).pushed, 1)
  for (const each of [a, b]) each.start()
  await eventually(() => b.get('task.a') !== null)
  b.document('task.a').put('title', 'Soy')
  await eventually(() => a.get('task.a')?.plain.title === 'Soy')
  await a.stop()
  assert.equal(a.status().state, 'offline')
})

test('other credentials: what was started goes on', async (t) => {
  const own = await Server.start()
  t.after(() => own.stop())
  const notes = await place(t, { server: own.url, token: 'sk_wrong' })
  notes.create('task.a')
  notes.start()
  await eventually(() => notes.status().state === 'needs_auth')
  assert.equal(notes.status().pending, 1)
  await notes.signIn(own.key)
  await notes.sync()
  assert.equal(notes.status().pending, 0)
})

test('who is here is told: others alone, the last state, by item', async (t) => {
  const space = token()
  const [a, b] = [await place(t, { space }), await place(t, { space })]
  /** @type {any[]} */
  const told = []
  const stop = b.presence.watch((peers) => told.push(peers.map(({ state }) => state)), { item: 'note.a' })
  for (const each of [a, b]) each.start()
  for (let caret = 0; caret < 50; caret++) a.presence.set({ caret }, 'note.a')
  a.presence.set({ busy: true }, null, 'me')
  await eventually(() => b.presence.peers().length === 2)
  await eventually(() => b.presence.peers('note.a')[0]?.state.caret === 49)
  assert.deepEqual(b.presence.peers(null).map(({ node, state }) => [node, state]), [[a.node, { busy: true }]])
  assert.deepEqual(a.presence.peers(), [])
  assert.ok(told.length < 10, 'at a bounded pace')
  stop()
  a.presence.clear()
  await eventually(() => b.presence.peers().length === 1)
  await a.stop()
  await eventually(() => b.presence.peers().length === 0)
})

test('presences are said again on a new connection, and nobody is here without one', async (t) => {
  const own = await Server.start({ open: true })
  t.after(() => own.stop())
  const [a, b] = [await place(t, { server: own.url }), await place(t, { server: own.url })]
  a.presence.set('here')
  for (const each of [a, b]) each.start()
  await eventually(() => b.presence.peers().length === 1)
  await own.halt('SIGKILL')
  await eventually(() => b.presence.peers().length === 0)
  await own.begin()
  await eventually(() => b.presence.peers().length === 1)
})

test('a presence is small, and needs a server', async (t) => {
  const local = await place(t, { server: undefined })
  assert.throws(() => local.presence.set('here'), { code: 'bad_settings' })
  local.presence.clear()
  assert.deepEqual(local.presence.peers(), [])
  const notes = await place(t)
  assert.throws(() => notes.presence.set('x'.repeat(5000)), { code: 'too_large' })
})
