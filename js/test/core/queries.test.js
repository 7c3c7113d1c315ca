import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Counter, ORSet, Text } from '../../src/core/documents/values.js'
import { Query, find, parsePath } from '../../src/core/queries.js'

const DOCUMENTS = Object.entries({
  'task.a': { n: 1, done: false, tags: ['x', 1], owner: { name: 'Ann' }, 'a.b': 'dotted' },
  'task.b': { n: 2.5, done: true, tags: [], title: 'Fresh milk' },
  'task.c': { n: '2', done: null, tags: 'x' },
  'note.d': [1, 2],
})

/** @param {string} pattern @param {import('../../src/core/queries.js').Asked} asked */
const ask = (pattern, asked) => Query.of(pattern, asked).answer(/** @type {[string, any][]} */ (DOCUMENTS))

/** @type {[Record<string, any>, string][]} */
const CONDITIONS = [
  [{}, 'abcd'],
  [{ n: 1 }, 'a'],
  [{ n: true }, ''],
  [{ n: { '=': 1 } }, 'a'],
  [{ n: { '!=': 1 } }, 'bcd'],
  [{ n: { '>=': 1, '<': 2 } }, 'a'],
  [{ n: { '>': 1 } }, 'b'],
  [{ n: { '<=': '2' } }, 'c'],
  [{ n: { in: [1, '2', 3] } }, 'ac'],
  [{ n: { in: [] } }, ''],
  [{ n: { begins: '' } }, 'c'],
  [{ done: null }, 'cd'],
  [{ tags: { has: 'x' } }, 'a'],
  [{ tags: { has: true } }, ''],
  [{ tags: ['x', 1] }, 'a'],
  [{ owner: { name: 'Ann' } }, 'a'],
  [{ owner: { '=': { name: 'Ann' } } }, 'a'],
  [{ owner: {} }, ''],
  [{ 'owner.name': 'Ann', n: 1 }, 'a'],
  [{ 'owner.name.first': null }, 'abcd'],
  [{ '/a.b': 'dotted' }, 'a'],
  [{ '': [1, 2] }, 'd'],
  [{ title: new Text('Fresh milk') }, 'b'],
  [{ n: new Counter(1) }, 'a'],
  [{ tags: new ORSet() }, 'b'],
  [{ toString: null }, 'abcd'],
]

for (const [where, items] of CONDITIONS) {
  test(`where ${JSON.stringify(where)}`, () => {
    assert.deepEqual(ask('*', { where }).map((item) => item.slice(-1)).sort(), [...items])
  })
}

test('patterns, limits and searches', () => {
  assert.deepEqual(ask('task.*', {}), ['task.a', 'task.b', 'task.c'])
  assert.deepEqual(ask('task.b', {}), ['task.b'])
  assert.deepEqual(ask('task.*', { limit: 2 }), ['task.a', 'task.b'])
  assert.deepEqual(ask('*', { text: 'milk' }), ['task.b'])
  assert.deepEqual(ask('*', { text: '-milk', where: { n: { '!=': null } } }), ['task.a', 'task.c'])
})

test('order', () => {
  assert.deepEqual(ask('task.*', { orderBy: '-n' }), ['task.c', 'task.b', 'task.a'])
  assert.deepEqual(ask('*', { orderBy: ['-done', '-n'] }), ['task.b', 'task.a', 'task.c', 'note.d'])
})

test('values of all kinds have an order, strings that of their code points', () => {
  const values = [null, false, true, -1, 0.5, 1, 2 ** 53, 1e300, '', 'A', 'a', 'é', '\uffff', '😀', [1], [], { a: 1 }, {}]
  const documents = values.map((value, place) => /** @type {[string, any]} */ ([`d${99 - place}`, value]))
  const inOrder = documents.map(([item]) => item)
  assert.deepEqual(Query.of('*', { orderBy: '/' }).answer(documents.map(([item, value]) => [item, { '': value }])), inOrder)
})

test('paths', () => {
  assert.deepEqual(['', 'a', 'a.b', '/a.b/c~1d', 'a..b'].map(parsePath), [[], ['a'], ['a', 'b'], ['a.b', 'c/d'], ['a', '', 'b']])
  assert.equal(find({ a: [{ b: 1 }] }, ['a', '0', 'b']), null)
  assert.equal(find({ a: { 0: { b: 1 } } }, ['a', '0', 'b']), 1)
})

/** @type {[string, any][]} */
const REFUSED = [
  ['a*b', {}],
  ['*', { limit: -1 }],
  ['*', { limit: true }],
  ['*', { where: { a: { '>': null } } }],
  ['*', { where: { a: { begins: 1 } } }],
  ['*', { where: { a: { in: Array(1001).fill(0) } } }],
  ['*', { where: { a: Infinity } }],
  ['*', { where: { a: undefined } }],
  ['*', { where: { a: '\ud800' } }],
  ['*', { where: { '\ud800': 1 } }],
  ['*', { where: { '/a~': 1 } }],
]

for (const [pattern, asked] of REFUSED) {
  test(`no query: ${pattern} ${JSON.stringify(asked).slice(0, 60)}`, () => {
    assert.throws(() => Query.of(pattern, asked), { code: 'bad_request' })
  })
}
