// Beginning from a snapshot: the questions a replica asks, part by part, and what it must do about the answers.
//
// A part is kept aside as it comes; the last puts all of them in the place of what the replica holds up to the
// snapshot's seq. If the server has made a newer snapshot meanwhile, all begins again with that.

import { fail } from '../errors.js'

/** @typedef {import('../errors.js').SynclineError} SynclineError */
/** @typedef {import('./events.js').Entry} Entry */
/** @typedef {import('./messages.js').AskSnapshot} AskSnapshot */
/** @typedef {import('./messages.js').Snapshot} Snapshot */

/**
 * Keep a part of a snapshot aside; with the last, all of it takes the place of what is there up to its seq. `entries`:
 * those of the system's items in this part and all before it. `cursor`: where to go on, that of the first part, so that
 * what has changed for this reader since then is told.
 * @typedef {{type: 'take', part: Snapshot, isFirst: boolean, isLast: boolean, entries: Entry[], cursor: string}} Take
 */

const MAX_BEGINNINGS = 10 // times that a snapshot may be gone before its end has come

/** One snapshot that is being asked for. */
export class Beginning {
  /** @param {readonly string[]} items */
  constructor(items) {
    this._items = items
    this._beginnings = 0
    this._begin()
  }

  _begin() {
    /** @type {number | null} */
    this._seq = null
    this._after = ''
    this._cursor = ''
    /** @type {Entry[]} */
    this._entries = []
  }

  /** What to ask next. @returns {AskSnapshot} */
  question() {
    return { type: 'snapshot', ref: 0, items: this._items, seq: this._seq ?? null, after: this._after ?? '' }
  }

  /**
   * What to do about the answer. Fails with bad_request if it does not go on where the last part ended.
   * @param {Snapshot} part
   * @returns {Take}
   */
  receive(part) {
    const { seq, after, cursor } = part
    const isFirst = this._seq === null
    if ((!isFirst && seq !== this._seq) || (after !== null && after <= (this._after ?? ''))) {
      fail('bad_request', 'The server answered another part of a snapshot than was asked for.')
    }
    this._seq = seq
    this._after = after ?? this._after
    this._cursor ||= cursor
    this._entries = [...(this._entries ?? []), ...part.entries]
    return { type: 'take', part, isFirst, isLast: after === null, entries: this._entries, cursor: this._cursor }
  }

  /** The snapshot is gone. Throws the error if that has happened too often. @param {SynclineError} error */
  beginAgain(error) {
    if (++this._beginnings >= MAX_BEGINNINGS) throw error
    this._begin()
  }
}
