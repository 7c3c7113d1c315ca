// Documents of a replica: edited, synced, settled, looked back at.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Document } from '../../src/core/documents/document.js'
import { encode } from '../../src/core/documents/snapshots.js'
import { ClientSession } from '../../src/core/session.js'
import { Counter, DocumentReplica, ORSet, Text } from '../../src/syncline.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { entry } from '../author.js'
import { Author, entries } from '../author.js'
import { Dice } from '../dice.js'
import { Server } from './server.js'

/** @param {string} node */
const replica = (node) => new DocumentReplica(new MemoryStore(node), { user: 'ann' })

const newServer = () => new Server({ now: () => Date.now(), refuses: () => false, pageEntries: () => 1000 })

/**
 * One whole conversation.
 * @param {DocumentReplica} one
 * @param {Server} server
 */
async function sync(one, server) {
  await one.saved()
  const session = new ClientSession({ space: 'home' })
  for (let step; (step = session.next(one.local())); ) {
    if (step.type === 'restamp') await one.perform(step)
    else for (const effect of session.receive(server.answer(step, session._pushed))) await one.perform(/** @type {any} */ (effect))
  }
  await one.keepAcks()
}

/** @param {Server} server @param {string} item */
function folded(server, item) {
  const document = new Document(item)
  for (const { event } of server.log) if (event.item === item) document.fold(event)
  return document
}

const MILK = { title: 'Milk', done: false, tags: new ORSet(['shop']), body: new Text('hi'), n: new Counter(2), list: [1, 2] }

test('what is edited shows at once, and is one event a change', () => {
  const notes = replica('a')
  const milk = notes.create('task.milk', MILK)
  milk.put('done', true)
  milk.set('tags').add('urgent')
  milk.text('body').insert(2, ' 😀!')
  milk.counter('n').increment(3)
  milk.list('list').push('x')
  assert.deepEqual(milk.plain, { title: 'Milk', done: true, tags: ['shop', 'urgent'], body: 'hi 😀!', n: 5, list: [1, 2, 'x'] })
  assert.equal(notes.pending().length, 6)
  assert.equal(milk.plain, milk.plain, 'the same object until it changes')
})

test('an older event that a gift brings after newer ones of its node counts, once', async () => {
  for (const settles of [false, true]) {
    const notes = replica('a')
    const author = new Author('far', 'bob')
    const [first, second] = ['a', 'b'].map((key) => author.event('note.a', { ops: [{ op: 'put', key, value: 1 }] }))
    /** @param {import('../../src/core/events.js').Event} event @param {number} seq */
    const arrive = (event, seq) => {
      const page = { type: 'page', entries: entries([event], seq), late: [], forget: [], cursor: 'c', more: false }
      return notes.perform({ type: 'apply', page: /** @type {any} */ (page), items: [] })
    }
    await arrive(second, 1)
    if (settles) await notes.settle()
    assert.deepEqual(notes.get('note.a')?.plain, { b: 1 })
    await arrive(first, 2)
    assert.deepEqual(notes.get('note.a')?.plain, { b: 1, a: 1 })
    if (settles) await notes.settle()
    assert.deepEqual((await notes.document('note.a').history()).map(({ seq }) => seq), [1, 2])
    notes.library.letGo('note.a')
    assert.deepEqual(notes.get('note.a')?.plain, { b: 1, a: 1 })
  }
})

test('indexes count UTF-16, and never cut a pair', () => {
  const note = replica('a').create('note.a', { body: new Text('a😀b') })
  const body = note.text('body')
  assert.equal(body.length, 4)
  body.insert(2, 'x')
  assert.equal(String(body), 'a😀xb')
  body.delete(1, 1)
  assert.equal(String(body), 'axb')
  assert.throws(() => body.insert(0, '\ud83d'), { code: 'bad_json' })
  assert.throws(() => body.delete(2, 9), RangeError)
})

test('an edit that fails leaves nothing', () => {
  const notes = replica('a')
  const milk = notes.create('task.milk', MILK)
  const edit = () => milk.edit('mark', (task) => {
    task.put('done', true)
    throw new Error('no')
  })
  assert.throws(edit, { message: 'no' })
  assert.equal(milk.plain?.done, false)
  assert.equal(notes.pending().length, 1)
  assert.throws(() => milk.edit(/** @type {any} */ (async () => {})), TypeError)
  assert.throws(() => notes.create('task.milk'), { code: 'document_exists' })
})

test('what is no JSON is refused, and not taken for a map', () => {
  const notes = replica('a')
  const milk = notes.create('task.milk', MILK)
  const before = milk.plain
  for (const value of [new Date(0), new Map(), new (class Text {})(), { deep: [new Date(0)] }, undefined, NaN, () => 1, 1n]) {
    assert.throws(() => milk.put('due', value), { name: 'SynclineError' })
    assert.throws(() => milk.update({ due: value }), { name: 'SynclineError' })
    assert.throws(() => milk.list('list').push(value), { name: 'SynclineError' })
  }
  milk.update({ due: Object.assign(Object.create(null), { year: 2030 }) })
  assert.deepEqual(milk.plain, { ...before, due: { year: 2030 } })
})

test('a transaction is stored all or none', () => {
  const notes = replica('a')
  notes.transaction(() => {
    notes.create('task.a').put('n', 1)
    notes.create('task.b')
  })
  const [a, b] = notes.pending()
  assert.ok(a.tx && a.tx === b.tx)
  assert.throws(() => notes.transaction(() => {
    notes.get('task.a')?.put('n', 2)
    notes.create('task.b')
  }), { code: 'document_exists' })
  assert.deepEqual(notes.get('task.a')?.plain, { n: 1 })
  assert.equal(notes.pending().length, 2)
})

test('watchers are told of a task together, and of what is only confirmed not at all', async () => {
  const notes = replica('a')
  const server = newServer()
  /** @type {string[][]} */
  const told = []
  const stop = notes.watch('task.*', (documents) => told.push(documents.map(({ item }) => item)))
  notes.create('task.b').put('n', 1)
  notes.create('task.a')
  notes.create('note.x')
  await sync(notes, server)
  assert.deepEqual(told, [['task.a', 'task.b']])
  stop()
  notes.get('task.a')?.put('n', 1)
  await notes.saved()
  assert.equal(told.length, 1)
})

test('what is no pattern is not watched', () => {
  assert.throws(() => replica('a').watch('*milk*', () => {}), { code: 'bad_request' })
})

test('a query is watched: its answer, and the documents in it', async () => {
  const notes = replica('a')
  /** @type {any[]} */
  const told = []
  notes.watchQuery('task.*', { where: { done: false }, orderBy: 'title' }, (found) => told.push(found.map(({ plain }) => plain.title)))
  const b = notes.create('task.b', { title: 'B', done: false })
  notes.create('task.a', { title: 'A', done: false })
  await notes.saved()
  b.put('done', true)
  await notes.saved()
  b.put('title', 'BB')
  await notes.saved()
  assert.deepEqual(told, [[], ['A', 'B'], ['A']])
})

test('history, time travel and undo reach back over what has settled', async () => {
  const notes = replica('a')
  const server = newServer()
  const milk = notes.create('task.milk', MILK)
  for (let i = 0; i < 400; i++) {
    milk.put('n', i)
    if (i % 50 === 0) await sync(notes, server)
    if (i % 100 === 0) await notes.settle()
  }
  await sync(notes, server)
  await notes.settle()
  assert.equal(notes.store.log.length, 0)
  const history = await milk.history()
  assert.deepEqual(history.map(({ number }) => number), Array.from({ length: 401 }, (_, i) => i + 1))
  assert.deepEqual((await milk.history({ after: 399 })).map(({ number }) => number), [400, 401])
  assert.equal((await milk.at(1)).plain?.n, 2)
  for (const revision of [2, 57, 130, 300, 401]) assert.equal((await milk.at(revision)).plain?.n, revision - 2)
  const { seq, at } = history[199]
  assert.equal((await milk.at({ seq: /** @type {number} */ (seq) })).plain?.n, 198)
  assert.equal((await milk.at({ time: at })).revision >= 200, true)
  await assert.rejects(milk.at(402), { code: 'not_found' })
  for (let n = 398; n > 390; n--) {
    assert.equal(await milk.undo(), true)
    assert.equal(milk.plain?.n, n)
  }
  await milk.redo()
  assert.equal(milk.plain?.n, 392)
  await milk.restore(1)
  assert.equal(milk.plain?.n, 2)
  assert.deepEqual(await milk.diff(1), [])
})

test('what is there is known without looking into what has settled', async () => {
  const notes = replica('a')
  const server = newServer()
  for (const item of ['task.a', 'task.b', 'task.c']) notes.create(item)
  notes.get('task.b')?.delete()
  notes.record('task.d', 'seen', 1)
  await sync(notes, server)
  await notes.settle()
  const again = new DocumentReplica(notes.store)
  assert.deepEqual(again.items('task.*'), ['task.a', 'task.c'])
  assert.deepEqual(['task.a', 'task.b', 'task.d', 'task.x'].map((item) => again.get(item) !== null), [true, false, false, false])
  assert.equal(again._plain.size, 1, 'of task.x alone, which is not known at all')
  await again.document('task.b').restore()
  again.get('task.a')?.delete()
  assert.deepEqual(again.items(), ['task.b', 'task.c'])
  assert.throws(() => again.items('*x'), { code: 'bad_request' })
})

test('what people do not agree on is told', async () => {
  const server = newServer()
  const [a, b] = [replica('a'), replica('b')]
  a.create('task.milk', MILK)
  await sync(a, server)
  await sync(b, server)
  a.get('task.milk')?.put('title', 'Soy')
  b.get('task.milk')?.put('title', 'Oats')
  for (const each of [a, b, a]) await sync(each, server)
  for (const each of [a, b]) {
    const { values } = await /** @type {any} */ (each.get('task.milk')).conflicts()
    assert.equal(values.length, 1)
    assert.deepEqual(values[0].path, ['title'])
  }
})

test('an edit that the log may never take does not show above later ones that it has', async () => {
  const notes = replica('a')
  const milk = notes.create('task.milk', { a: 1 })
  milk.put('b', 2)
  milk.put('c', 3)
  await notes.saved()
  const [made, , last] = notes.pending() // nobody knows yet what became of the one between
  assert.deepEqual(milk.plain, { a: 1, b: 2, c: 3 })
  const told = /** @type {any[]} */ ([])
  milk.watch((document) => told.push(document.plain))
  const page = /** @type {any} */ ({ entries: [entry(1, made), entry(2, last)], late: [], forget: [], cursor: 'c', more: false })
  await notes.perform({ type: 'apply', page, items: [] })
  await new Promise(setImmediate)
  const { document } = milk
  notes.library.letGo('task.milk')
  assert.equal(encode(document), encode(milk.document), 'as who opens it now sees it')
  assert.deepEqual([milk.plain, told], [{ a: 1, c: 3 }, [milk.plain]])
})

const HISTORIES = Number(process.env.HISTORIES ?? 60)

test('replicas that edit, sync and settle at random agree with a fold from the start', async () => {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    await assert.doesNotReject(() => play(seed), `seed ${seed}`)
  }
})

/** @param {number} seed */
async function play(seed) {
  const dice = new Dice(seed)
  const server = newServer()
  const replicas = ['a', 'b', 'c'].map(replica)
  const items = ['task.1', 'task.2']
  for (let step = 0; step < 120; step++) {
    const one = replicas[dice.below(3)]
    const item = items[dice.below(2)]
    const what = dice.below(10)
    if (what < 6) edit(dice, one, item)
    else if (what < 7) await one.document(item)[dice.below(2) ? 'undo' : 'redo']()
    else if (what < 9) await sync(one, server)
    else if (dice.below(2)) await one.settle()
    else void one.settle() // while other things happen
  }
  for (const each of [...replicas, ...replicas]) await sync(each, server)
  for (const item of items) {
    const whole = folded(server, item)
    for (const each of replicas) {
      assert.equal(encode(each.library.document(item)), encode(whole), `seed ${seed}`)
      const revisions = await each.document(item).history()
      assert.deepEqual(revisions, await replicas[0].document(item).history(), `seed ${seed}`)
      assert.equal(each.document(item).revision, revisions.length, `seed ${seed}`)
    }
  }
}

/** @param {Dice} dice @param {DocumentReplica} one @param {string} item */
function edit(dice, one, item) {
  const document = one.document(item)
  if (!document.exists) return void one.create(item, MILK)
  const body = /** @type {any} */ (document.get('body'))
  const changes = [
    () => document.put('n', dice.below(9)),
    () => body.insert(dice.below(body.length + 1), 'xyz'[dice.below(3)]),
    () => body.length && body.delete(dice.below(body.length)),
    () => document.set('tags').add(dice.below(5)),
    () => document.set('tags').delete(dice.below(5)),
    () => document.list('list').insert(0, dice.below(9)),
    () => document.list('list').length > 1 && document.list('list').move(0, document.list('list').length - 1),
    () => document.delete(),
    () => document.update({ title: `t${dice.below(9)}`, done: true }),
  ]
  changes[dice.below(changes.length)]()
}
