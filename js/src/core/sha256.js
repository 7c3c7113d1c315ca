// SHA-256 (FIPS 180-4), synchronous: the platform's own one is asynchronous, and ids are made in plain function calls.

const ENCODER = new TextEncoder()

// The fractional parts of the square and cube roots of the first primes, 32 bits of each.
const INITIAL = new Int32Array(8)
const CONSTANTS = new Int32Array(64)
const SCHEDULE = new Int32Array(64)

for (let candidate = 2, count = 0; count < 64; candidate++) {
  let divisor = 2
  while (divisor * divisor <= candidate && candidate % divisor) divisor++
  if (divisor * divisor <= candidate) continue
  if (count < 8) INITIAL[count] = (candidate ** (1 / 2) % 1) * 2 ** 32
  CONSTANTS[count++] = (candidate ** (1 / 3) % 1) * 2 ** 32
}

/** @param {string} text */
export const utf8 = (text) => ENCODER.encode(text)

/** @param {Uint8Array} bytes */
export function toHex(bytes) {
  let text = ''
  for (const byte of bytes) text += (byte + 256).toString(16).slice(1)
  return text
}

/** @param {string} text two hexadecimal digits a byte */
export const fromHex = (text) => Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.substr(2 * i, 2), 16))

/**
 * The 32 bytes of a digest.
 * @param {Uint8Array} message
 */
export function sha256(message) {
  const bytes = new Uint8Array(((message.length + 72) >> 6) << 6)
  bytes.set(message)
  bytes[message.length] = 0x80
  const view = new DataView(bytes.buffer)
  view.setUint32(bytes.length - 8, message.length / 2 ** 29)
  view.setUint32(bytes.length - 4, message.length << 3)
  const state = INITIAL.slice()
  for (let at = 0; at < bytes.length; at += 64) compress(state, view, at)
  state.forEach((word, place) => view.setInt32(4 * place, word))
  return bytes.slice(0, 32)
}

/** @param {number} word @param {number} count */
const rotated = (word, count) => (word >>> count) | (word << (32 - count))

/** @param {Int32Array} state @param {DataView} view @param {number} at */
function compress(state, view, at) {
  const w = SCHEDULE
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(at + 4 * t)
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15]
    const y = w[t - 2]
    const s0 = rotated(x, 7) ^ rotated(x, 18) ^ (x >>> 3)
    const s1 = rotated(y, 17) ^ rotated(y, 19) ^ (y >>> 10)
    w[t] = w[t - 16] + s0 + w[t - 7] + s1
  }
  let [a, b, c, d, e, f, g, h] = state
  for (let t = 0; t < 64; t++) {
    const one = (h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) + CONSTANTS[t] + w[t]) | 0
    const two = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
    h = g
    g = f
    f = e
    e = (d + one) | 0
    d = c
    c = b
    b = a
    a = (one + two) | 0
  }
  state[0] += a
  state[1] += b
  state[2] += c
  state[3] += d
  state[4] += e
  state[5] += f
  state[6] += g
  state[7] += h
}
