// What Node compresses is inflated to what it was; what is damaged is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, deflateSync } from 'node:zlib'

import { inflate } from '../../src/core/inflate.js'
import { Dice } from '../dice.js'

const MOST = 1_000_000
const STRATEGIES = [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE]

/** The text; null if it is damaged. @param {Uint8Array} bytes */
function read(bytes) {
  try {
    return new TextDecoder().decode(inflate(bytes, MOST))
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error))
    return null
  }
}

/** Some bytes, more or less alike. @param {Dice} dice */
function some(dice) {
  const bytes = new Uint8Array(dice.below(3) ? dice.below(2_000) : dice.below(200_000))
  const kinds = 1 + dice.below(dice.below(2) ? 4 : 256)
  for (let at = 0; at < bytes.length; at++) bytes[at] = at > 300 && dice.below(9) ? bytes[at - 300] : dice.below(kinds)
  return bytes
}

test('what was compressed comes back, at every level and by every strategy', () => {
  for (let seed = 0; seed < 40; seed++) {
    const dice = new Dice(seed)
    const bytes = some(dice)
    for (const level of [0, 1, 6, 9]) {
      const packed = deflateSync(bytes, { level, strategy: dice.choose(STRATEGIES) })
      assert.deepEqual(Buffer.from(inflate(packed, MOST)), Buffer.from(bytes), `seed ${seed}, level ${level}`)
    }
  }
})

test('a text of one letter reaches into what it copies', () => {
  const text = 'a'.repeat(70_000)
  assert.equal(new TextDecoder().decode(inflate(deflateSync(text), MOST)), text)
  assert.equal(inflate(deflateSync(''), MOST).length, 0)
})

test('what is damaged, cut, followed by more or too large is refused', () => {
  const dice = new Dice(7)
  const text = '{"title":"Milk","tags":["shop","home"],"done":false}'.repeat(30)
  const packed = deflateSync(text)
  for (let end = 0; end < packed.length; end++) assert.throws(() => inflate(packed.subarray(0, end), MOST), RangeError)
  for (let round = 0; round < 500; round++) {
    const bytes = new Uint8Array(packed)
    bytes[dice.below(bytes.length)] ^= 1 << dice.below(8)
    assert.equal(read(bytes) ?? text, text) // the bits that fill up the last byte say nothing
  }
  assert.throws(() => inflate(Buffer.concat([packed, packed]), MOST), RangeError)
  assert.throws(() => inflate(deflateSync('x'.repeat(1_001)), 1_000), RangeError)
  assert.equal(inflate(deflateSync('x'.repeat(1_000)), 1_000).length, 1_000)
})
