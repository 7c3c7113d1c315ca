// BLAKE2b (RFC 7693), keyed and personalised, for what only a server can make: cursors and receipts.

import { utf8 } from './sha256.js'

const MASK = 2n ** 64n - 1n
const BLOCK_BYTES = 128
const IV = (
  '6a09e667f3bcc908 bb67ae8584caa73b 3c6ef372fe94f82b a54ff53a5f1d36f1 ' +
  '510e527fade682d1 9b05688c2b3e6c1f 1f83d9abfb41bd6b 5be0cd19137e2179'
).split(' ').map((word) => BigInt('0x' + word))
const SIGMA = (
  '0123456789abcdef ea489fd61c02b753 b8c052fdae367194 7931dcbe265a40f8 905724afe1bc683d ' +
  '2c6a0b834d75fe19 c51fed4a0763928b db7ec13950f4862a 6fe9b308c2d714a5 a2847615fb9e3cd0'
).split(' ').map((row) => [...row].map((digit) => parseInt(digit, 16)))
// The columns and the diagonals of the state, as indexes.
const QUARTERS = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
  [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
] // prettier-ignore

/**
 * The keyed hash of a message.
 * @param {Uint8Array} key up to 64 bytes
 * @param {string} person up to 16 characters
 * @param {number} size of the hash, in bytes
 * @param {Uint8Array} message
 */
export function blake2b(key, person, size, message) {
  const state = [...IV]
  state[0] ^= BigInt(size | (key.length << 8) | (1 << 16) | (1 << 24))
  words(utf8(person.padEnd(16, '\0'))).forEach((word, place) => (state[6 + place] ^= word))
  const data = new Uint8Array(BLOCK_BYTES * (1 + Math.ceil(message.length / BLOCK_BYTES)))
  data.set(key)
  data.set(message, BLOCK_BYTES)
  for (let at = 0; at < data.length; at += BLOCK_BYTES) {
    const isLast = at + BLOCK_BYTES === data.length
    compress(state, words(data.subarray(at, at + BLOCK_BYTES)), isLast ? BLOCK_BYTES + message.length : at + BLOCK_BYTES, isLast)
  }
  const hash = new DataView(new ArrayBuffer(64))
  state.forEach((word, place) => hash.setBigUint64(8 * place, word, true))
  return new Uint8Array(hash.buffer, 0, size)
}

/** @param {Uint8Array} bytes */
function words(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return Array.from({ length: bytes.length / 8 }, (_, place) => view.getBigUint64(8 * place, true))
}

/** @param {bigint} word @param {bigint} count */
const rotated = (word, count) => ((word >> count) | (word << (64n - count))) & MASK

/** @param {bigint[]} state @param {bigint[]} block @param {number} count of bytes so far @param {boolean} isLast */
function compress(state, block, count, isLast) {
  const v = [...state, ...IV]
  v[12] ^= BigInt(count)
  if (isLast) v[14] ^= MASK
  for (let round = 0; round < 12; round++) {
    QUARTERS.forEach((quarter, place) => {
      const [x, y] = SIGMA[round % 10].slice(2 * place)
      mix(v, quarter, block[x], block[y])
    })
  }
  for (let place = 0; place < 8; place++) state[place] ^= v[place] ^ v[place + 8]
}

/** @param {bigint[]} v @param {number[]} quarter @param {bigint} x @param {bigint} y */
function mix(v, [a, b, c, d], x, y) {
  v[a] = (v[a] + v[b] + x) & MASK
  v[d] = rotated(v[d] ^ v[a], 32n)
  v[c] = (v[c] + v[d]) & MASK
  v[b] = rotated(v[b] ^ v[c], 24n)
  v[a] = (v[a] + v[b] + y) & MASK
  v[d] = rotated(v[d] ^ v[a], 16n)
  v[c] = (v[c] + v[d]) & MASK
  v[b] = rotated(v[b] ^ v[c], 63n)
}
