import assert from 'node:assert/strict'
import { test } from 'node:test'

import { MAX_POINTER_LENGTH } from '../../src/core/limits.js'
import { between, element, escape, format, key, parse, resolve } from '../../src/core/pointers.js'

// The examples of RFC 6901, section 5
const DOCUMENT = {
  foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'c%d': 2, 'e^f': 3, 'g|h': 4, 'i\\j': 5, 'k"l': 6, ' ': 7, 'm~n': 8,
}

for (const [pointer, value] of /** @type {[string, any][]} */ ([
  ['', DOCUMENT], ['/foo', ['bar', 'baz']], ['/foo/0', 'bar'], ['/', 0], ['/a~1b', 1], ['/c%d', 2], ['/e^f', 3],
  ['/g|h', 4], ['/i\\j', 5], ['/k"l', 6], ['/ ', 7], ['/m~0n', 8],
])) {
  test(`what ${JSON.stringify(pointer)} points at`, () => {
    assert.equal(format(parse(pointer)), pointer)
    assert.deepEqual(resolve(DOCUMENT, parse(pointer)), value)
  })
}

test('tokens are unescaped once', () => {
  assert.deepEqual(parse('/~01/~10/~0~1'), ['~1', '/0', '~/'])
  assert.equal(escape('~1/~0'), '~01~1~00')
  assert.equal(format(['a', 0, '/']), '/a/0/~1')
})

test('what is no pointer is refused', () => {
  for (const text of ['a', '~', '/~', '/~2', '/a/~01~', '/' + 'a'.repeat(MAX_POINTER_LENGTH)]) {
    assert.throws(() => parse(text), { code: 'bad_patch' }, text)
  }
  assert.equal(parse('/' + '😀'.repeat(MAX_POINTER_LENGTH - 1)).length, 1)
})

test('an index is a plain number within the array', () => {
  for (const token of ['-1', '01', '1.0', '1e0', ' 1', '', 'x', '٣', '3', '99999999999999999999', '-']) {
    assert.throws(() => element(3, token), { code: 'patch_failed' }, token)
  }
  assert.deepEqual([element(3, '0'), element(3, '2'), between(3, '3'), between(3, '-'), between(0, '0')], [0, 2, 3, 3, 0])
  assert.throws(() => between(3, '4'), { code: 'patch_failed' })
})

test('only what is an own member is there', () => {
  assert.equal(key({ 0: 'a' }, '0'), '0')
  assert.equal(key(['a'], '0'), 0)
  assert.equal(key(new Map([['a', 1]]), 'a'), 'a')
  assert.equal(resolve(JSON.parse('{"__proto__":1}'), ['__proto__']), 1)
  for (const [container, token] of /** @type {[any, string][]} */ ([
    [{}, 'toString'], [{}, '__proto__'], [[], 'length'], ['text', '0'], [null, 'a'], [1, 'a'], [new Map(), 'a'],
  ])) {
    assert.throws(() => key(container, token), { code: 'patch_failed' }, token)
  }
})
