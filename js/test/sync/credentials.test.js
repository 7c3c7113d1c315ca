// By what right replicas sync: tokens that are wrong, expire or are another's, and people who sign in.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import WebSocket from 'ws'

import { DocumentReplica } from '../../src/replica/documents/index.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { SyncManager } from '../../src/sync/manager.js'
import { signedIn } from '../../src/sync/sign_in.js'
import { transportTo } from '../../src/transports/either.js'
import { HttpTransport } from '../../src/transports/http.js'
import { PASSWORD, Server, eventually, token } from '../serving.js'

/** @type {Record<string, () => import('../../src/transports/memory.js').Transport>} */
const TRANSPORTS = {
  websocket: () => transportTo(server.url, { WebSocket: /** @type {any} */ (WebSocket) }),
  http: () => new HttpTransport(server.url),
}

/** @type {Server} */
let server
before(async () => void (server = await Server.start()))
after(() => server.stop())

/**
 * @param {import('node:test').TestContext} t
 * @param {string} transport
 * @param {any} options
 */
function place(t, transport, options) {
  const replica = new DocumentReplica(new MemoryStore())
  const manager = new SyncManager(replica, TRANSPORTS[transport](), { backoffSeconds: 0.02, maxBackoffSeconds: 0.1, ...options })
  t.after(async () => {
    await manager.close()
    await replica.close()
  })
  return { replica, manager }
}

/** A new space, a user there, and a key. */
async function person(space = token()) {
  const user = await server.user(space)
  return { space, user, key: await server.keyOf(space, user) }
}

/** In memory, as localStorage is. */
function storage() {
  const values = new Map()
  return {
    getItem: (/** @type {string} */ key) => values.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void values.set(key, value),
    removeItem: (/** @type {string} */ key) => void values.delete(key),
  }
}

for (const name of Object.keys(TRANSPORTS)) {
  test(`${name}: without good credentials nothing is lost, and with them it goes on`, async (t) => {
    const { space, user, key } = await person()
    const { replica, manager } = place(t, name, { space, token: 'nonsense' })
    replica.record('task.a', 'create')
    manager.start()
    await eventually(() => replica.status().state === 'needs_auth')
    assert.deepEqual([replica.status().pending, replica.status().error?.code], [1, 'unauthorized'])
    await manager.signIn(key)
    await eventually(() => replica.status().state === 'live' && replica.status().pending === 0)
    assert.equal(replica.user, user)
  })

  test(`${name}: what was not started does not start with credentials`, async (t) => {
    const { space, key } = await person()
    const { replica, manager } = place(t, name, { space, token: 'nonsense' })
    assert.equal((await manager.sync()).failure?.code, 'unauthorized')
    assert.equal(replica.status().state, 'needs_auth')
    await manager.signIn(key)
    assert.deepEqual([replica.status().state, replica.status().error], ['offline', null])
    assert.equal((await manager.sync()).failure, null)
  })

  test(`${name}: a function is asked once more when its token was refused, and not for ever`, async (t) => {
    const { space, key } = await person()
    const answers = ['nonsense', key]
    const good = place(t, name, { space, token: async () => answers.shift() })
    assert.equal((await good.manager.sync()).failure, null)
    assert.deepEqual(answers, [])
    let asked = 0
    const bad = place(t, name, { space, token: () => `nonsense ${++asked}` })
    bad.manager.start()
    await eventually(() => bad.replica.status().state === 'needs_auth')
    assert.equal(asked, 2)
  })

  test(`${name}: another user's credentials push nothing`, async (t) => {
    const ann = await person()
    const bob = await person(ann.space)
    const { replica, manager } = place(t, name, { space: ann.space, token: ann.key })
    await manager.sync()
    replica.record('task.a', 'create')
    await manager.signIn(bob.key)
    assert.equal((await manager.sync()).failure?.code, 'user_mismatch')
    assert.deepEqual([replica.status().state, replica.status().pending, replica.user], ['needs_auth', 1, ann.user])
    await manager.signIn(ann.key)
    assert.equal((await manager.sync()).pushed, 1)
  })

  test(`${name}: a session goes on with a fresh token before the one in use expires`, async (t) => {
    const { space, user, key } = await person()
    const expires_ms = Date.now() + 2_500
    const short = await server.ask(`spaces/${space}/keys`, { name: 'short', user, expires_ms })
    const given = [short.key, key]
    let asked = 0
    const { replica, manager } = place(t, name, { space, token: async () => given[Math.min(asked++, 1)] })
    /** @type {Set<string>} */
    const states = new Set()
    manager.start()
    await eventually(() => replica.status().state === 'live')
    replica.watchStatus(({ state }) => states.add(state))
    await eventually(() => Date.now() > expires_ms + 300)
    replica.record('task.a', 'create')
    await eventually(() => replica.status().pending === 0)
    assert.deepEqual([asked, [...states]], [2, ['live']])
  })
}

test('somebody signs in with a password, and stays so', async (t) => {
  const { space, user } = await person()
  const me = await signedIn({ server: server.url, space, user, password: PASSWORD })
  assert.equal(me.user, user)
  const first = await me()
  assert.equal(await me(), first)
  const { replica, manager } = place(t, 'websocket', { space, token: me })
  replica.record('task.a', 'create')
  assert.equal((await manager.sync()).pushed, 1)
  me.refused()
  const second = await me()
  assert.notEqual(second, first)
  await me.signOut()
  await assert.rejects(me(), { code: 'unauthorized' })
  assert.equal((await manager.sync()).failure?.code, 'unauthorized')
  assert.equal(replica.status().state, 'needs_auth')
})

test('a password that is wrong', async () => {
  const { space, user } = await person()
  const who = { server: server.url, space, user, password: 'wrong' }
  await assert.rejects(signedIn(who), { code: 'invalid_credentials' })
  await assert.rejects(signedIn({ server: server.url, space }), { code: 'unauthorized' })
  await assert.rejects(signedIn({ ...who, server: 'http://127.0.0.1:9' }), { code: 'connection_lost' })
})

test('a session is kept, shared, and forgotten when it has ended', async () => {
  const { space, user } = await person()
  const kept = storage()
  const where = { server: server.url, space, storage: kept }
  const one = await signedIn({ ...where, user, password: PASSWORD })
  const other = await signedIn(where)
  assert.equal(await other(), await one())
  other.refused()
  const fresh = await other()
  assert.equal(await one(), fresh)
  await one.signOut()
  await assert.rejects(other(), { code: 'unauthorized' })
  await assert.rejects(signedIn(where), { code: 'unauthorized' })
})

test('a refresh token is enough, and a session that was ended elsewhere is over', async () => {
  const { space, user } = await person()
  const login = await server.ask(`spaces/${space}/auth/login`, { user, password: PASSWORD })
  const me = await signedIn({ server: server.url, space, refreshToken: login.refresh_token })
  assert.notEqual(await me(), login.access_token)
  await fetch(`${server.url}/v1/auth/logout`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${await me()}`, 'X-Tenant-ID': space },
  })
  me.refused()
  await assert.rejects(me(), { code: 'unauthorized' })
})

/** Locks as a browser has them: whoever asks for the same name waits. */
function locks() {
  let last = Promise.resolve()
  return { request: (/** @type {string} */ _, /** @type {() => any} */ call) => (last = last.then(call, call)) }
}

test('tabs that share a session refresh it once', async (t) => {
  Object.defineProperty(globalThis, 'navigator', { value: { locks: locks() }, configurable: true })
  t.after(() => Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true }))
  const { space, user } = await person()
  let refreshed = 0
  const counted = (/** @type {any} */ url, /** @type {any} */ init) => {
    refreshed += Number(url.endsWith('refresh'))
    return fetch(url, init)
  }
  const where = { server: server.url, space, storage: storage(), fetch: counted }
  const tabs = [await signedIn({ ...where, user, password: PASSWORD }), await signedIn(where), await signedIn(where)]
  for (const tab of tabs) tab.refused()
  const tokens = await Promise.all(tabs.map((tab) => tab()))
  assert.deepEqual([refreshed, new Set(tokens).size], [1, 1])
})
