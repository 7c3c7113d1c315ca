// The log: how events become entries, for whoever keeps one for others.
//
//     tail(0) = 8 zero bytes
//     tail(n) = the first 8 bytes of SHA-256(tail(n-1) + digest(n))
//
// So the tail at a seq names the whole history up to it, and two logs that differ anywhere before differ there.
// Tails, digests and epochs are hexadecimal digits.

import { toBase64 } from './base64.js'
import { blake2b } from './blake2b.js'
import { Entry } from './events.js'
import { fromHex, sha256, toHex } from './sha256.js'

/** @typedef {import('./events.js').Event} Event */

/**
 * The end of a log: its epoch (32 digits), last seq (0: empty), the tail there, and the last entry's time.
 * @typedef {{epoch: string, seq: number, tail: string, at: number}} Head
 */

const RECEIPT_BYTES = 18
const SEQ_DIGITS = 16
export const NO_TAIL = '0'.repeat(16)

/** Keyed BLAKE2b over epoch, seq and digest: proof that this server once gave a digest this seq. */
export class Receipts {
  /** @param {Uint8Array} key */
  constructor(key) {
    this._key = key
  }

  /**
   * A receipt (24 characters, base64url).
   * @param {string} epoch
   * @param {number} seq
   * @param {string} digest
   */
  issue(epoch, seq, digest) {
    const place = fromHex(epoch + seq.toString(16).padStart(SEQ_DIGITS, '0') + digest)
    return toBase64(blake2b(this._key, 'syncline-receipt', RECEIPT_BYTES, place))
  }

  /**
   * Whether this server gave this receipt.
   * @param {string} epoch
   * @param {number} seq
   * @param {string} digest
   * @param {string} receipt
   */
  verify(epoch, seq, digest, receipt) {
    return this.issue(epoch, seq, digest) === receipt
  }
}

/**
 * The tail after one more digest.
 * @param {string} tail
 * @param {string} digest
 */
export const link = (tail, digest) => toHex(sha256(fromHex(tail + digest)).subarray(0, 8))

/**
 * The log after `events`: its new head, and an entry for each. `at` never falls below the head's.
 * @param {Head} head
 * @param {readonly Event[]} events
 * @param {number} at
 * @param {Receipts} receipts
 * @returns {{head: Head, entries: Entry[]}}
 */
export function extend(head, events, at, receipts) {
  /** @type {Entry[]} */
  const entries = []
  let { epoch, seq, tail } = head
  if (events.length) at = Math.max(at, head.at)
  for (const event of events) {
    const { digest } = event
    tail = link(tail, digest)
    entries.push(new Entry(++seq, at, receipts.issue(epoch, seq, digest), event))
  }
  return { head: events.length ? { epoch, seq, tail, at } : head, entries }
}
