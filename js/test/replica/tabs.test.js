// Tabs of one replica in one process: IndexedDB's stand-in, Node's BroadcastChannel, and locks as a browser has them.

import 'fake-indexeddb/auto'
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { SynclineError } from '../../src/errors.js'
import { Tabs } from '../../src/replica/tabs.js'
import { openIndexedDB } from '../../src/stores/indexeddb.js'
import { START_MS, Author, entries } from '../author.js'
import { Mirror } from './mirror.js'

/** Locks that are held until what `request` was given resolves; who waits is next, in order. */
class Locks {
  /** @type {Promise<unknown>} */
  _queue = Promise.resolve()

  /** @param {string} _ @param {{ signal: AbortSignal }} options @param {() => Promise<void>} lead */
  request(_, { signal }, lead) {
    const held = this._queue.then(() => (signal.aborted ? undefined : lead()))
    this._queue = held
    return held
  }
}

let names = 0

/** A database, and the way to open tabs of it. */
function database(/** @type {{ user?: string }} */ { user } = { user: 'ann' }) {
  const name = `tabs ${++names}`
  const locks = /** @type {any} */ (new Locks())
  return async () => new Mirror(await openIndexedDB(name, 'node'), { tabs: new Tabs(name, { locks }), user, nowMs: () => START_MS })
}

/** Waits until something is so. @param {() => unknown} isSo */
async function until(isSo) {
  while (!isSo()) await new Promise(setImmediate)
}

/** @param {Mirror} replica @param {import('../../src/core/events.js').Entry[]} all */
const arrive = (replica, all) =>
  replica.perform({
    type: 'apply',
    page: { type: 'page', ref: null, entries: all, late: [], forget: [], cursor: 'c', more: false },
    items: [],
  })

test('what one tab records, the others show', async () => {
  const open = database()
  const [one, other] = [await open(), await open()]
  const heard = /** @type {string[]} */ ([])
  other.watchEvents((events) => heard.push(...events.map(({ id }) => id)))
  const event = one.record('a', 'update')
  await until(() => heard.length)
  assert.deepEqual([heard, other.pending().map(({ body }) => body)], [[event.id], [event.body]])
  assert.deepEqual([other.told, other.told], [other.seen, one.told])
  await Promise.all([one.close(), other.close()])
})

test('tabs that type at the same moment are one node', async () => {
  const open = database()
  const tabs = [await open(), await open(), await open()]
  for (let round = 0; round < 20; round++) {
    for (const tab of tabs) {
      const [before] = tab.onTheirWay().slice(-1)
      tab.record('a', 'update', null, { ops: before ? [{ over: [before.id] }] : [] })
    }
    if (round % 3 === 0) await Promise.all(tabs.map((tab) => tab.saved()))
  }
  await Promise.all(tabs.map((tab) => tab.saved()))
  await until(() => tabs.every((tab) => tab.pending().length === 60))
  for (const tab of tabs) {
    assert.deepEqual(tab.pending().map(({ n }) => n), Array.from({ length: 60 }, (_, n) => n + 1))
    assert.deepEqual(tab.pending().map(({ id }) => id), tabs[0].pending().map(({ id }) => id).sort())
    assert.deepEqual(tab.told, tab.seen)
  }
  const made = new Set(tabs[0].pending().map(({ id }) => id))
  for (const { ops = [] } of tabs[0].pending()) for (const { over } of ops) assert.ok(made.has(over[0]), 'what is named is there')
  await Promise.all(tabs.map((tab) => tab.close()))
})

test('a page comes amid edits of another tab', async () => {
  const open = database()
  const [leader, other] = [await open(), await open()]
  const mine = other.record('a', 'update')
  await Promise.all([arrive(leader, entries(new Author('far').events(9, 'a'))), other.saved()])
  other.record('a', 'update')
  await other.saved()
  await until(() => leader.pending().length === 2 && other.store.log.length === 9)
  for (const tab of [leader, other]) assert.deepEqual([tab.told, tab.pending()[0].id], [tab.seen, mine.id])
  await Promise.all([leader.close(), other.close()])
})

test('what is not on the disk yet names events by their new ids', async () => {
  const open = database()
  const [leader, other] = [await open(), await open()]
  const old = leader.record('a', 'update')
  await leader.saved()
  await until(() => other.pending().length)
  await leader.perform({ type: 'mark_copied', event: old })
  await until(() => other.store.state.copied)
  await leader.perform({ type: 'restamp', nowMs: START_MS })
  assert.equal(other.node, 'node', 'it has not heard of it')
  other.record('a', 'update', null, { ops: [{ over: [`${old.id}:1`] }] })
  await other.saved()
  await until(() => leader.pending().length === 2)
  const [one, two] = other.pending()
  assert.deepEqual([two.ops, two.n, two.node, one.id === old.id], [[{ over: [`${one.id}:1`] }], 2, leader.node, false])
  assert.deepEqual([other.told, leader.told], [other.seen, other.told])
  await Promise.all([leader.close(), other.close()])
})

/** Two tabs that know of a local event; what the first, which leads, does from then on does not reach the other. */
async function apart() {
  const open = database()
  const [leader, other] = [await open(), await open()]
  const old = leader.record('a', 'update')
  await leader.saved()
  await until(() => other.pending().length)
  if (leader.tabs) leader.tabs.send = () => {} // it gets lost
  return { leader, other, old }
}

/** @param {Mirror} replica @param {import('../../src/core/events.js').Event} first */
async function restamp(replica, first) {
  await replica.perform({ type: 'mark_copied', event: first })
  await replica.perform({ type: 'restamp', nowMs: START_MS })
}

test('a tab that missed new ids names events by them, though these are entries already', async () => {
  const { leader, other, old } = await apart()
  await restamp(leader, old)
  const [mid] = leader.pending()
  await restamp(leader, mid)
  const [now] = leader.pending()
  await arrive(leader, entries([now]))
  await leader.settle()
  other.record('a', 'update', null, { ops: [{ over: [`${old.id}:1`] }, { over: [`${mid.id}:2`] }] })
  await other.saved()
  assert.deepEqual(other.pending().map(({ ops }) => ops), [[{ over: [`${now.id}:1`] }, { over: [`${now.id}:2`] }]])
  assert.deepEqual(other.told, other.seen)
  await Promise.all([leader.close(), other.close()])
})

test('a tab that does not know that its commit was carried out finds it under a new id', async () => {
  const { leader, other } = await apart()
  const { _disk: disk } = other.store
  const run = disk.run.bind(disk)
  disk.run = async (work, kind) => {
    const done = await run(work, kind)
    disk.run = run
    throw new SynclineError('store_damaged', `${done}`)
  }
  other.record('b', 'update')
  await until(() => other.status().error)
  await leader.refresh()
  await restamp(leader, leader.pending()[0])
  other.record('c', 'update')
  await other.saved()
  assert.deepEqual(other.pending().map(({ item, n }) => [item, n]), [['a', 1], ['b', 2], ['c', 3]])
  assert.deepEqual(other.told, other.seen)
  await Promise.all([leader.close(), other.close()])
})

test('what is not on the disk yet gets the user that another tab was told', async () => {
  const open = database({})
  const [leader, other] = [await open(), await open()]
  const welcome = /** @type {any} */ ({ type: 'welcome', epoch: 'e', head: 0, time: START_MS, user: 'ann', own: null })
  await leader.perform({ type: 'greet', welcome })
  assert.equal(other.record('a', 'update').user, undefined)
  await other.saved()
  assert.deepEqual([other.pending().map(({ user }) => user), other.told], [['ann'], other.seen])
  await Promise.all([leader.close(), other.close()])
})

test('a tab that missed messages reads the disk', async () => {
  const open = database()
  const [one, other] = [await open(), await open()]
  if (one.tabs) one.tabs.send = () => {} // they get lost
  one.record('a', 'update')
  await one.saved()
  assert.equal(other.pending().length, 0)
  other.record('b', 'update')
  await other.saved()
  assert.deepEqual(other.pending().map(({ n, item }) => [n, item]), [[1, 'a'], [2, 'b']])
  await one.refresh()
  assert.deepEqual([one.told, other.told], [other.told, other.seen])
  await Promise.all([one.close(), other.close()])
})

test('leading passes on, with the status, and what was asked is answered', async () => {
  const open = database()
  const [one, other] = [await open(), await open()]
  await until(() => one.status().isLeader)
  const { tabs } = one
  tabs?.serve('sync', () => new Promise(() => {}))
  other.tabs?.serve('sync', async (who) => `by the other, for ${who}`)
  one.setConnection('live', new SynclineError('overloaded'))
  await until(() => other.status().state === 'live')
  assert.deepEqual([other.status().error?.code, other.status().isLeader], ['overloaded', false])
  const third = await open()
  await until(() => third.status().state === 'live')
  const asked = [third.tabs?.ask('sync', 'third'), other.tabs?.ask('sync', 'other')]
  await one.close()
  assert.deepEqual(await Promise.all(asked), ['by the other, for third', 'by the other, for other'])
  assert.deepEqual([other.status().isLeader, other.status().state, one.status().isLeader], [true, 'offline', false])
  await until(() => third.status().state === 'offline')
  await Promise.all([other.close(), third.close()])
})

test('an error is an answer, and everybody hears what is sent', async () => {
  const locks = /** @type {any} */ (new Locks())
  const [one, other] = ['x', 'y'].map(() => new Tabs('heard', { locks }))
  const heard = /** @type {string[]} */ ([])
  const stop = one.on('presence', (data) => heard.push(data))
  await until(() => one.isLeader)
  one.serve('fail', () => { throw new SynclineError('rate_limited', 'Wait.', { retry_after: 3 }) })
  await assert.rejects(other.ask('fail'), { code: 'rate_limited', retryable: true, details: { retry_after: 3 } })
  other.send('presence', 'here')
  await until(() => heard.length)
  stop()
  assert.deepEqual(heard, ['here'])
  other.close()
  one.close()
})

test('without locks and channels a tab is alone, and leads', async () => {
  const alone = new Tabs('alone', /** @type {any} */ ({ locks: null, Channel: null }))
  let leads = 0
  alone.onLead(() => leads++)
  await until(() => alone.isLeader)
  alone.serve('sync', (data) => data + 1)
  alone.send('nobody')
  assert.deepEqual([leads, await alone.ask('sync', 1)], [1, 2])
  alone.onLead(() => leads++)
  assert.equal(leads, 2)
  alone.close()
})
