// Peering: how two sets of events become one, as a state machine without I/O.
//
// One end compares its Merkle tree with the other's, fetches what it lacks and gives what the other lacks. A set may
// change meanwhile: what comes to it is found the next time. Of two events with one id that differ both go, and each end
// decides what stands there; a server decides it for both.

import { SynclineError, fail } from '../errors.js'
import { decodeEvents } from './batch.js'
import { sizeOf } from './canonical.js'
import { split } from './decoding.js'
import { MAX_BODY_BYTES, MAX_FETCH_IDS, MAX_PUSH_EVENTS } from './limits.js'
import { nodeOf, summaryOf } from './merkle/nodes.js'
import { Walk } from './merkle/walk.js'

/** @typedef {import('./events.js').Entry} Entry */
/** @typedef {import('./events.js').Event} Event */
/** @typedef {import('./messages.js').Fetch} Fetch */
/** @typedef {import('./messages.js').Found} Found */
/** @typedef {import('./messages.js').Give} Give */
/** @typedef {import('./messages.js').Merkle} Merkle */
/** @typedef {import('./messages.js').Tree} TreeMessage */

/** Give these to the other end, in this order. @typedef {{type: 'share', ids: string[]}} Share */

/** The epoch that a replica gives under which knows of no log yet. */
export const NO_EPOCH = '0'.repeat(32)
const ENVELOPE_BYTES = 256 // more than what surrounds an event in a message, or a message

/** One course of comparing, fetching and giving. `items` and `since`: what the tree is of. */
export class Peering {
  /**
   * @param {import('./merkle/tree.js').Tree} tree
   * @param {{items?: readonly string[], since?: number}} [of]
   */
  constructor(tree, { items = [], since = 0 } = {}) {
    this.since = since
    /** Whether nothing differed. */
    this.isEqual = false
    this._items = items
    this._walk = new Walk(tree)
    /** @type {string[] | null} */
    this._fetching = null
    /** @type {string[]} */
    this._asked = []
    this._hasOffered = false
  }

  /** The ids that this end lacks, or holds with another digest. */
  get lacking() {
    return new Set([...this._walk.theirsOnly, ...this._walk.differing])
  }

  /** The ids that the other end lacks. */
  get lacked() {
    return this._walk.mineOnly
  }

  /** The ids that both hold, with digests that are not the same. */
  get differing() {
    return this._walk.differing
  }

  /** The next step; null when both hold the same. @returns {Merkle | Fetch | Share | null} */
  next() {
    if (!this._fetching) {
      const questions = this._walk.questions()
      if (questions.length) {
        return { type: 'merkle', ref: 0, items: this._items, since: this.since, summaries: questions.map(summaryOf) }
      }
      this._fetching = [...this.lacking].sort()
      this.isEqual = !this.lacking.size && !this.lacked.size
    }
    if (this._fetching.length) {
      this._asked = this._fetching.slice(0, MAX_FETCH_IDS)
      return { type: 'fetch', ref: 0, ids: this._asked }
    }
    const ids = this._hasOffered ? [] : [...this.lacked, ...this.differing].sort()
    this._hasOffered = true
    return ids.length ? { type: 'share', ids } : null
  }

  /**
   * Takes the answer to the last step; what there is to keep. Fails with bad_request for what nobody asked for.
   * @param {TreeMessage | Found} answer
   * @returns {Entry[]}
   */
  receive(answer) {
    if (answer.type === 'found') return this._take(answer)
    this._walk.take(answer.summaries.map(nodeOf))
    return []
  }

  /** Goes on after the last entry that came, or after all that were asked for. @param {Found} found */
  _take({ entries, more }) {
    const places = entries.map(({ event }) => this._asked.indexOf(event.id))
    if (places.includes(-1) || (more && !places.length)) fail('bad_request', 'found: nobody asked for these entries.')
    const done = more ? Math.max(...places) + 1 : this._asked.length
    this._fetching = (this._fetching ?? []).slice(done)
    return entries
  }
}

/**
 * The events that a peer gives, looked at as a server looks at a push: in their order, or their errors. Fails with
 * bad_request if these are no entries.
 * @param {string} entries a JSON array, as it came
 */
export function eventsOf(entries) {
  if (!entries.trimStart().startsWith('[')) fail('bad_request', 'give: the entries must be a list.')
  try {
    return decodeEvents(`[${split(entries).map(eventIn).join()}]`)
  } catch (error) {
    throw error instanceof SynclineError ? error : new SynclineError('bad_request', 'give: these are no entries.')
  }
}

/** The text of the event in the text of an entry. @param {string} entry */
function eventIn(entry) {
  const member = split(entry).find((each) => JSON.parse(`{${each}}`).event) ?? fail('bad_request', 'give: no event.')
  return member.slice(member.indexOf(':') + 1)
}

/** The events that were found, looked at likewise. @param {readonly Entry[]} entries */
export const eventsFound = (entries) => decodeEvents(`[${entries.map(({ event }) => JSON.stringify(event)).join()}]`)

/** The events among them, and what is wrong with the others. @param {(Event | SynclineError)[]} read */
export const sortedOut = (read) => ({
  events: /** @type {Event[]} */ (read.filter((each) => !(each instanceof SynclineError))),
  errors: /** @type {SynclineError[]} */ (read.filter((each) => each instanceof SynclineError)),
})

/**
 * The events in order, as many together as one message may carry.
 * @param {readonly Event[]} events
 */
export function* batches(events, maxBytes = MAX_BODY_BYTES - ENVELOPE_BYTES) {
  /** @type {Event[]} */
  let batch = []
  let size = 0
  for (const event of events) {
    const length = sizeOf(event.body) + ENVELOPE_BYTES
    if (batch.length && (size + length > maxBytes || batch.length === MAX_PUSH_EVENTS)) {
      yield batch
      batch = []
      size = 0
    }
    batch.push(event)
    size += length
  }
  if (batch.length) yield batch
}

/** What a peer gives of events, which have no place in a log between peers. @param {readonly Event[]} events */
const encoded = (events) => `[${events.map(({ body }) => `{"seq":0,"at":0,"receipt":"","event":${body}}`).join()}]`

/** @param {string | null} epoch @param {readonly Event[]} events @returns {Give} */
export const giveOf = (epoch, events) =>
  ({ type: 'give', ref: 0, epoch: epoch ?? NO_EPOCH, entries: encoded(events) })

/** Fails with epoch_changed if two replicas know logs that are not the same. @param {string | null} mine @param {string | null} theirs */
export function checkEpochs(mine, theirs) {
  if (mine && theirs && mine !== theirs) {
    fail('epoch_changed', 'The two replicas are of different logs; nothing was exchanged. A person has to decide.')
  }
}
