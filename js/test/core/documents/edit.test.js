// Editing: what a person wants, as ops that name what they see.

import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'

import { encode } from '../../../src/core/canonical.js'
import { assign } from '../../../src/core/documents/assign.js'
import { Document } from '../../../src/core/documents/document.js'
import { Editor } from '../../../src/core/documents/edit.js'
import { check } from '../../../src/core/documents/ops.js'
import { openValue, toPlain } from '../../../src/core/documents/values.js'
import { Dice } from '../../dice.js'
import { anEvent, anId, COUNT, FIRST, folded, ITEM, LIST, name, SET, TEXT } from './examples.js'
import { aValue } from './people.js'

const MAX_SAFE = Number.MAX_SAFE_INTEGER

/** @type {Editor} */
let editor
beforeEach(() => {
  editor = new Editor(folded(FIRST), anId(2))
})

/** @param {string} object @returns {any} */
const at = (object) => editor.document.objects.get(object)
const names = (from = editor) => from.ops.map((each) => each.op)

/** The ops are well formed, and whoever folds them comes to what their author sees. */
function assertFolds() {
  check(editor.ops)
  const again = folded(FIRST)
  again.fold(anEvent(2, editor.ops))
  assert.deepEqual(again.value(), editor.document.value())
}

test('an edit names what stands', () => {
  const root = at('')
  editor.put(root, 'text', 1)
  editor.put(root, 'text', { in: 2 })
  editor.put(at(editor.event + ':2'), 'in', 3)
  editor.delete(root, 'count')
  assert.deepEqual(editor.ops, [
    { op: 'put', key: 'text', value: 1, over: [name(1, 0)] },
    { op: 'put', key: 'text', value: { in: 2 }, over: [':0'] },
    { op: 'put', in: ':2', key: 'in', value: 3, over: [':2'] },
    { op: 'del', key: 'count', over: [name(1, 11)] },
  ])
  assert.ok(editor.hasChanged)
  assert.deepEqual(editor.document.value(), { text: { in: 3 }, list: [1, 2], set: { $set: [1, 2] } })
  assertFolds()
})

test('ops are written in canonical order, so that an event of them is encoded quickly', () => {
  editor.put(at(''), 'a', 1)
  editor.putAt(at(LIST), 0, 'one')
  editor.move(at(LIST), 0, 1)
  editor.splice(at(TEXT), 1, 1, 'x')
  for (const op of editor.ops) assert.equal(JSON.stringify(op), encode(op))
})

test('an edit of nothing changes nothing', () => {
  editor.splice(at(TEXT), 1)
  editor.discard(at(SET), 7)
  editor.restoreDocument()
  editor.removeCharacters(at(TEXT), [])
  editor.putBackCharacters(at(TEXT), [])
  assert.deepEqual(editor.ops, [])
  editor.increment(at(COUNT), 0)
  assert.ok(!editor.hasChanged)
})

test('elements are named by their insertion', () => {
  const numbers = at(LIST)
  editor.putAt(numbers, 0, 'one')
  editor.putAt(numbers, 0, 'eins')
  editor.move(numbers, 0, 1)
  editor.move(numbers, 1, 0)
  editor.insert(numbers, 1, ['x', 'y'])
  editor.remove(numbers, 0, 3)
  assert.deepEqual(editor.ops.map((op) => op.over), [undefined, [':0'], undefined, [':2'], undefined, [':1']])
  assert.deepEqual(editor.ops[5].elems, [name(1, 7), ':5+2'])
  assert.deepEqual(editor.document.value().list, [2])
  assertFolds()
})

test('a child by its place is made once', () => {
  const root = at('')
  const child = editor.ensure(root, 'a/b', 'map')
  assert.equal(editor.ensure(root, 'a/b', 'map'), child)
  editor.ensure(child, 'n', 'counter')
  editor.ensureRoot('list')
  editor.ensureRoot('list')
  editor.ensureRoot('map')
  assert.deepEqual(editor.ops, [
    { op: 'ensure', key: 'a/b', kind: 'map' },
    { op: 'ensure', in: '/a~1b:map', key: 'n', kind: 'counter' },
    { op: 'ensure', kind: 'list' },
    { op: 'ensure', kind: 'map', over: [':2'] },
  ])
  assert.deepEqual(editor.document.value()['a/b'], { n: { $counter: 0 } })
})

test('a text that reads like a child is replaced by it', () => {
  editor.put(at(''), 'a', '/a:map')
  editor.ensure(at(''), 'a', 'map')
  assert.deepEqual(editor.document.value().a, {})
  editor.putRoot('')
  editor.ensureRoot('map')
  assert.deepEqual(editor.document.value().a, {})
})

test('what is not there cannot be edited', () => {
  for (const act of [
    () => editor.splice(at(TEXT), 2, 2),
    () => editor.splice(at(TEXT), -1),
    () => editor.splice(at(TEXT), NaN),
    () => editor.splice(at(TEXT), 1, -1),
    () => editor.remove(at(LIST), 1, 2),
    () => editor.move(at(LIST), 0, 2),
    () => editor.putAt(at(LIST), 2, 1),
    () => editor.insert(at(LIST), 3, [1]),
    () => editor.delete(at(''), 'nothing'),
    () => editor.delete(at(''), 'toString'),
  ]) {
    assert.throws(act, RangeError)
  }
  for (const by of [0.5, MAX_SAFE + 1, NaN]) assert.throws(() => editor.increment(at(COUNT), by), { code: 'bad_op' })
  for (const value of [{ $foo: 1 }, [{ $counter: 0.5 }], [{ ['k'.repeat(1025)]: 1 }]]) {
    assert.throws(() => editor.put(at(''), 'x', value), { code: 'bad_op' })
  }
  assert.deepEqual(editor.ops, [])
})

test('nothing is drafted too deep', () => {
  /** @type {any} */
  let deep = 1
  for (let n = 0; n < 64; n++) deep = { a: deep }
  for (const act of [
    () => editor.put(at(''), 'x', deep),
    () => editor.insert(at(LIST), 0, [deep]),
    () => editor.putRoot({ a: deep }),
  ]) {
    assert.throws(act, { code: 'too_deep' })
  }
  let child = at('')
  for (let n = 0; n < 63; n++) child = editor.ensure(child, 'a', 'map')
  assert.throws(() => editor.ensure(child, 'a', 'map'), { code: 'too_deep' })
  assert.equal(editor.ops.length, 63)
})

test('a document is deleted and restored', () => {
  editor.deleteDocument()
  assert.ok(!editor.document.exists)
  editor.restoreDocument()
  assert.deepEqual(editor.ops, [{ op: 'delete' }, { op: 'restore', over: [':0'] }])
  assert.ok(editor.document.exists)
})

test('an op made elsewhere is taken as it is', () => {
  editor.do({ op: 'put', key: 'x', value: 1 })
  assert.deepEqual(editor.ops, [{ op: 'put', key: 'x', value: 1 }])
})

describe('assigning', () => {
  for (const [key, value, expected] of /** @type {[string, any, string[]][]} */ ([
    ['text', 'abc', []],
    ['text', 'axc', ['del', 'insert']],
    ['text', { $text: 'abcd' }, ['insert']],
    ['text', 1, ['put']],
    ['count', 5, ['inc']],
    ['count', 2, []],
    ['count', { $counter: -1 }, ['inc']],
    ['count', -MAX_SAFE, ['inc', 'inc']],
    ['count', 0.5, ['put']],
    ['count', true, ['put']],
    ['set', [2, 3], ['discard', 'add']],
    ['set', { $set: [2, 1] }, []],
    ['set', { a: 1 }, ['put']],
    ['list', [1, 2], []],
    ['list', [1, 3, 2], ['insert']],
    ['list', [2], ['del']],
    ['list', [3, 4, 5], ['put', 'put', 'insert']],
    ['list', 'x', ['put']],
    ['new', null, ['put']],
    ['new', {}, ['put']],
  ])) {
    test(`${JSON.stringify(value)} to ${key} does the least, and again nothing`, () => {
      assign(editor, at(''), key, value)
      assert.deepEqual(names(), expected)
      if (key !== 'set') assert.deepEqual(editor.document.plain()[key], toPlain(value))
      assign(editor, at(''), key, value)
      assert.deepEqual(names(), expected)
      assertFolds()
    })
  }

  test('a scalar, and the document', () => {
    const { top } = editor.document
    for (const value of [1, 1, true, null, null]) assign(editor, at(''), 'x', value)
    assign(editor, at(LIST), 0, 1)
    assign(editor, at(LIST), 0, 'one')
    assign(editor, top, '', { x: 2, list: ['one', 2] })
    assert.deepEqual(editor.document.value(), { x: 2, list: ['one', 2] })
    assign(editor, top, '', 5)
    assert.equal(editor.document.value(), 5)
    assert.deepEqual(names(), [...Array(4).fill('put'), ...Array(3).fill('del'), 'put', 'put'])
  })

  test('what is assigned shows', () => {
    for (let seed = 0; seed < 200; seed++) {
      const dice = new Dice(seed)
      const [before, after] = [aValue(dice), aValue(dice)]
      const first = [{ op: 'put', key: 'x', value: before }]
      const document = folded(first)
      const one = new Editor(document, anId(2))
      assign(one, document.find(''), 'x', after)
      const again = new Editor(document, anId(3))
      assign(again, document.find(''), 'x', after)
      assert.deepEqual(again.ops.filter(({ op }) => op !== 'put'), [], `seed ${seed}`)
      assert.equal(plain(document.value().x), plain(after), `seed ${seed}`)
      check(one.ops)
      const replayed = folded(first)
      replayed.fold(anEvent(2, one.ops))
      replayed.fold(anEvent(3, again.ops))
      assert.deepEqual(replayed.value(), document.value(), `seed ${seed}`)
    }
  })

  test('what is alike between changes stays', () => {
    editor.insert(at(LIST), 2, [3])
    assign(editor, at(''), 'list', ['a', 2, 'c'])
    assert.deepEqual(names(), ['insert', 'put', 'put'])
  })

  test('characters that are alike in half of a pair are not cut', () => {
    editor.splice(at(TEXT), 0, 3, 'x😀y')
    for (const text of ['x😁y', 'x\u{1fa00}y', 'x😀', '😀', '']) {
      assign(editor, at(''), 'text', text)
      assert.equal(editor.document.value().text.$text, text)
      assertFolds()
    }
  })
})

/**
 * A value without marks, lists in any order: a list may have become a set.
 * @param {any} value
 * @returns {string}
 */
function plain(value) {
  const [kind, content] = openValue(value)
  if (kind === 'map') return encode(Object.fromEntries(Object.entries(content).map(([key, member]) => [key, plain(member)])))
  return Array.isArray(content) ? encode([...new Set(content.map(plain))].sort()) : encode(content)
}

test('the slot of the document is cleared', () => {
  editor.putRoot(1)
  editor.delete(editor.document.top, '')
  editor.delete(at(''), 'text')
  assert.deepEqual(editor.ops.slice(1), [{ op: 'del', over: [':0'] }, { op: 'del', key: 'text', over: [name(1, 0)] }])
  assert.deepEqual(Object.keys(editor.document.value()), ['list', 'set', 'count'])
})

test('a document is made once', () => {
  const made = new Editor(new Document(ITEM), anId(1))
  made.createDocument()
  made.createDocument()
  assert.deepEqual(made.ops, [{ op: 'ensure', kind: 'map' }])
  assert.deepEqual(made.document.value(), {})
})

describe('texts', () => {
  test('typing and deleting go on in the last op', () => {
    const body = at(TEXT)
    ;['x', 'y', 'z'].forEach((character, n) => editor.splice(body, 3 + n, 0, character))
    for (const position of [5, 4, 0, 0]) editor.splice(body, position, 1)
    editor.splice(body, 0, 0, 'é')
    editor.splice(body, 1, 0, '😀')
    assert.deepEqual(editor.ops, [
      { op: 'insert', in: TEXT, after: name(1, 4), text: 'xyz' },
      { op: 'del', in: TEXT, elems: [':2+2', name(1, 2) + '+2'] },
      { op: 'insert', in: TEXT, text: 'é😀' },
    ])
    assert.deepEqual(editor.document.value().text, { $text: 'é😀cx' })
    assertFolds()
  })

  test('positions count UTF-16 units, names code points', () => {
    const body = at(TEXT)
    editor.splice(body, 0, 3, '😀a😁')
    editor.splice(body, 3, 0, 'b')
    editor.splice(body, 6, 0, 'c')
    assert.equal(body.sequence.visible(), '😀ab😁c')
    const typed = editor.ops.map(({ after, text }) => [after, text]).slice(1)
    assert.deepEqual(typed, [[undefined, '😀a😁'], [':3', 'b'], [':4', 'c']])
    assertFolds()
  })

  test('inside a pair is behind it to insert, and all of it to delete', () => {
    const body = at(TEXT)
    editor.splice(body, 0, 3, '😀😁')
    editor.splice(body, 1, 0, 'a')
    assert.equal(body.sequence.visible(), '😀a😁')
    editor.splice(body, 1, 1, 'b')
    assert.equal(body.sequence.visible(), 'ba😁')
    editor.splice(body, 1, 2)
    assert.equal(body.sequence.visible(), 'b')
    assertFolds()
  })

  test('half a pair is refused, and changes nothing', () => {
    for (const text of ['\ud83d', 'a\ude00', '\ude00\ud83d', '\ud83da']) {
      assert.throws(() => editor.splice(at(TEXT), 0, 3, text), { code: 'bad_json' })
    }
    assert.deepEqual(editor.ops, [])
    assert.equal(at(TEXT).sequence.visible(), 'abc')
  })

  test('nothing is drafted that one event cannot name', () => {
    assert.throws(() => editor.splice(at(TEXT), 0, 0, 'x'.repeat(65_536)), { code: 'event_too_large' })
    assert.deepEqual(editor.ops, [])
    editor.splice(at(TEXT), 0, 0, '😀'.repeat(40_000))
    assert.throws(() => editor.splice(at(TEXT), 0, 0, '😀'.repeat(30_000)), { code: 'event_too_large' })
  })

  test('typing goes on after a look elsewhere, and for long', () => {
    const body = at(TEXT)
    for (let count = 0; count < 150; count++) {
      editor.splice(body, 3 + count, 0, 'x')
      if (count % 50 === 20) assert.equal(body.sequence.placeAt(0), editor.document.place(name(1, 2)))
    }
    assert.deepEqual(editor.ops, [{ op: 'insert', in: TEXT, after: name(1, 4), text: 'x'.repeat(150) }])
  })

  test('characters that were put back are deleted by all their names', () => {
    const body = at(TEXT)
    const [[first, count]] = body.sequence.places(0, 3)
    assert.equal(count, 3)
    editor.removeCharacters(body, [first, first + 1, first + 2])
    editor.putBackCharacters(body, [first, first + 1])
    editor.splice(body, 0, 1)
    assert.deepEqual(editor.ops.map(({ op, elems, over }) => [op, elems, over]), [
      ['del', [name(1, 2) + '+3'], undefined],
      ['put', [name(1, 2) + '+2'], undefined],
      ['del', [name(1, 2)], [':1']],
    ])
    assert.equal(body.sequence.visible(), 'b')
    assertFolds()
  })
})
