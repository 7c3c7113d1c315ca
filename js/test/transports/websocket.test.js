// The heartbeat: a server that vanishes in silence is noticed, and one that only has nothing to say is not.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import WebSocket, { WebSocketServer } from 'ws'

import { WebSocketTransport } from '../../src/transports/websocket.js'

const WELCOME = { type: 'welcome', epoch: '0'.repeat(32), head: 0, time: 0, user: 'ann' }

/**
 * A conversation with a server that answers hello, and then only what it is told to; and what it has heard.
 * @param {import('node:test').TestContext} t
 */
async function conversation(t) {
  const server = new WebSocketServer({ port: 0, path: '/ws' })
  await once(server, 'listening')
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  /** @type {Promise<any>} */
  let closed = Promise.resolve()
  class Socket extends WebSocket {
    /** @param {string} url */
    constructor(url) {
      super(url)
      closed = once(this, 'close')
    }
  }
  const transport = new WebSocketTransport(`http://127.0.0.1:${address.port}`, { WebSocket: /** @type {any} */ (Socket) })
  const connected = once(server, 'connection')
  const welcome = transport.hello({ type: 'hello', protocol: 1, node: 'n', space: 'home', token: null })
  const [socket] = /** @type {[WebSocket]} */ (await connected)
  await once(socket, 'message')
  socket.send(JSON.stringify(WELCOME))
  await welcome
  t.after(async () => {
    socket.terminate()
    server.close()
    await closed // it clears timers, which must not be those of the next test
  })
  const heard = async () => JSON.parse(String((await once(socket, 'message'))[0]))
  return { transport, socket, heard }
}

/** @type {import('../../src/core/messages.js').Pull} */
const PULL = { type: 'pull', ref: 0, cursor: null, limit: 1, items: [] }

/** Lets messages arrive that are on their way through this machine. @param {WebSocket} socket */
const roundTrip = async (socket) => {
  socket.ping()
  await once(socket, 'pong')
}

test('silence is asked about, and ends the conversation if there is no answer', async (t) => {
  const { transport, socket, heard } = await conversation(t)
  const page = assert.rejects(transport.pull(PULL), { code: 'connection_lost', message: 'The server has gone silent.' })
  assert.equal((await heard()).type, 'pull')
  t.mock.timers.tick(7_500)
  assert.equal((await heard()).type, 'ping')
  t.mock.timers.tick(5_000)
  await Promise.all([page, once(socket, 'close')])
})

test('whoever answers is not silent', async (t) => {
  const { transport, socket, heard } = await conversation(t)
  const page = transport.pull(PULL)
  const { ref } = await heard()
  for (let minute = 0; minute < 5; minute++) {
    t.mock.timers.tick(7_500)
    const ping = await heard()
    socket.send(JSON.stringify({ type: 'pong', ref: ping.ref }))
    await roundTrip(socket)
  }
  socket.send(JSON.stringify({ type: 'page', ref, entries: [], cursor: 'c' }))
  assert.equal((await page).cursor, 'c')
  await transport.close()
})

test('a ping is answered', async (t) => {
  const { transport, socket, heard } = await conversation(t)
  socket.send('{"type":"ping","ref":7}')
  assert.deepEqual(await heard(), { type: 'pong', ref: 7 })
  await transport.close()
})

test('whoever has reason to doubt finds out sooner', async (t) => {
  const { transport, socket, heard } = await conversation(t)
  const pages = transport.subscribe({ type: 'live', cursor: null, items: [] })
  const next = assert.rejects(pages.next(), { code: 'connection_lost' })
  await heard()
  transport.probe()
  assert.equal((await heard()).type, 'ping')
  socket.send('{"type":"pong"}')
  await roundTrip(socket)
  t.mock.timers.tick(5_000)
  transport.probe()
  assert.equal((await heard()).type, 'ping')
  t.mock.timers.tick(5_000)
  await next
})

test('what the server says last is why the subscription ends', async (t) => {
  const { transport, socket, heard } = await conversation(t)
  const pages = transport.subscribe({ type: 'live', cursor: null, items: [] })
  const next = assert.rejects(pages.next(), { code: 'token_expired' })
  await heard()
  socket.send('{"type":"error","code":"token_expired","message":"Too old."}')
  socket.close(4401, 'token_expired')
  await next
  await assert.rejects(transport.pull(PULL), { code: 'connection_lost' })
})

test('what is no message ends the conversation', async (t) => {
  const { transport, socket } = await conversation(t)
  const page = assert.rejects(transport.pull(PULL), { code: 'internal' })
  socket.send('nonsense')
  await page
})
