// The texts of cursors, which only a server makes and reads:
//
//     1 byte   format, 2
//     16 bytes epoch
//     8 bytes  seq, big-endian
//     8 bytes  tail at that seq
//     8 bytes  view: a digest of what the reader may see and asked for (access/views.js), zeros for everything
//     8 bytes  rules: the seq of the last system event that this view knew
//     n bytes  JSON, nothing if there is nothing to say: `[items, null]`, the patterns that were asked for, or
//              `[items, [view, rules, items, item, seq]]` while the difference from an older view is being brought; a
//              third member is the seq up to which acts of erasure are known, if that is beyond the cursor's own
//     16 bytes keyed BLAKE2b over all before it
//
// as base64url without padding, 87 characters or more. Digests are hexadecimal digits.

import { fail } from '../errors.js'
import { fromBase64, toBase64 } from './base64.js'
import { blake2b } from './blake2b.js'
import { fromHex, toHex, utf8 } from './sha256.js'

/** @typedef {import('./log.js').Head} Head */

/**
 * A view as a cursor tells it: its digest, the rules it knew, and the patterns that were asked for.
 * @typedef {{view: string, rules: number, items: string[]}} Stand
 */

/**
 * What a cursor says once it is proven genuine. `way`: how far the difference from an older view is brought: all items
 * before `item`, and of it up to `seq`.
 * @typedef {Stand & {epoch: string, seq: number, tail: string, way: (Stand & {item: string, seq: number}) | null,
 *   erased?: number}} Cursor the acts of erasure up to `erased` are known, though it comes before them
 */

const FORMAT = '02'
const BODY_BYTES = 49
const MAC_BYTES = 16

/** @param {number} value */
const eightBytes = (value) => value.toString(16).padStart(16, '0')

/** Makes and reads the texts of cursors with the server's secret key. */
export class CursorCodec {
  /** @param {Uint8Array} key */
  constructor(key) {
    this._key = key
  }

  /** @param {Cursor} cursor */
  encode({ epoch, seq, tail, view, rules, items, way, erased = 0 }) {
    const place = FORMAT + epoch + eightBytes(seq) + tail + view + eightBytes(rules)
    const brought = way && [way.view, way.rules, way.items, way.item, way.seq]
    const known = erased > seq ? [erased] : []
    const rest = way || items.length || known.length ? JSON.stringify([items, brought, ...known]) : ''
    const body = Uint8Array.from([...fromHex(place), ...utf8(rest)])
    return toBase64(Uint8Array.from([...body, ...this._mac(body)]))
  }

  /**
   * The cursor of a text. Fails with bad_cursor.
   * @param {string} text
   * @returns {Cursor}
   */
  decode(text) {
    const data = fromBase64(text) ?? new Uint8Array()
    const body = data.subarray(0, -MAC_BYTES)
    const isGenuine = toHex(this._mac(body)) === toHex(data.subarray(-MAC_BYTES))
    if (!isGenuine || body[0] !== 2) fail('bad_cursor', 'This cursor was not made by this server.')
    return read(body)
  }

  /** @param {Uint8Array} body */
  _mac(body) {
    return blake2b(this._key, 'syncline-cursor', MAC_BYTES, body)
  }
}

/** @param {Uint8Array} body @returns {Cursor} */
function read(body) {
  const digits = toHex(body.subarray(0, BODY_BYTES))
  const field = (/** @type {number} */ from, /** @type {number} */ to) => digits.slice(2 * from, 2 * to)
  const number = (/** @type {number} */ from) => parseInt(field(from, from + 8), 16)
  const rest = body.length > BODY_BYTES ? JSON.parse(new TextDecoder().decode(body.subarray(BODY_BYTES))) : [[]]
  const [items, brought, erased = 0] = rest
  const way = brought ? { view: brought[0], rules: brought[1], items: brought[2], item: brought[3], seq: brought[4] } : null
  return { epoch: field(1, 17), seq: number(17), tail: field(25, 33), view: field(33, 41), rules: number(41), items, way, ...(erased && { erased }) }
}

/**
 * Fails with epoch_changed or cursor_reset unless the log knows a cursor's place.
 * @param {{epoch: string, seq: number, tail: string}} cursor
 * @param {{epoch: string, seq: number}} head
 * @param {(seq: number) => string | undefined} tailAt
 */
export function checkPlace(cursor, head, tailAt) {
  if (cursor.epoch !== head.epoch) fail('epoch_changed', 'The space was made anew.', { epoch: head.epoch })
  if (cursor.seq > head.seq || (cursor.seq && tailAt(cursor.seq) !== cursor.tail)) {
    fail('cursor_reset', "The log does not know this cursor's place: it was restored from an older copy.")
  }
}
