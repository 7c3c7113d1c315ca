/** One document in memory: its state, the snapshot it began with, and the events since. */

import { Document } from '../../core/documents/document.js'
import { groupOf } from '../../core/documents/revisions.js'
import { decode, encode } from '../../core/documents/snapshots.js'
import { fail } from '../../errors.js'

/** @typedef {import('../../core/events.js').Event} Event */
/** @typedef {import('../../core/documents/revisions.js').Placed} Placed */
/** @typedef {import('../../core/messages.js').Base} Base */
/** @typedef {import('../../stores/index.js').Kept} Kept */

/**
 * The state of an item without events.
 * @param {string} item
 * @returns {Kept}
 */
export const nothing = (item) => ({
  item, text: '', seq: 0, at: 0, revision: 0, group: null, count: 0, number: 0, since: 0,
})

/**
 * The state of an item at its base, with the text of its document (empty: its events carried no ops).
 * @param {Base} base
 * @param {string} text
 * @returns {Kept}
 */
export function standing({ item, seq, at, revision, group, count, clock, last }, text) {
  const base = { seq, at, revision, clock, last }
  const exists = text !== '' && showsSomething(item, text)
  return { item, text: text || withoutOps(item, clock), seq, at, revision, group, count, number: 0, since: 0, exists, base }
}

/** @param {string} item @param {string} text of a snapshot */
function showsSomething(item, text) {
  try {
    const [, , isMade, , deletes] = JSON.parse(text)
    return isMade && !deletes.length
  } catch (error) {
    return fail('store_damaged', `The base of ${item} is damaged: ${error}`)
  }
}

/** @param {string} item @param {Record<string, number>} clock */
function withoutOps(item, clock) {
  const document = new Document(item)
  document.clock = new Map(Object.entries(clock))
  return encode(document)
}

export class Shelf {
  /** @param {Kept} kept */
  constructor(kept) {
    this.kept = kept
    this.document = kept.text ? decode(kept.item, kept.text) : new Document(kept.item)
    this.revision = kept.revision
    this.group = kept.group
    /** @type {Placed[]} confirmed events, then pending ones */
    this.stretch = []
    this.pending = 0
    /** Whether no entry came between pending events and their confirmation. */
    this.isInOrder = true
  }

  /**
   * Folds the next event.
   * @param {Placed} placed
   * @param {string} policy
   */
  fold(placed, policy) {
    const hasChanged = this.document.fold(placed.event, { policy, isNext: placed.seq > 0 })
    this.add(placed, hasChanged)
    return hasChanged
  }

  /**
   * Takes note of an event that was folded. A visible change is a revision, as are neighbours of one group.
   * @param {Placed} placed
   * @param {boolean} hasChanged
   */
  add(placed, hasChanged) {
    this.stretch.push(placed)
    if (placed.seq && this.pending) this.isInOrder = false
    if (!placed.seq) this.pending++
    const group = groupOf(placed.event)
    if (hasChanged && !this.goesOn(placed.event)) this.revision++
    this.group = hasChanged || group === this.group ? group : null
  }

  /**
   * Whether an event belongs to the last revision, as its neighbour in a group.
   * @param {Event} event
   */
  goesOn(event) {
    return this.group !== null && groupOf(event) === this.group
  }

  /**
   * A pending event has its entry now. False if it is not here, or not the first of those that waited: they are to be
   * folded again in the order of the log, in which those before it may come to nothing.
   * @param {Placed} placed
   */
  confirm(placed) {
    const first = this.stretch.length - this.pending
    const { id } = placed.event
    const where = this.stretch[first]?.event.id === id ? first : this.stretch.findIndex((each) => each.event.id === id)
    if (where >= 0 && this.stretch[where].seq) return true // it has come before
    if (where !== first) return false
    this.stretch[where] = placed
    this.pending--
    return true
  }
}
