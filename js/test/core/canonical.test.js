import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'

import { encode, sizeOf } from '../../src/core/canonical.js'
import { sha256, toHex, utf8 } from '../../src/core/sha256.js'

test('SHA-256 of messages of every length around a block', () => {
  for (let length = 0; length < 200; length++) {
    const message = utf8('é'.repeat(length))
    assert.equal(toHex(sha256(message)), createHash('sha256').update(message).digest('hex'))
  }
})

test('keys that look like indexes stand in the order of their characters', () => {
  assert.equal(encode({ 9: 1, 10: 2, a: { 2: 0, 11: 0 } }), '{"10":2,"9":1,"a":{"11":0,"2":0}}')
})

test('own keys of every name are members', () => {
  assert.equal(encode(JSON.parse('{"b":1,"__proto__":{"a":2},"":0}')), '{"":0,"__proto__":{"a":2},"b":1}')
  assert.equal(encode(Object.assign(Object.create(null), { b: 1, a: -0 })), '{"a":0,"b":1}')
})

test('what is no JSON value is refused, also deep inside', () => {
  for (const value of [undefined, () => 1, 1n, Symbol('a'), new Date(0), new Map(), [,], new (class A {})()]) {
    assert.throws(() => encode(value), { code: 'invalid_event' })
    assert.throws(() => encode({ a: [value] }), { code: 'invalid_event' })
  }
  for (const value of [NaN, Infinity]) assert.throws(() => encode([value]), { code: 'number_out_of_range' })
})

test('half a pair of surrogates is refused, in keys too, and a backslash before ud is none', () => {
  for (const value of ['\ud800', 'a\udc00b', '\udc00\ud800', { '\ud800': 1 }, { b: 0, a: ['\ud83d'] }]) {
    assert.throws(() => encode(value), { code: 'bad_json' })
  }
  assert.equal(encode({ a: '\\ud800 😀' }), '{"a":"\\\\ud800 😀"}')
})

test('a value that contains itself is refused', () => {
  /** @type {any} */
  const value = {}
  value.a = value
  assert.throws(() => encode(value), { code: 'too_deep' })
})

test('sizes count bytes', () => {
  for (const text of ['', 'a\x7f', 'é\u07ff', '\u0800€\uffff', '😀a😀']) assert.equal(sizeOf(text), utf8(text).length)
})
