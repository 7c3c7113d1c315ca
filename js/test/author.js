// Events and entries for tests: each author makes them like a node of its own.

import { toBase64 } from '../src/core/base64.js'
import { ERASED, Entry, Event } from '../src/core/events.js'
import { fromHex } from '../src/core/sha256.js'
import { StampClock } from '../src/core/stamps.js'

export const START_MS = 1_700_000_000_000

export class Author {
  constructor(node = 'author', user = 'ann') {
    this.node = node
    this.user = user
    this.n = 0
    this._clock = new StampClock(node)
  }

  /** @param {string} [item] @param {Partial<import('../src/core/events.js').EventValue>} [more] */
  event(item = 'task.1', more = {}) {
    const { node, user } = this
    const id = this._clock.next(START_MS, 7)
    return Event.of({ id, item, action: 'update', node, user, clock: { [node]: ++this.n }, ...more })
  }

  /** @param {number} count @param {string} [item] */
  events(count, item) {
    return Array.from({ length: count }, () => this.event(item))
  }
}

/** @param {number} seq @param {Event} event */
export const entry = (seq, event) => new Entry(seq, START_MS + seq, 'r'.repeat(24), event)

/** The erased form of an entry whose event has no ops. @param {Entry} entry */
export function erasedEntry({ seq, at, receipt, event: { clock, digest, id, item, node } }) {
  return new Entry(seq, at, receipt, new Event({ action: ERASED, clock, id, item, node }), toBase64(fromHex(digest)))
}

/** @param {readonly Event[]} events @param {number} [first] */
export const entries = (events, first = 1) => events.map((event, place) => entry(first + place, event))
