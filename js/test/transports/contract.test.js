// What every transport must do, against a real server.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import WebSocket from 'ws'

import { Event } from '../../src/core/events.js'
import { pushOf } from '../../src/core/messages.js'
import { StampClock } from '../../src/core/stamps.js'
import { transportTo } from '../../src/transports/either.js'
import { HttpTransport } from '../../src/transports/http.js'
import { WebSocketTransport } from '../../src/transports/websocket.js'
import { Server, token } from '../serving.js'

/** @typedef {import('../../src/transports/memory.js').Transport} Transport */

const Socket = /** @type {any} */ (WebSocket)

/** @type {Server} */
let server
before(async () => void (server = await Server.start({ open: true })))
after(() => server.stop())

/** @param {number} n @param {string} node */
function eventsOf(n, node) {
  const clock = new StampClock(node)
  return Array.from({ length: n }, (_, at) =>
    Event.of({ id: clock.next(Date.now(), at), item: 'task.a', action: 'create', node, clock: { [node]: at + 1 } }),
  )
}

/** @param {Transport} transport @param {string} space @param {string} node @param {string | null} [key] */
const greet = (transport, space, node, key = null) =>
  transport.hello({ type: 'hello', protocol: 1, node, space, token: key })

/** @param {string | null} [cursor] @returns {import('../../src/core/messages.js').Pull} */
const pullFrom = (cursor = null, limit = 1000) => ({ type: 'pull', ref: 0, cursor, limit, items: [] })

/** @type {Record<string, () => Transport>} */
const TRANSPORTS = {
  websocket: () => new WebSocketTransport(server.url, { WebSocket: Socket }),
  http: () => new HttpTransport(server.url + '/'),
  either: () => transportTo(server.url, { WebSocket: Socket }),
  'either, where no socket can be opened': () => transportTo(server.url, { WebSocket: NoSocket }),
}

/** As where a proxy lets no WebSocket through. */
const NoSocket = /** @type {any} */ (
  class {
    constructor() {
      queueMicrotask(() => this.onerror())
    }

    onerror() {}

    close() {}
  }
)

for (const [name, open] of Object.entries(TRANSPORTS)) {
  test(`${name}: hello, push and pull`, async () => {
    const transport = open()
    const [space, node] = [token(), token()]
    const welcome = await greet(transport, space, node)
    assert.deepEqual([welcome.head, welcome.own, welcome.epoch.length], [0, null, 32])
    const events = eventsOf(3, node)
    const ack = await transport.push(pushOf(events))
    assert.deepEqual(ack.results.map(({ id, seq }) => [id, seq]), events.map(({ id }, at) => [id, at + 1]))
    const page = await transport.pull(pullFrom(null, 2))
    const rest = await transport.pull(pullFrom(page.cursor))
    assert.deepEqual([page.more, rest.more], [true, false])
    const found = [...page.entries, ...rest.entries].map(({ event }) => event.id)
    assert.deepEqual(found, events.map(({ id }) => id))
    assert.equal((await greet(transport, space, node)).own, events[2].id)
    await transport.close()
  })

  test(`${name}: what heals is asked and answered`, async () => {
    const transport = open()
    const [space, node] = [token(), token()]
    await greet(transport, space, node)
    const [one, other] = eventsOf(2, node)
    await transport.push(pushOf([one, other]))
    const found = await transport.ask({ type: 'fetch', ref: 0, ids: [other.id, eventsOf(1, 'x')[0].id, one.id] })
    assert.equal(found.type, 'found')
    assert.deepEqual('entries' in found && found.entries.map(({ event }) => event.id), [other.id, one.id])
    const ids = Array.from({ length: 1_001 }, () => one.id)
    await assert.rejects(transport.ask({ type: 'fetch', ref: 0, ids }), { code: 'bad_request' })
    await transport.close()
  })

  test(`${name}: each event has its own answer`, async () => {
    const transport = open()
    const [space, node] = [token(), token()]
    await greet(transport, space, node)
    const [good, bad] = eventsOf(2, node)
    const { results } = await transport.push(pushOf([good, new Event({ ...bad.value, action: '.secret' })]))
    assert.deepEqual(results.map(({ seq, error }) => seq ?? error?.code), [1, 'reserved_action'])
    await transport.close()
  })

  test(`${name}: a request that fails as a whole fails with its error, and the conversation goes on`, async () => {
    const transport = open()
    await greet(transport, token(), token())
    await assert.rejects(transport.pull(pullFrom('nonsense')), { code: 'bad_cursor' })
    assert.equal((await transport.pull(pullFrom())).more, false)
    await transport.close()
  })

  test(`${name}: pages come live, until the conversation is closed`, async () => {
    const [space, node] = [token(), token()]
    const [writer, reader] = [open(), open()]
    await Promise.all([greet(writer, space, node), greet(reader, space, token())])
    const seen = []
    const events = eventsOf(4, node)
    await writer.push(pushOf(events.slice(0, 2)))
    const { cursor } = await reader.pull(pullFrom(null, 1))
    for await (const page of reader.subscribe({ type: 'live', cursor, items: [] })) {
      for (const { seq } of page.entries) seen.push(seq)
      if (seen.length === 3) break
      if (seen.length === 1) await writer.push(pushOf(events.slice(2)))
    }
    assert.deepEqual(seen, [2, 3, 4])
    const pages = reader.subscribe({ type: 'live', cursor, items: [] })
    await Promise.all([writer.close(), reader.close()])
    await assert.rejects(pages.next())
  })

  test(`${name}: who is not there is a lost connection`, async () => {
    const url = server.url
    Object.defineProperty(server, 'url', { value: 'http://127.0.0.1:9', configurable: true })
    const transport = open()
    Object.defineProperty(server, 'url', { value: url, configurable: true })
    await assert.rejects(greet(transport, 'a', 'n'), { code: 'connection_lost', retryable: true })
  })
}

for (const name of ['websocket', 'http']) {
  test(`${name}: other credentials of the same user, and those of another`, async () => {
    const space = token()
    const [ann, bob] = await Promise.all([server.user(space), server.user(space)])
    const keys = await Promise.all([ann, ann, bob].map((user) => server.keyOf(space, user)))
    const transport = TRANSPORTS[name]()
    assert.equal((await greet(transport, space, token(), keys[0])).user, ann)
    const auth = (/** @type {string} */ key) => transport.authenticate({ type: 'auth', ref: 0, token: key })
    assert.equal((await auth(keys[1])).user, ann)
    await assert.rejects(auth(keys[2]), { code: 'user_mismatch' })
    await assert.rejects(auth('nonsense'), { code: 'unauthorized' })
    assert.equal((await transport.pull(pullFrom())).more, false)
    await transport.close()
    await assert.rejects(greet(transport, space, token(), 'nonsense'), { code: 'unauthorized' })
  })
}

test('after a while over HTTP the pages end, so that a WebSocket is tried again', async (t) => {
  const [space, node] = [token(), token()]
  const transport = transportTo(server.url, { WebSocket: NoSocket })
  await greet(transport, space, node)
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const pages = transport.subscribe({ type: 'live', cursor: null, items: [] })
  const [one, other] = eventsOf(2, node)
  await transport.push(pushOf([one]))
  assert.equal((await pages.next()).value?.entries.length, 1)
  t.mock.timers.tick(599_999)
  const next = pages.next()
  await transport.push(pushOf([other]))
  assert.equal((await next).value?.entries.length, 1)
  t.mock.timers.tick(1)
  assert.equal((await pages.next()).done, true)
  await transport.close()
})

test('a URL that is none', () => {
  assert.throws(() => new HttpTransport('nonsense'), { code: 'bad_settings' })
})
