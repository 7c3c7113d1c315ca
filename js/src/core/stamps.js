// Stamps: event ids that are also hybrid logical time (Kulkarni et al. 2014) in the layout of UUIDv7 (RFC 9562).
//
//     48 bits  milliseconds since 1970, UTC
//      4 bits  version, 7
//     12 bits  counter: events of the same millisecond
//      2 bits  variant
//     30 bits  hash of the node
//     32 bits  random
//
// A node's ids rise strictly, and above every id the node has seen, whatever its wall clock does. So the order of
// ids, which is that of their texts, respects causality, with the node as the tie-break of equal times.

import { fail } from '../errors.js'
import { MAX_DRIFT_MS } from './limits.js'
import { sha256, utf8 } from './sha256.js'

/** Before every id; never an event's. */
export const NIL_ID = '00000000-0000-0000-0000-000000000000'

export const MAX_COUNTER = 0xfff
export const MAX_MS = 2 ** 48 - 1

const ID = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

/** The parts of an id, in the order in which they are compared. */
export class Stamp {
  /** @param {number} ms @param {number} counter @param {number} nodeHash 30 bits @param {number} random 32 bits */
  constructor(ms, counter, nodeHash, random) {
    this.ms = ms
    this.counter = counter
    this.nodeHash = nodeHash
    this.random = random
  }

  /**
   * The parts of an event id. Fails with invalid_event.
   * @param {string} id
   */
  static parse(id) {
    checkId(id)
    const node = parseInt(id.slice(19, 23) + id.slice(24, 28), 16)
    return new Stamp(msOf(id), counterOf(id), node & 0x3fffffff, parseInt(id.slice(28), 16))
  }

  toString() {
    const time = hex(this.ms, 12)
    const node = hex(this.nodeHash + 2 ** 31, 8)
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(this.counter, 3)}-${node.slice(0, 4)}-${node.slice(4)}${hex(this.random, 8)}`
  }
}

/** @param {number} value @param {number} digits */
const hex = (value, digits) => value.toString(16).padStart(digits, '0')

/**
 * The milliseconds of an id.
 * @param {string} id
 */
export const msOf = (id) => parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

/** @param {string} id */
const counterOf = (id) => parseInt(id.slice(15, 18), 16)

/** Whether a text is a lowercase UUIDv7. @param {string} text */
export const isId = (text) => ID.test(text)

/**
 * The id itself if it is a lowercase UUIDv7. Fails with invalid_event.
 * @param {string} id
 */
export const checkId = (id) => (isId(id) ? id : fail('invalid_event', 'An id is a lowercase UUIDv7.'))

/**
 * The least id that is too far ahead of `nowMs` to be accepted: by more than five minutes, or `driftMs`.
 * @param {number} nowMs
 */
export const driftLimit = (nowMs, driftMs = MAX_DRIFT_MS) =>
  new Stamp(Math.min(nowMs + driftMs + 1, MAX_MS), 0, 0, 0).toString()

/**
 * 30 bits that stand for a node inside its ids.
 * @param {string} node
 */
export function nodeHash(node) {
  const [a, b, c, d] = sha256(utf8(node))
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 2
}

/** The greatest of some ids. @param {string} first @param {string[]} more */
export const greatest = (first, more) => more.reduce((a, b) => (a > b ? a : b), first)

/** Makes a node's ids. `last` is the greatest id made or seen; persist it with the event that used it. */
export class StampClock {
  /** @param {string} node */
  constructor(node, last = NIL_ID) {
    this._nodeHash = nodeHash(node)
    this.last = last
  }

  /**
   * A new id above all before it.
   * @param {number} nowMs
   * @param {number} entropy 32 random bits
   */
  next(nowMs, entropy) {
    let ms = msOf(this.last)
    let counter = counterOf(this.last) + 1
    if (nowMs > ms) {
      ms = nowMs
      counter = 0
    } else if (counter > MAX_COUNTER) {
      ms++ // the counter is used up: borrow the next millisecond
      counter = 0
    }
    if (!(ms <= MAX_MS)) fail('invalid_event', 'The clock reads a time that no id can hold.')
    return (this.last = new Stamp(ms, counter, this._nodeHash, entropy).toString())
  }

  /**
   * Takes note of an id seen elsewhere, so that later ids are greater.
   * @param {string} id
   */
  receive(id) {
    if (id > this.last) this.last = id
  }
}
