// A database with rows that do not read is made anew, and no local event that reads is lost.

import 'fake-indexeddb/auto'
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Event } from '../../src/core/events.js'
import { newState, pending } from '../../src/stores/index.js'
import { openIndexedDB } from '../../src/stores/indexeddb.js'
import { saved } from '../../src/stores/mending.js'
import { result } from '../../src/stores/requests.js'

const id = (/** @type {number} */ n) => `01a20000-0000-7000-8000-00000000000${n}`
const event = (/** @type {number} */ n) =>
  new Event({ action: 'update', clock: { node: n }, id: id(n), item: 'task.milk', node: 'node', payload: { n } })

/** A closed replica with three local events. @param {string} name */
async function made(name) {
  const store = await openIndexedDB(name, 'node')
  const state = { ...store.state, user: 'ann', epoch: 'epoch', n: 3, seq: 7 }
  assert.ok(await store.commit({ outbox: [1, 2, 3].map((n) => pending(event(n))), state }))
  store.close()
}

/**
 * @param {string} name
 * @param {(tx: IDBTransaction) => void} change
 */
async function damage(name, change) {
  const db = await result(indexedDB.open(name))
  const tx = db.transaction([...db.objectStoreNames], 'readwrite')
  change(tx)
  await new Promise((resolve) => (tx.oncomplete = resolve))
  db.close()
}

for (const [what, change, left] of /** @type {[string, (tx: IDBTransaction) => void, number[]][]} */ ([
  ['a page of the log', (tx) => tx.objectStore('log').put({ version: 2, text: '[{"seq":' }), [1, 2, 3]],
  ['the state', (tx) => tx.objectStore('state').delete('state'), [1, 2, 3]],
  ['a local event', (tx) => tx.objectStore('outbox').put({ id: id(2), text: '{', status: 'pending' }), [1, 3]],
])) {
  test(`${what} does not read`, async () => {
    const name = `damaged ${what}`
    await made(name)
    await damage(name, change)
    const store = await openIndexedDB(name, 'other')
    assert.deepEqual([...store.outbox.keys()], left.map(id))
    assert.notEqual(store.state.node, 'node')
    assert.deepEqual([store.state.seq, store.state.cursor], [0, null])
    assert.equal(store.state.user, what === 'the state' ? null : 'ann')
    store.close()
    assert.equal(await saved(name), null)
    const names = (await indexedDB.databases()).map((each) => each.name ?? '')
    assert.equal(names.some((each) => each.startsWith(`${name}.damaged-`)), left.length < 3)
    const again = await openIndexedDB(name, 'other')
    assert.equal(again.state.node, store.state.node)
    again.close()
  })
}

test('what was saved before a page was closed is taken up by the next opening', async () => {
  const name = 'interrupted'
  await made(name)
  const beside = indexedDB.open(`${name}.rescued`, 1)
  beside.onupgradeneeded = () => {
    const row = { id: id(1), text: event(1).body, status: 'pending', seq: null, error: null }
    beside.result.createObjectStore('rescued').put({ rows: [row], unread: [], state: newState('fresh') }, 0)
  }
  ;(await result(beside)).close()
  await result(indexedDB.deleteDatabase(name))
  const store = await openIndexedDB(name, 'other')
  assert.deepEqual([[...store.outbox.keys()], store.state.node], [[id(1)], 'fresh'])
  store.close()
})
