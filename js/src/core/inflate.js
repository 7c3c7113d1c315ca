// Inflating (zlib, RFC 1950, and deflate, RFC 1951), at once. What browsers bring for it is a stream, which takes
// milliseconds to set up: too long for each of ten thousand small documents.

const MAX_BITS = 15
const END = 256 // of a block
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] // of the lengths of code lengths
const ADLER = 65_521

/** @typedef {{ size: number, entries: Uint16Array }} Code by `size` next bits: symbol * 16 + bits of its code; 0: none */

/**
 * The code of symbols with codes of these lengths (0: it has none): shorter ones first, then in order.
 * @param {readonly number[]} lengths
 * @returns {Code}
 */
function codeOf(lengths) {
  const size = Math.max(1, ...lengths)
  const entries = new Uint16Array(1 << size)
  let next = 0
  for (let bits = 1; bits <= size; bits++, next <<= 1) {
    for (let symbol = lengths.indexOf(bits); symbol >= 0; symbol = lengths.indexOf(bits, symbol + 1)) {
      for (let at = mirrored(next++, bits); at < entries.length; at += 1 << bits) entries[at] = symbol * 16 + bits
    }
  }
  return { size, entries }
}

/** @param {number} code @param {number} bits */
function mirrored(code, bits) {
  let mirror = 0
  for (; bits; bits--, code >>= 1) mirror = (mirror << 1) | (code & 1)
  return mirror
}

/** What symbols of lengths or distances begin with, and their extra bits. @param {number} count @param {number} first @param {number} each */
function steps(count, first, each) {
  const found = []
  for (let symbol = 0, base = first; symbol < count; symbol++) {
    const extra = Math.max(0, Math.floor(symbol / each) - 1)
    found.push({ base, extra })
    base += 1 << extra
  }
  return found
}

const LENGTHS = [...steps(28, 3, 4), { base: 258, extra: 0 }]
const DISTANCES = steps(30, 1, 2)
const FIXED = {
  literals: codeOf(Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8))),
  distances: codeOf(Array.from({ length: 30 }, () => 5)),
}

/**
 * The bytes that were compressed. Throws a RangeError for more than `most`, and for what is no whole zlib stream.
 * @param {Uint8Array} bytes @param {number} most
 */
export function inflate(bytes, most) {
  const [method, flags] = bytes
  if ((method & 15) !== 8 || flags & 32 || (method * 256 + flags) % 31) wrong('it is not zlib')
  const stream = new Inflating(bytes, most)
  while (!stream.block());
  const end = stream.aligned()
  const sum = bytes.slice(end, end + 4).reduce((number, byte) => number * 256 + byte, 0)
  const out = stream.out.subarray(0, stream.length)
  if (bytes.length !== end + 4 || sum !== adler(out)) wrong('its end is damaged')
  return out
}

/** @param {string} why @returns {never} */
function wrong(why) {
  throw new RangeError(`The packed data is damaged: ${why}.`)
}

/** @param {Uint8Array} bytes */
function adler(bytes) {
  let [one, two] = [1, 0]
  for (const byte of bytes) {
    one = (one + byte) % ADLER
    two = (two + one) % ADLER
  }
  return two * 65_536 + one
}

class Inflating {
  /** @param {Uint8Array} bytes @param {number} most */
  constructor(bytes, most) {
    this.length = 0
    this.out = new Uint8Array(bytes.length * 4)
    this._bytes = bytes
    this._most = most
    this._at = 2
    this._bits = 0
    this._count = 0
  }

  /** The next bits are at hand; zeros after the end. @param {number} count */
  _need(count) {
    for (; this._count < count; this._count += 8) this._bits |= (this._bytes[this._at++] ?? 0) << this._count
  }

  /** @param {number} count */
  _take(count) {
    this._need(count)
    const value = this._bits & ((1 << count) - 1)
    this._bits >>>= count
    this._count -= count
    return value
  }

  /** @param {Code} code */
  _symbol({ size, entries }) {
    this._need(size)
    const entry = entries[this._bits & (entries.length - 1)]
    if (!entry || this._at > this._bytes.length + 2) wrong('it has no such code')
    this._take(entry & 15)
    return entry >> 4
  }

  /** Where the next whole byte is. */
  aligned() {
    this._at -= this._count >> 3
    this._bits = this._count = 0
    return this._at
  }

  /** Inflates a block; whether it was the last. */
  block() {
    const isLast = this._take(1) === 1
    const kind = this._take(2)
    if (kind === 0) this._stored()
    else if (kind === 1) this._compressed(FIXED)
    else if (kind === 2) this._compressed(this._codes())
    else wrong('it has no such block')
    return isLast
  }

  _stored() {
    const at = this.aligned()
    const [a, b, c, d] = this._bytes.subarray(at, at + 4)
    const count = a + b * 256
    if (count !== 65_535 - (c + d * 256) || at + 4 + count > this._bytes.length) wrong('a block is cut')
    this._room(count)
    this.out.set(this._bytes.subarray(at + 4, at + 4 + count), this.length)
    this.length += count
    this._at = at + 4 + count
  }

  _codes() {
    const [literals, distances, count] = [this._take(5) + 257, this._take(5) + 1, this._take(4) + 4]
    const first = Array.from({ length: 19 }, () => 0)
    for (let at = 0; at < count; at++) first[ORDER[at]] = this._take(3)
    const code = codeOf(first)
    /** @type {number[]} */
    const lengths = []
    while (lengths.length < literals + distances) {
      const symbol = this._symbol(code)
      if (symbol <= MAX_BITS) lengths.push(symbol)
      else {
        const times = symbol === 16 ? 3 + this._take(2) : symbol === 17 ? 3 + this._take(3) : 11 + this._take(7)
        const length = symbol === 16 ? lengths[lengths.length - 1] ?? wrong('it repeats nothing') : 0
        for (let left = times; left; left--) lengths.push(length)
      }
    }
    return { literals: codeOf(lengths.slice(0, literals)), distances: codeOf(lengths.slice(literals, literals + distances)) }
  }

  /** @param {{ literals: Code, distances: Code }} codes */
  _compressed({ literals, distances }) {
    for (let symbol; (symbol = this._symbol(literals)) !== END; ) {
      if (symbol < END) {
        this._room(1)
        this.out[this.length++] = symbol
      } else this._copy(this._step(LENGTHS, symbol - END - 1), this._step(DISTANCES, this._symbol(distances)))
    }
  }

  /** @param {typeof LENGTHS} table @param {number} symbol */
  _step(table, symbol) {
    const { base, extra } = table[symbol] ?? wrong('it has no such step')
    return base + this._take(extra)
  }

  /** What was `distance` bytes before, which may reach into what is copied. @param {number} count @param {number} distance */
  _copy(count, distance) {
    if (distance > this.length) wrong('it goes on from nothing')
    this._room(count)
    for (const end = this.length + count; this.length < end; this.length++) this.out[this.length] = this.out[this.length - distance]
  }

  /** @param {number} count bytes that come */
  _room(count) {
    const length = this.length + count
    if (length > this._most) wrong(`it has more than ${this._most} bytes`)
    if (length <= this.out.length) return
    const larger = new Uint8Array(Math.max(length, this.out.length * 2))
    larger.set(this.out)
    this.out = larger
  }
}
