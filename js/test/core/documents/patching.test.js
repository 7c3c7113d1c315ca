// Patches as ops: plain JSON does what `patches` does, kinds are edited, concurrent patches merge.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { Document } from '../../../src/core/documents/document.js'
import { Editor } from '../../../src/core/documents/edit.js'
import { check } from '../../../src/core/documents/ops.js'
import { apply, merge, rebase } from '../../../src/core/documents/patching.js'
import { toWire } from '../../../src/core/documents/values.js'
import { MAX_DEPTH, MAX_PATCH_COPIED_BYTES, MAX_PATCH_OPERATIONS } from '../../../src/core/limits.js'
import { diff } from '../../../src/core/diff.js'
import { merge as mergeValues } from '../../../src/core/merging.js'
import { Dice } from '../../dice.js'
import { add, copied, move, Naive, nested, op, publicCases, remove, replace, small } from '../naive.js'
import { anEvent, anId, ITEM } from './examples.js'

const SEEDS = Number(process.env.SEEDS ?? 300)

const TASK = {
  body: { $text: 'hello' },
  n: { $counter: 5 },
  tags: { $set: ['a', 'c', { x: 1 }] },
  m: { $map: { $x: 1, $map: { y: 2 }, l: [] } },
  list: ['a', { $text: 'b' }, [1]],
}

/** Events of several authors, each of whom has seen the ones before a place. */
class Log {
  /** @type {import('../../../src/core/events.js').Event[]} */
  events = []

  /** @param {any} value */
  constructor(value = TASK) {
    this.patch([add('', value)])
  }

  document(seen = this.events.length) {
    const document = new Document(ITEM)
    for (const event of this.events.slice(0, seen)) document.fold(event)
    return document
  }

  editor(seen = this.events.length) {
    return new Editor(this.document(seen), anId(this.events.length))
  }

  /**
   * Ends an event; its ops.
   * @param {Editor} editor
   */
  push(editor) {
    check(editor.ops)
    const event = anEvent(this.events.length, editor.ops)
    event.n = event.clock.n1 = this.events.length + 1
    this.events.push(event)
    return editor.ops
  }

  /** @param {any} patch @param {number} [seen] */
  patch(patch, seen) {
    const editor = this.editor(seen)
    apply(editor, patch)
    return this.push(editor)
  }

  /** @param {any} patch @param {number} [seen] */
  merge(patch, seen) {
    const editor = this.editor(seen)
    merge(editor, patch)
    return this.push(editor)
  }

  value() {
    return this.document().value()
  }
}

/**
 * Ops without the names in them.
 * @param {any[]} ops
 */
const shapes = (ops) =>
  ops.map((each) => Object.fromEntries(Object.entries(each).filter(([key]) => !/^(in|over|after|elems?)$/.test(key))))

/**
 * What a document of this value is after a patch, its author and a reader of its event agreeing.
 * @param {any} value
 * @param {any} patch
 */
function patched(value, patch) {
  const log = new Log(value)
  const editor = log.editor()
  apply(editor, patch)
  log.push(editor)
  assert.deepEqual(editor.document.value(), log.value())
  return log.value()
}

/**
 * @param {any} value
 * @param {any} patch
 * @returns {[string, any]}
 */
function errorOf(value, patch) {
  const editor = new Log(value).editor()
  try {
    apply(editor, patch)
  } catch (/** @type {any} */ error) {
    assert.equal(error.name, 'SynclineError', error.stack)
    return [error.code, error.details.index]
  }
  return assert.fail('the patch was applied')
}

/** @param {any} value @param {any} changed what is null goes */
const changedIn = (value, changed) =>
  Object.fromEntries(Object.entries({ ...value, ...changed }).filter(([, member]) => member !== null))

describe('plain JSON', () => {
  /** @param {any[]} patch */
  const marked = (patch) => patch.map((each) => ('value' in each ? { ...each, value: toWire(each.value) } : each))

  /** @param {any} value @param {(editor: Editor, argument: any) => void} edit @param {any} argument @param {any} expected */
  function checkPlain(value, edit, argument, expected) {
    const log = new Log(toWire(value))
    const editor = log.editor()
    const kept = structuredClone(argument)
    edit(editor, argument)
    assert.deepEqual(argument, kept)
    assert.deepEqual(editor.document.plain(), expected)
    log.push(editor)
    assert.deepEqual(log.document().plain(), expected)
    assert.deepEqual(log.document().conflicts(), [])
  }

  test('a diff leads there', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const [before, after] = [small(dice), small(dice)]
      checkPlain(before, apply, marked(diff(before, after)), after)
    }
  })

  test('random operations do what they do to the value', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const value = small(dice)
      const model = new Naive(value, dice)
      const patch = model.patch(dice.below(8))
      checkPlain(value, apply, marked(patch), model.value)
    }
  })

  test('a merge does what it does to the value', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const [value, patch] = [small(dice), small(dice)]
      checkPlain(value, merge, toWire(patch), mergeValues(value, patch))
    }
  })

  for (const { doc, patch, error, expected = doc, comment } of publicCases()) {
    test(comment ?? JSON.stringify(patch).slice(0, 100), () => {
      if (error) assert.match(errorOf(toWire(doc), patch)[0], /^(bad_patch|patch_failed|patch_test_failed)$/)
      else checkPlain(doc, apply, marked(patch), expected)
    })
  }
})

describe('kinds, in both spellings', () => {
  for (const [patch, drafted, changed] of /** @type {[any, any, any][]} */ ([
    [replace('/body', 'hello you'), [{ op: 'insert', text: ' you' }], { body: { $text: 'hello you' } }],
    [replace('/body/$text', 'hallo'), [{ op: 'del' }, { op: 'insert', text: 'a' }], { body: { $text: 'hallo' } }],
    [add('/body/$text', 'hell'), [{ op: 'del' }], { body: { $text: 'hell' } }],
    [replace('/body', { $text: 'hello' }), [], {}],
    [add('/body', 5), [{ op: 'put', key: 'body', value: 5 }], { body: 5 }],
    [replace('/n', 7), [{ op: 'inc', by: 2 }], { n: { $counter: 7 } }],
    [replace('/n/$counter', 4), [{ op: 'inc', by: -1 }], { n: { $counter: 4 } }],
    [replace('/n', { $counter: 5 }), [], {}],
    [add('/tags/-', 'b'), [{ op: 'add', value: 'b' }], { tags: { $set: ['a', 'b', 'c', { x: 1 }] } }],
    [add('/tags/$set/0', 'a'), [{ op: 'add', value: 'a' }], {}],
    [remove('/tags/0'), [{ op: 'discard', value: 'a' }], { tags: { $set: ['c', { x: 1 }] } }],
    [remove('/tags/$set/2'), [{ op: 'discard', value: { x: 1 } }], { tags: { $set: ['a', 'c'] } }],
    [replace('/tags/1', 'c'), [], {}],
    [
      replace('/tags/1', 'b'),
      [{ op: 'discard', value: 'c' }, { op: 'add', value: 'b' }],
      { tags: { $set: ['a', 'b', { x: 1 }] } },
    ],
    [
      replace('/tags', ['c', 'd', { x: 1 }]),
      [{ op: 'discard', value: 'a' }, { op: 'add', value: 'd' }],
      { tags: { $set: ['c', 'd', { x: 1 }] } },
    ],
    [replace('/tags/$set', []), ['a', 'c', { x: 1 }].map((value) => op('discard', 0, { value })), { tags: { $set: [] } }],
    [
      add('/tags/-', { $text: 'raw' }),
      [{ op: 'add', value: { $text: 'raw' } }],
      { tags: { $set: ['a', 'c', { $text: 'raw' }, { x: 1 }] } },
    ],
    [remove('/m/$x'), [{ op: 'del', key: '$x' }], { m: { $map: { $map: { y: 2 }, l: [] } } }],
    [
      replace('/m/$map/$x', 2),
      [{ op: 'put', key: '$x', value: 2 }],
      { m: { $map: { $x: 2, $map: { y: 2 }, l: [] } } },
    ],
    [
      replace('/m/$map/$map/y', 3),
      [{ op: 'put', key: 'y', value: 3 }],
      { m: { $map: { $x: 1, $map: { y: 3 }, l: [] } } },
    ],
    [
      replace('/m/$map', { $x: 1, l: [0] }),
      [{ op: 'del', key: '$map' }, { op: 'insert', values: [0] }],
      { m: { $map: { $x: 1, l: [0] } } },
    ],
    [
      add('/list/1', { $text: 'x' }),
      [{ op: 'insert', values: [{ $text: 'x' }] }],
      { list: ['a', { $text: 'x' }, { $text: 'b' }, [1]] },
    ],
    [replace('/list/1', 'bc'), [{ op: 'insert', text: 'c' }], { list: ['a', { $text: 'bc' }, [1]] }],
    [replace('/list/1/$text', 'bc'), [{ op: 'insert', text: 'c' }], { list: ['a', { $text: 'bc' }, [1]] }],
    [remove('/list/0'), [{ op: 'del' }], { list: [{ $text: 'b' }, [1]] }],
    [move('/list/2', '/list/0'), [{ op: 'move' }], { list: [[1], 'a', { $text: 'b' }] }],
    [move('/list/0', '/list/-'), [{ op: 'move' }], { list: [{ $text: 'b' }, [1], 'a'] }],
    [move('/list/2', '/list/-'), [], {}],
    [move('/list/1', '/list/2/0'), null, null],
    [
      move('/body', '/text'),
      [{ op: 'del', key: 'body' }, { op: 'put', key: 'text', value: { $text: 'hello' } }],
      { body: null, text: { $text: 'hello' } },
    ],
    [
      move('/list/0', '/list/1/0'),
      [{ op: 'del' }, { op: 'insert', values: ['a'] }],
      { list: [{ $text: 'b' }, ['a', 1]] },
    ],
    [move('/body', '/body'), [], {}],
    [copied('/tags', '/more'), [{ op: 'put', key: 'more', value: TASK.tags }], { more: TASK.tags }],
    [
      copied('/tags/$set', '/more'),
      [{ op: 'put', key: 'more', value: ['a', 'c', { x: 1 }] }],
      { more: ['a', 'c', { x: 1 }] },
    ],
    [copied('/m/$map', '/more'), [{ op: 'put', key: 'more', value: TASK.m }], { more: TASK.m }],
    [copied('/body', '/n/$counter'), null, null],
    [
      copied('/body/$text', '/list/1/$text'),
      [{ op: 'del' }, { op: 'insert', text: 'hello' }],
      { list: ['a', { $text: 'hello' }, [1]] },
    ],
    [
      copied('/m', '/tags/-'),
      [{ op: 'add', value: TASK.m.$map }],
      { tags: { $set: ['a', 'c', TASK.m.$map, { x: 1 }] } },
    ],
    [copied('/tags/2/x', '/one'), [{ op: 'put', key: 'one', value: 1 }], { one: 1 }],
  ])) {
    test(JSON.stringify(patch), () => {
      if (!drafted) {
        const [code] = errorOf(TASK, [patch]) // which depends on what is there when the value arrives
        assert.equal(code, 'patch_failed')
        return
      }
      const log = new Log()
      assert.deepEqual(shapes(log.patch([patch])), drafted.map((/** @type {any} */ { path, ...each }) => each))
      assert.deepEqual(log.value(), changedIn(TASK, changed))
    })
  }

  test('what was copied out of a set travels', () => {
    const value = { tags: { $set: [{ $x: 1 }] } }
    assert.deepEqual(patched(value, [move('/tags/0', '/m')]), { tags: { $set: [] }, m: { $map: { $x: 1 } } })
  })

  for (const [path, value] of /** @type {[string, any][]} */ ([
    ['', TASK],
    ['', { body: 'hello', n: 5, tags: TASK.tags, m: TASK.m.$map, list: ['a', 'b', [1]] }],
    ['/body', 'hello'],
    ['/body', { $text: 'hello' }],
    ['/body/$text', 'hello'],
    ['/n', 5],
    ['/n', { $counter: 5 }],
    ['/n/$counter', 5],
    ['/tags', ['a', 'c', { x: 1 }]],
    ['/tags/$set/2/x', 1],
    ['/m', TASK.m],
    ['/m', TASK.m.$map],
    ['/m/$map', TASK.m.$map],
    ['/m/$map/$map', { y: 2 }],
    ['/list/2/0', 1],
  ])) {
    test(`a test takes either spelling: ${path} ${JSON.stringify(value)}`, () => {
      assert.deepEqual(new Log().patch([op('test', path, { value })]), [])
    })
  }

  for (const [path, value] of /** @type {[string, any][]} */ ([
    ['', null],
    ['', {}],
    ['', { ...TASK, n: 6 }],
    ['/body', 'hallo'],
    ['/body', ['h', 'e', 'l', 'l', 'o']],
    ['/body', { $text: 'hello', b: 1 }],
    ['/body', { $set: 'hello' }],
    ['/body/$text', { $text: 'hello' }],
    ['/n', true],
    ['/n', '5'],
    ['/n', null],
    ['/tags', ['a', 'c']],
    ['/tags', ['c', 'a', { x: 1 }]],
    ['/tags/2', { x: true }],
    ['/m', { $x: 1, l: [] }],
    ['/m/$map', TASK.m],
    ['/list', ['a', 'b']],
    ['/list', ['a', 'b', [true]]],
    ['/list/0', ['a']],
  ])) {
    test(`a test that fails says which: ${path} ${JSON.stringify(value)}`, () => {
      const patch = [remove('/list/0'), add('/list/0', 'a'), op('test', path, { value })]
      assert.deepEqual(errorOf(TASK, patch), ['patch_test_failed', 2])
    })
  }
})

describe('the whole document', () => {
  for (const [before, patch, drafted, after] of /** @type {[any, any, any[], any][]} */ ([
    [{ a: 1, b: 2 }, replace('', { a: 1, b: 3 }), [{ op: 'put', key: 'b', value: 3 }], { a: 1, b: 3 }],
    [{ $map: { $a: 1 } }, replace('/$map', { $a: 2 }), [{ op: 'put', key: '$a', value: 2 }], { $map: { $a: 2 } }],
    [{ a: 1 }, add('', [1]), [{ op: 'put', value: [1] }], [1]],
    [[1], add('', { a: 1 }), [{ op: 'ensure', kind: 'map' }, { op: 'put', key: 'a', value: 1 }], { a: 1 }],
    [[1], add('/-', 2), [{ op: 'insert', values: [2] }], [1, 2]],
    [[1, 2], move('/0', ''), [{ op: 'del' }, { op: 'put', value: 1 }], 1],
    [[1, 2], replace('', [1, 2, 3]), [{ op: 'insert', values: [3] }], [1, 2, 3]],
    [{ $counter: 1 }, replace('', 3), [{ op: 'inc', by: 2 }], { $counter: 3 }],
    [{ $counter: 1 }, replace('/$counter', 3), [{ op: 'inc', by: 2 }], { $counter: 3 }],
    [{ $set: [1] }, add('/$set/-', 3), [{ op: 'add', value: 3 }], { $set: [1, 3] }],
    [{ $text: 'a' }, replace('', 'ab'), [{ op: 'insert', text: 'b' }], { $text: 'ab' }],
    ['a', replace('', 'a'), [], 'a'],
    ['a', replace('', null), [{ op: 'put', value: null }], null],
    [{}, remove(''), [{ op: 'delete' }], null],
  ])) {
    test(`of ${JSON.stringify(before)} by ${JSON.stringify(patch)}`, () => {
      const log = new Log(before)
      assert.deepEqual(shapes(log.patch([patch])), drafted)
      assert.deepEqual(log.value(), after)
    })
  }

  test('what is empty is made all the same', () => {
    const log = new Log({})
    assert.ok(log.document().exists)
    assert.deepEqual(log.value(), {})
    assert.deepEqual(log.patch([add('', {})]), [])
  })

  test('a deleted document comes back as what is added to it', () => {
    for (const edit of [
      (/** @type {Log} */ log) => log.patch([add('', { a: 1, c: 3 })]),
      (/** @type {Log} */ log) => log.merge({ a: 1, b: null, c: 3 }),
    ]) {
      const log = new Log({ a: 1, b: 2 })
      log.patch([remove('')])
      assert.ok(!log.document().exists)
      assert.deepEqual(edit(log).map((each) => each.op), ['restore', 'del', 'put'])
      assert.deepEqual(log.value(), { a: 1, c: 3 })
    }
  })

  test('a document can be deleted and made in one patch', () => {
    assert.deepEqual(patched({ a: 1 }, [remove(''), add('', { b: 1 }), remove('/b')]), {})
  })

  test('without a document nothing can be asked of it', () => {
    for (const patch of [[remove('')], [replace('', 1)], [op('test', '', { value: null })], [add('/a', 1)], [copied('', '')]]) {
      for (const prefix of [[], [add('', {}), remove('')]]) {
        const editor = new Editor(new Document(ITEM), anId(1))
        assert.throws(() => apply(editor, [...prefix, ...patch]), { code: 'patch_failed', message: /no document/ })
      }
    }
  })
})

describe('errors', () => {
  for (const patch of [
    remove('/missing'),
    remove('/toString'),
    remove('/list/3'),
    remove('/list/-'),
    remove('/tags/3'),
    remove('/tags/2/x'),
    remove('/body/$text'),
    remove('/body/0'),
    remove('/body/name'),
    remove('/n/0'),
    remove('/n/once'),
    replace('/missing', 1),
    replace('/list/-', 1),
    replace('/list/01', 1),
    replace('/tags/3', 1),
    replace('/tags/2/x', 2),
    replace('/body/0', 'x'),
    replace('/body/$text', 5),
    replace('/body/$counter', 5),
    replace('/n/$counter', 1.5),
    replace('/m/$map', []),
    replace('/m/$text', ''),
    add('/missing/x', 1),
    add('/list/4', 1),
    add('/list/x', 1),
    add('/list/0/x', 1),
    add('/tags/4', 1),
    add('/tags/x', 1),
    add('/tags/2/y', 1),
    add('/body/0', 'x'),
    add('/body/$text/0', 'x'),
    add('/body/name', 'x'),
    add('/n/-', 1),
    move('/missing', '/missing'),
    move('/m', '/m/x'),
    move('', '/x'),
    move('/list/0', '/list/3'),
    move('/body/$text', '/x'),
    move('/list/1/$text', '/list/1/x'),
    copied('/missing', '/x'),
    copied('/n', '/body/$text'),
    copied('/body/birth', '/x'),
    op('test', '/missing', { value: null }),
    op('test', '/body/0', { value: 'h' }),
    op('test', '/body/name', { value: 'h' }),
  ]) {
    test(`what does not fit fails and names the operation: ${JSON.stringify(patch)}`, () => {
      const good = [op('test', '/n', { value: 5 }), add('/new', 1)]
      assert.deepEqual(errorOf(TASK, [...good, patch, ...good]), ['patch_failed', 2])
    })
  }

  for (const [patch, index] of /** @type {[any, any][]} */ ([
    [{ op: 'add' }, undefined],
    [Array(MAX_PATCH_OPERATIONS + 1).fill(remove('/n')), undefined],
    [[remove('/missing'), op('spam', '/a')], 1],
    [[remove('n')], 0],
    [[add('/x', 1), add('/y', { $foo: 1 })], 1],
    [[add('/y', [{ $text: 1 }])], 0],
    [[replace('/n', { $counter: 1.5 })], 0],
    [[replace('', { n: { $set: 1 } })], 0],
    [[add('/list/0', { $text: '', x: 1 })], 0],
  ])) {
    test(`what is malformed is refused: ${JSON.stringify(patch).slice(0, 60)}`, () => {
      assert.deepEqual(errorOf(TASK, patch), ['bad_patch', index])
    })
  }

  test('a malformed merge patch is refused', () => {
    for (const patch of [{ $foo: 1 }, { a: { $text: null } }, { a: [{ $counter: '1' }] }, { m: { $map: null } }]) {
      assert.throws(() => merge(new Log().editor(), patch), { code: 'bad_patch' })
    }
  })
})

test('what a patch was made of may change afterwards', () => {
  const value = { x: [1], s: { $set: [[2]] } }
  for (const act of [(/** @type {Editor} */ e) => apply(e, [add('/y', value)]), (/** @type {Editor} */ e) => merge(e, { y: value })]) {
    const editor = new Log({}).editor()
    act(editor)
    const kept = JSON.stringify([editor.ops, editor.document.value()])
    value.x.push(5)
    value.s.$set[0].push(5)
    assert.equal(JSON.stringify([editor.ops, editor.document.value()]), kept)
  }
})

describe('limits', () => {
  for (const [fits, tooDeep] of [
    [add('/x', nested(MAX_DEPTH - 1)), add('/x', nested(MAX_DEPTH))],
    [replace('', nested(MAX_DEPTH)), replace('', nested(MAX_DEPTH + 1))],
    [replace('/v', { y: nested(MAX_DEPTH - 2) }), replace('/v', { y: nested(MAX_DEPTH - 1) })],
    [copied('/v', '/o/v'), copied('/v', '/o/p/v')],
    [move('/v', '/o/v'), move('/v', '/o/p/v')],
    [add('/s/-', nested(MAX_DEPTH - 2)), add('/s/-', nested(MAX_DEPTH - 1))],
    [replace('/s/0', nested(MAX_DEPTH - 2)), replace('/s/0', nested(MAX_DEPTH - 1))],
  ]) {
    test(`a result nests no deeper than the limit: ${fits.op} ${fits.path}`, () => {
      const value = { v: nested(MAX_DEPTH - 2), o: { p: {} }, s: { $set: [1] } }
      patched(value, [fits])
      assert.deepEqual(errorOf(value, [op('test', '/o', { value: { p: {} } }), tooDeep]), ['too_deep', 1])
    })
  }

  test('a bottomless patch breaks no stack', () => {
    /** @type {any[]} */
    let bottomless = []
    for (let n = 0; n < 100_000; n++) bottomless = [bottomless]
    for (const patch of [add('/a', bottomless), replace('/n', bottomless), add('/tags/-', bottomless)]) {
      assert.equal(errorOf(TASK, [patch])[0], 'too_deep')
    }
    assert.equal(errorOf(TASK, [op('test', '/list', { value: bottomless })])[0], 'patch_test_failed')
    assert.throws(() => merge(new Log().editor(), { a: bottomless }), { code: 'too_deep' })
  })

  test('a patch that doubles is refused early', () => {
    const error = errorOf({ l: ['x'.repeat(1_000)] }, Array(30).fill(copied('/l', '/l/-')))
    assert.deepEqual(error, ['too_large', 10])
  })

  test('copies and moves are counted together', () => {
    const value = { a: 'x'.repeat(MAX_PATCH_COPIED_BYTES / 2 - 2), s: { $set: [] } } // and two quotes
    patched(value, [copied('/a', '/b'), move('/b', '/c')])
    assert.deepEqual(errorOf(value, [copied('/a', '/b'), move('/b', '/s/-'), copied('/s/0', '/a')]), ['too_large', 2])
  })

  test('maps in maps are tested once', () => {
    // keys that look like marks offer no choice that would double the work at every level
    /** @type {any} */
    let value = 1
    for (let n = 0; n < 31; n++) value = { $map: { $map: value } }
    assert.deepEqual(new Log(value).patch([op('test', '', { value })]), [])
  })
})

describe('a merge edits kinds', () => {
  for (const [patch, drafted, changed] of /** @type {[any, any[], any][]} */ ([
    [{ body: 'hello you' }, [{ op: 'insert', text: ' you' }], { body: { $text: 'hello you' } }],
    [{ n: 7, missing: null }, [{ op: 'inc', by: 2 }], { n: { $counter: 7 } }],
    [{ n: { $counter: 5 } }, [], {}],
    [{ tags: ['a', 'c'] }, [{ op: 'discard', value: { x: 1 } }], { tags: { $set: ['a', 'c'] } }],
    [{ body: null }, [{ op: 'del', key: 'body' }], { body: null }],
    [{ body: { a: null, b: 1 } }, [{ op: 'put', key: 'body', value: { b: 1 } }], { body: { b: 1 } }],
    [{ list: ['a', 'b', [2]] }, [{ op: 'put', value: 2 }], { list: ['a', { $text: 'b' }, [2]] }],
    [{ m: { $map: { $x: null } } }, [{ op: 'del', key: '$x' }], { m: { $map: { $map: { y: 2 }, l: [] } } }],
    [{ m: { l: null } }, [{ op: 'del', key: 'l' }], { m: { $map: { $x: 1, $map: { y: 2 } } } }],
    [{ new: { $map: { $x: null } } }, [{ op: 'put', key: 'new', value: { $map: {} } }], { new: {} }],
  ])) {
    test(JSON.stringify(patch), () => {
      const log = new Log()
      assert.deepEqual(shapes(log.merge(patch)), drafted)
      assert.deepEqual(log.value(), changedIn(TASK, changed))
    })
  }
})

describe('apart from one another', () => {
  test('elements that two insert are both there', () => {
    for (const one of [0, 1, 2, 3]) {
      for (const other of [0, 1, 2, 3]) {
        const log = new Log({ l: [1, 2, 3] })
        log.patch([add(`/l/${one}`, 'one')], 1)
        log.patch([add(`/l/${other}`, 'other')], 1)
        const found = log.value().l
        assert.deepEqual([...found].sort(), [1, 2, 3, 'one', 'other'])
        assert.deepEqual(found.filter(Number), [1, 2, 3])
      }
    }
  })

  test('an element that one moves and another edits is moved and edited', () => {
    const log = new Log({ l: [{ done: false }, 'b', 'c'] })
    log.patch([move('/l/0', '/l/2')], 1)
    log.patch([replace('/l/0/done', true), replace('/l/1', 'B')], 1)
    assert.deepEqual(log.value(), { l: ['B', 'c', { done: true }] })
    assert.deepEqual(log.document().conflicts(), [])
  })

  test('whole arrays and texts that are assigned merge', () => {
    const log = new Log({ l: ['a', 'b'], t: { $text: 'one two' }, n: { $counter: 1 }, s: { $set: [1, 2] } })
    log.patch([replace('', { l: ['x', 'a', 'b'], t: 'one, two', n: 3, s: [1] })], 1)
    log.merge({ l: ['a', 'b', 'y'], t: 'one two three', n: 5, s: [1, 2, 3] }, 1)
    assert.deepEqual(log.document().plain(), { l: ['x', 'a', 'b', 'y'], t: 'one, two three', n: 7, s: [1, 3] })
  })
})

describe('a stale base', () => {
  const before = { l: ['a', 'b', 'c'], t: { $text: 'hello' }, n: { $counter: 5 }, s: { $set: ['a', 'c'] }, o: { k: 1 } }
  for (const [since, patch, after] of /** @type {[any[], any[], any][]} */ ([
    [[add('/l/0', 'x')], [remove('/l/1')], { l: ['x', 'a', 'c'] }],
    [[add('/l/0', 'x')], [op('test', '/l/1', { value: 'b' }), replace('/l/1', 'B')], { l: ['x', 'a', 'B', 'c'] }],
    [[remove('/l/0')], [add('/l/2', 'n'), move('/l/2', '/l/0')], { l: ['n', 'b', 'c'] }],
    [[remove('/l')], [remove('/l/0')], { l: null }],
    [[replace('/t', 'oh hello')], [replace('/t', 'hello world')], { t: { $text: 'oh hello world' } }],
    [[replace('/t', 'hell')], [replace('/t', 'hello world')], { t: { $text: 'hell world' } }],
    [[replace('/n', 7)], [op('test', '/n', { value: 5 }), replace('/n', 6)], { n: { $counter: 8 } }],
    [[add('/s/-', 'b')], [remove('/s/1')], { s: { $set: ['a', 'b'] } }],
    [[replace('/o/k', 2), add('/o/j', 1)], [replace('/o', { i: 1 })], { o: { k: 2, j: 1, i: 1 } }],
    [
      [add('/o/j', 1)],
      [add('/o/i', { x: [1] }), add('/o/i/x/0', {}), add('/o/i/x/0/y', 0)],
      { o: { k: 1, j: 1, i: { x: [{ y: 0 }, 1] } } },
    ],
    [[remove('/o')], [replace('/o/k', 2)], { o: null }],
  ])) {
    test(`names what its author saw: ${JSON.stringify(patch)} after ${JSON.stringify(since)}`, () => {
      const log = new Log(before)
      log.patch(since)
      const [base, present] = [log.editor(1), log.editor()]
      apply(base, patch)
      rebase(present, base.ops)
      assert.deepEqual(present.ops, base.ops)
      log.push(present)
      assert.deepEqual(present.document.value(), log.value())
      assert.deepEqual(log.value(), changedIn(before, after))
    })
  }

  test('a test looks at that revision', () => {
    const log = new Log({ a: 1 })
    log.patch([replace('/a', 2)])
    apply(log.editor(1), [op('test', '/a', { value: 1 })])
    assert.throws(() => apply(log.editor(), [op('test', '/a', { value: 1 })]), { code: 'patch_test_failed' })
  })

  test('its ops make the same names everywhere', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const log = new Log(toWire({ v: small(dice) }))
      log.patch([replace('/v', toWire(small(dice)))])
      const [base, present] = [log.editor(1), log.editor()]
      apply(base, [replace('/v', toWire(small(dice))), add('/new', [{ x: 1 }]), add('/new/0/y', 2)])
      rebase(present, base.ops)
      log.push(present)
      assert.deepEqual(present.document.value(), log.value(), `seed ${seed}`)
      assert.deepEqual(log.value().new, [{ x: 1, y: 2 }], `seed ${seed}`)
    }
  })
})
