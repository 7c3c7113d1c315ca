import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { encode } from '../../src/core/canonical.js'
import { MAX_DEPTH, MAX_PATCH_COPIED_BYTES, MAX_PATCH_OPERATIONS, MAX_POINTER_LENGTH } from '../../src/core/limits.js'
import { diff } from '../../src/core/diff.js'
import { equal } from '../../src/core/json.js'
import { merge } from '../../src/core/merging.js'
import { apply } from '../../src/core/patches.js'
import { Dice } from '../dice.js'
import { add, ATOMS, copied, move, Naive, nested, op, publicCases, remove, replace, small } from './naive.js'

const SEEDS = Number(process.env.SEEDS ?? 500)

/**
 * What a patch fails with; it has changed neither itself nor the value.
 * @param {any} value
 * @param {any} patch
 * @returns {[string, any]}
 */
function errorOf(value, patch) {
  const kept = structuredClone([value, patch])
  try {
    apply(value, patch)
  } catch (/** @type {any} */ error) {
    assert.equal(error.name, 'SynclineError')
    assert.ok(error.message.length < 200)
    assert.deepEqual([value, patch], kept)
    return [error.code, error.details.index]
  }
  return assert.fail('the patch was applied')
}

describe('the public cases', () => {
  const cases = publicCases()
  for (const { doc, patch, error, expected, comment } of cases) {
    test(comment ?? JSON.stringify(patch).slice(0, 100), () => {
      if (error) assert.match(errorOf(doc, patch)[0], /^(bad_patch|patch_failed|patch_test_failed)$/)
      else if (expected === undefined) apply(doc, patch)
      else assert.deepEqual(apply(doc, patch), expected)
    })
  }
  test('are all here', () => assert.equal(cases.length, 91))
})

describe('applying', () => {
  for (const [value, patch, result] of [
    ['a', [replace('', 'b')], 'b'],
    [{ a: 1 }, [add('', [])], []],
    [[1], [add('/-', 2), add('/0', 0), add('/3', 3)], [0, 1, 2, 3]],
    [{ a: 1 }, [add('/a', 2)], { a: 2 }],
    [{ '-': 1 }, [replace('/-', 2)], { '-': 2 }],
    [{ a: [1, [2]] }, [replace('/a/1/0', 3), remove('/a/0')], { a: [[3]] }],
    [{ a: 1 }, [move('/a', '/b')], { b: 1 }],
    [{ a: { b: 1 } }, [move('/a/b', '')], 1],
    [{ a: { b: 1 } }, [move('', '')], { a: { b: 1 } }],
    [[1, 2, 3], [move('/0', '/2')], [2, 3, 1]],
    [[1, 2, 3], [move('/0', '/-')], [2, 3, 1]],
    [{ a: [1], ab: {} }, [move('/a', '/ab/x')], { ab: { x: [1] } }],
    [{ a: 1 }, [copied('', '/b')], { a: 1, b: { a: 1 } }],
    [{ a: [1] }, [copied('/a', '')], [1]],
    [{ a: 1 }, [op('test', '/a', { value: 1.0 })], { a: 1 }],
    [{ a: 1 }, [op('test', '', { value: { a: 1 }, note: 'ignored' })], { a: 1 }],
    [{}, [add('/__proto__', 1), add('/b', {}), move('/__proto__', '/b/__proto__')], JSON.parse('{"b":{"__proto__":1}}')],
  ]) {
    test(JSON.stringify(patch), () => assert.deepEqual(apply(value, /** @type {any} */ (patch)), result))
  }

  for (const [patch, index] of [
    [{ op: 'add' }, undefined],
    ['[]', undefined],
    [null, undefined],
    [Array(MAX_PATCH_OPERATIONS + 1).fill(remove('/a')), undefined],
    [['remove'], 0],
    [[null], 0],
    [[{}], 0],
    [[{ op: 'remove' }], 0],
    [[remove('/missing'), op('spam', '/a')], 1],
    [[op(1, '/a')], 0],
    [[op(['add'], '/a')], 0],
    [[op('constructor', '/a')], 0],
    [[{ op: 'x'.repeat(10_000), path: '' }], 0],
    [[remove('/a'), op('add', '/a')], 1],
    [[op('replace', '/a')], 0],
    [[op('test', '/a')], 0],
    [[op('move', '/a')], 0],
    [[op('copy', '/a')], 0],
    [[copied(1, '/a')], 0],
    [[remove(null)], 0],
    [[remove(['a'])], 0],
    [[remove('/a'), remove('/a'), remove('a')], 2],
    [[remove('/~2')], 0],
    [[remove('/' + 'a'.repeat(MAX_POINTER_LENGTH))], 0],
    [[move('a', '/a')], 0],
  ]) {
    test(`a malformed patch is refused whatever the value: ${JSON.stringify(patch).slice(0, 60)}`, () => {
      for (const value of [{ a: 1 }, [], null]) assert.deepEqual(errorOf(value, patch), ['bad_patch', index])
    })
  }

  for (const patch of [
    [remove('')],
    [remove('/missing')],
    [replace('/missing', 1)],
    [replace('/toString', 1)],
    [copied('/missing', '/x')],
    [move('/missing', '/missing')],
    [move('/o', '/o/p')],
    [move('', '/x')],
    [add('/missing/x', 1)],
    [add('/n/x', 1)],
    [add('/n/0', 1)],
    [remove('/n/0')],
    [add('/l/3', 1)],
    [add('/l/01', 1)],
    [add('/l/x', 1)],
    [add('/l/length', 1)],
    [remove('/l/2')],
    [remove('/l/-')],
    [replace('/l/-', 1)],
    [op('test', '/l/-', { value: 1 })],
    [op('test', '/missing', { value: null })],
  ]) {
    test(`what does not fit fails and names the operation: ${JSON.stringify(patch)}`, () => {
      const value = { l: [1, 2], n: 7, o: { p: {} } }
      const good = [op('test', '/n', { value: 7 }), add('/new', 1)]
      assert.deepEqual(errorOf(value, [...good, ...patch, ...good]), ['patch_failed', 2])
    })
  }

  test('applying is that of a naive model', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const value = small(dice)
      const model = new Naive(value, dice)
      const patch = model.patch(dice.below(12))
      const kept = structuredClone([value, patch])
      assert.deepEqual(apply(value, patch), model.value, `seed ${seed}`)
      assert.deepEqual([value, patch], kept, `seed ${seed}`)
    }
  })

  test('the result shares what did not change', () => {
    const value = { a: { b: [1] }, c: { d: 2 } }
    const result = apply(value, [add('/a/b/-', 2)])
    assert.deepEqual(result, { a: { b: [1, 2] }, c: { d: 2 } })
    assert.deepEqual(value, { a: { b: [1] }, c: { d: 2 } })
    assert.equal(result.c, value.c)
    assert.equal(apply(value, []), value)
  })

  test('what was copied changes on its own', () => {
    const patch = [replace('/a/n', 2), copied('/a', '/b'), replace('/a/n', 3), replace('/b/n', 4)]
    assert.deepEqual(apply({ a: { n: 1 } }, patch), { a: { n: 3 }, b: { n: 4 } })
  })

  test('a value of the patch is not changed by later operations', () => {
    /** @type {number[]} */
    const shared = []
    assert.deepEqual(apply({}, [add('/a', shared), add('/b', shared), add('/a/-', 1), add('/b/-', 2)]), { a: [1], b: [2] })
    assert.deepEqual(shared, [])
  })
})

describe('equality', () => {
  for (const [found, wanted] of [
    [1, true], [0, false], [1, '1'], [null, false], [0, null], [[], {}], [[1, true], [1, 1]], [[1], [1, 2]],
    [{ a: { b: 1 } }, { a: { b: true } }], [{ a: 1 }, { a: 1, b: 1 }], [{ a: 1 }, { b: 1 }], ['é', 'e\u0301'],
    [{}, JSON.parse('{"__proto__":{}}')],
  ]) {
    test(`a test fails where values differ: ${JSON.stringify([found, wanted])}`, () => {
      for (const [a, value] of [[found, wanted], [wanted, found]]) {
        assert.deepEqual(errorOf({ a }, [op('test', '/a', { value })]), ['patch_test_failed', 0])
      }
    })
  }

  test('is that of the canonical form', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const [left, right] = [small(dice), small(dice)]
      assert.equal(equal(left, right), encode(left) === encode(right), `seed ${seed}`)
      assert.ok(equal(left, structuredClone(left)), `seed ${seed}`)
    }
  })
})

describe('the limits', () => {
  test('as many operations as the limit are applied', () => {
    assert.equal(apply([], Array(MAX_PATCH_OPERATIONS).fill(add('/-', 1))).length, MAX_PATCH_OPERATIONS)
  })

  test('a patch that doubles is refused early', () => {
    assert.deepEqual(errorOf(['x'.repeat(1_000)], Array(1_000).fill(copied('', '/-'))), ['too_large', 10])
  })

  test('copies are counted together, in bytes', () => {
    const half = 'é'.repeat(MAX_PATCH_COPIED_BYTES / 4 - 1) // and two quotes
    const twice = [copied('/0', '/-'), copied('/0', '/-')]
    assert.equal(apply([half], twice).length, 3)
    assert.deepEqual(errorOf([half, 0], [...twice, copied('/1', '/-')]), ['too_large', 2])
  })

  test('what moves deeper counts as a copy, and what does not is free', () => {
    const value = { a: 'x'.repeat(600_000), b: {} }
    const [there, back] = [move('/a', '/b/a'), move('/b/a', '/a')]
    assert.deepEqual(apply(value, [there, back]), value)
    assert.deepEqual(errorOf(value, [there, back, there]), ['too_large', 2])
    assert.deepEqual(apply(value, Array(100).fill([move('/a', '/c'), move('/c', '/a')]).flat()), value)
  })

  for (const [fits, tooDeep] of [
    [add('/x', nested(MAX_DEPTH - 1)), add('/x', nested(MAX_DEPTH))],
    [replace('', nested(MAX_DEPTH)), replace('', nested(MAX_DEPTH + 1))],
    [replace('/v', { y: nested(MAX_DEPTH - 2) }), replace('/v', { y: nested(MAX_DEPTH - 1) })],
    [copied('/v', '/o/v'), copied('/v', '/o/p/v')],
    [move('/v', '/o/v'), move('/v', '/o/p/v')],
  ]) {
    test(`a result nests no deeper than the limit: ${fits.op} ${fits.path}`, () => {
      const value = { v: nested(MAX_DEPTH - 2), o: { p: {} } }
      apply(value, [fits])
      assert.deepEqual(errorOf(value, [op('test', '/o', { value: { p: {} } }), tooDeep]), ['too_deep', 1])
    })
  }

  test('a bottomless patch breaks no stack', () => {
    /** @type {any[]} */
    let bottomless = []
    for (let n = 0; n < 100_000; n++) bottomless = [bottomless]
    assert.throws(() => apply({}, [add('/a', bottomless)]), { code: 'too_deep' })
    assert.throws(() => merge({}, { a: bottomless }), { code: 'too_deep' })
  })
})

describe('comparing', () => {
  test('a diff leads there and changes nothing', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const [before, after] = [small(dice), small(dice)]
      const kept = structuredClone([before, after])
      const patch = diff(before, after)
      assert.deepEqual(apply(before, patch), after, `seed ${seed}`)
      assert.deepEqual([before, after], kept, `seed ${seed}`)
      assert.equal(patch.length === 0, encode(before) === encode(after), `seed ${seed}`)
    }
  })

  test('a diff of an array of atoms needs no more than the edit distance by insertions', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const [before, after] = [dice.several(ATOMS, dice.below(12)), dice.several(ATOMS, dice.below(12))]
      const longest = [Array(after.length + 1).fill(0)]
      for (const [i, one] of before.entries()) {
        longest.push([0])
        after.forEach((other, j) => {
          longest[i + 1][j + 1] = one === other ? longest[i][j] + 1 : Math.max(longest[i][j + 1], longest[i + 1][j])
        })
      }
      const weight = diff(before, after).reduce((sum, each) => sum + (each.op === 'replace' ? 2 : 1), 0)
      assert.equal(weight, before.length + after.length - 2 * longest[before.length][after.length], `seed ${seed}`)
    }
  })

  for (const [before, after, patch] of [
    [1, 1, []],
    [1, true, [replace('', true)]],
    [{}, [], [replace('', [])]],
    [{ a: 1 }, { a: true }, [replace('/a', true)]],
    [{ a: null }, {}, [remove('/a')]],
    [{}, { a: null }, [add('/a', null)]],
    [{ b: 1, a: 1 }, { c: 1, a: 2 }, [replace('/a', 2), remove('/b'), add('/c', 1)]],
    [{ '\ufb33': 1, '😀': 1 }, {}, [remove('/😀'), remove('/\ufb33')]],
    [{ 'a/b': { '~': 1 } }, { 'a/b': { '~': 2 } }, [replace('/a~1b/~0', 2)]],
    [[1, 2, 3], [1, 3], [remove('/1')]],
    [[1, 3], [1, 2, 3], [add('/1', 2)]],
    [[1, 2], [1, 2, 3, 4], [add('/2', 3), add('/3', 4)]],
    [[1, 2, 3, 4], [3], [remove('/0'), remove('/0'), remove('/1')]],
    [[1, 2, 3], [1, 9, 3], [replace('/1', 9)]],
    [[1, 2, 3, 4, 5], [0, 1, 2, 4, 9], [add('/0', 0), remove('/3'), replace('/4', 9)]],
    [[true, 1], [1, true], [remove('/0'), add('/1', true)]],
    [[[1], [2]], [[1, 2]], [remove('/1'), add('/0/1', 2)]],
  ]) {
    test(`${JSON.stringify(before)} to ${JSON.stringify(after)}`, () => assert.deepEqual(diff(before, after), patch))
  }

  const tasks = [0, 1, 2, 3, 4].map((id) => ({ id, title: `task ${id}`, done: false }))
  const done = (/** @type {number} */ id) => ({ ...tasks[id], done: true })
  for (const [after, patch] of /** @type {[any[], any[]][]} */ ([
    [[...tasks.slice(0, 2), done(2), ...tasks.slice(3)], [replace('/2/done', true)]],
    [[done(1), ...tasks.slice(2)], [remove('/0'), replace('/0/done', true)]],
    [[...tasks.slice(0, 3), done(3)], [remove('/4'), replace('/3/done', true)]],
    [[{ id: 9 }, done(0), ...tasks.slice(1)], [add('/0', { id: 9 }), replace('/1/done', true)]],
    [[done(0), { id: 9 }, ...tasks.slice(1)], [add('/1', { id: 9 }), replace('/0/done', true)]],
  ])) {
    test(`a changed object beside one that came or went: ${JSON.stringify(patch)}`, () => {
      assert.deepEqual(diff(tasks, after), patch)
      assert.deepEqual(apply(tasks, patch), after)
    })
  }

  test('a few edits in a long array are few operations', () => {
    const before = Array.from({ length: 20_000 }, (_, n) => n)
    const after = [...before]
    for (const place of [19_999, 10_000, 5_000, 17]) after.splice(place, 0, -place)
    after.splice(3_000, 1)
    const patch = diff(before, after)
    assert.equal(patch.length, 5)
    assert.deepEqual(apply(before, patch), after)
  })

  test('a diff is always a patch that can be applied', () => {
    const long = 'k'.repeat(MAX_POINTER_LENGTH)
    const zeros = (/** @type {number} */ count) => Array(count).fill(0)
    const ones = (/** @type {number} */ count) => Array(count).fill(1)
    for (const [before, after, path] of /** @type {[any, any, string][]} */ ([
      [{ l: zeros(1_001), m: 1 }, { l: ones(1_001), m: 1 }, '/l'],
      [{ o: { [long]: 1 } }, { o: { [long]: 2 } }, '/o'],
      [{ [long]: 1 }, { [long]: 2 }, ''],
      [{ a: zeros(600), b: zeros(600) }, { a: ones(600), b: ones(600) }, ''],
    ])) {
      const patch = diff(before, after)
      assert.deepEqual(patch.map((each) => each.path), [path])
      assert.deepEqual(apply(before, patch), after)
    }
  })

  test('arrays far apart are paired by place, and cost little', () => {
    const before = Array.from({ length: 300 }, (_, n) => ({ n, done: false }))
    const after = before.map((each) => ({ ...each, done: true }))
    assert.deepEqual(diff(before, after), before.map((_, n) => replace(`/${n}/done`, true)))
    const many = Array.from({ length: 30_000 }, (_, n) => `a${n % 7}`)
    const others = many.map((_, n) => `a${(n * n) % 7}`)
    assert.deepEqual(apply(many, diff(many, others)), others)
  })
})

describe('merging', () => {
  // RFC 7396, appendix A
  for (const [value, patch, result] of [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [['a', 'b'], ['c', 'd'], ['c', 'd']],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{}, JSON.parse('{"__proto__":{"a":1}}'), JSON.parse('{"__proto__":{"a":1}}')],
  ]) {
    test(`${JSON.stringify(value)} and ${JSON.stringify(patch)}`, () => assert.deepEqual(merge(value, patch), result))
  }

  test('a merge changes no argument, and twice is once', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const [value, patch] = [small(dice), small(dice)]
      const kept = structuredClone([value, patch])
      const result = merge(value, patch)
      assert.deepEqual(merge(result, patch), result, `seed ${seed}`)
      assert.deepEqual([value, patch], kept, `seed ${seed}`)
    }
  })

  test('a merge patch nests no deeper than the limit', () => {
    assert.deepEqual(merge({}, { a: nested(MAX_DEPTH - 1) }), { a: nested(MAX_DEPTH - 1) })
    assert.throws(() => merge({}, { a: nested(MAX_DEPTH) }), { code: 'too_deep' })
  })
})
