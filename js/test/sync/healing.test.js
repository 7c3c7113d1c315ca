// Replicas that find and mend what no cursor tells of, against a real server.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { Entry, Event } from '../../src/core/events.js'
import { holdingsOf } from '../../src/replica/exchange.js'
import { DocumentReplica } from '../../src/replica/documents/index.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { SyncManager } from '../../src/sync/manager.js'
import { HttpTransport } from '../../src/transports/http.js'
import { Author } from '../author.js'
import { Server, eventually, token } from '../serving.js'

/** @type {Server} */
let server
before(async () => void (server = await Server.start()))
after(() => server.stop())

/** @param {import('node:test').TestContext} t @param {DocumentReplica} replica @param {{space: string, key: string}} as */
function managed(t, replica, { space, key }) {
  const manager = new SyncManager(replica, new HttpTransport(server.url), { space, token: key, backoffSeconds: 0.02 })
  t.after(async () => {
    await manager.close()
    await replica.close()
  })
  return { replica, manager }
}

/** A user who has recorded some events and synced them. @param {import('node:test').TestContext} t */
async function person(t, count = 20) {
  const space = token()
  const user = await server.user(space)
  const as = { space, key: await server.keyOf(space, user) }
  const { replica, manager } = managed(t, new DocumentReplica(new MemoryStore()), as)
  for (let n = 0; n < count; n++) replica.create(`task.${n}`, { n })
  assert.equal((await manager.sync()).failure, null)
  return { replica, manager, as }
}

/**
 * A replica that claims to hold all that another has, but has these entries instead.
 * @param {import('node:test').TestContext} t @param {{replica: DocumentReplica, as: any}} of
 * @param {(entries: Entry[]) => Entry[]} change @param {boolean} [settled] whether its entries have settled
 */
async function damaged(t, { replica, as }, change, settled = false) {
  const store = new MemoryStore()
  const { state } = replica.store
  await store.commit({ entries: change(await replica.store.entries()), state: { ...state, node: 'damaged', n: 0, version: 0 } })
  const copy = managed(t, new DocumentReplica(store), as)
  if (settled) await copy.replica.settle()
  return copy
}

/** @param {DocumentReplica} replica */
const root = async (replica) => (await (await holdingsOf(replica)).tree({ local: false })).root

for (const settled of [false, true]) {
  test(`what a replica lacks or holds otherwise it gets, ${settled ? 'also below what has settled' : 'at once'}`, async (t) => {
    const whole = await person(t)
    const forged = (/** @type {Entry} */ { seq, at, receipt, event }) =>
      new Entry(seq, at, receipt, new Event({ ...event.value, payload: 'forged' }))
    const { replica, manager } = await damaged(t, whole, (entries) => {
      const own = entries.filter(({ event }) => event.item[0] !== '.')
      return entries.filter((entry) => entry !== own[3] && entry !== own[9]).map((entry) => (entry === own[5] ? forged(entry) : entry))
    }, settled)
    assert.equal((await manager.sync()).pulled, 0)
    assert.notEqual(await root(replica), await root(whole.replica))
    assert.equal(replica.get('task.3'), null)
    const { mended, given, pulled, failure } = await manager.heal()
    assert.deepEqual([mended, given, pulled, failure], [3, 0, 0, null])
    assert.equal(await root(replica), await root(whole.replica))
    assert.deepEqual(replica.get('task.3')?.plain, { n: 3 })
    const again = await manager.heal()
    assert.deepEqual([again.mended, again.given, again.failure], [0, 0, null])
  })
}

test('what the log lacks in its midst it gets, under a new seq, once', async (t) => {
  const whole = await person(t)
  const lost = new Author('gone', /** @type {string} */ (whole.replica.user)).event('task.lost')
  const { replica, manager } = await damaged(t, whole, (entries) => {
    const [{ seq, at, receipt }] = entries.slice(-4)
    return entries.map((entry) => (entry.seq === seq ? new Entry(seq, at, receipt, lost) : entry))
  })
  const { given, failure } = await manager.heal()
  assert.deepEqual([given, failure], [1, null])
  await whole.manager.sync()
  assert.equal(await root(replica), await root(whole.replica))
  const ids = (await server.events(whole.as.space)).map((/** @type {any} */ { id }) => id)
  assert.deepEqual([ids.filter((/** @type {string} */ id) => id === lost.id).length, ids.length], [1, new Set(ids).size])
  const held = await replica.store.entries()
  assert.equal(new Set(held.map(({ event }) => event.id)).size, held.length)
  assert.deepEqual([replica.status().orphan, replica.status().pending, replica.status().refused], [0, 0, 0])
  assert.equal((await manager.heal()).given, 0)
})

test('a replica that is live heals, and is live again', async (t) => {
  const whole = await person(t)
  const { replica, manager } = await damaged(t, whole, (entries) => entries.slice(0, -2).concat(entries.slice(-1)))
  manager.start()
  await eventually(() => replica.status().state === 'live')
  assert.equal((await manager.heal()).mended, 1)
  await eventually(() => replica.status().state === 'live')
  assert.equal(await root(replica), await root(whole.replica))
})
