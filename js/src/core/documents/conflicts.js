/**
 * What people of one document do not agree on: slots with several values, and edits that have no effect.
 *
 * An edit has none if the space's policy overruled it, or if it did not know that the document had been deleted. It is
 * not lost: it is told here, with its author, so that somebody can do it again.
 *
 * @typedef {import('../events.js').Event} Event
 * @typedef {import('./document.js').Document} Document
 *
 * An edit without effect: its event's id, and whose it is. `user` is null while the author does not know it.
 * @typedef {{id: string, user: string | null, node: string, action: string}} Ineffective
 *
 * The conflicts of a document. `values`: slots that hold several values, none under last_write_wins. `overruled`: edits
 * that the policy overruled. `unseen`: edits of what was removed meanwhile, or while the document is deleted, where
 * neither had seen the other. `isMarked`: whether somebody has to decide, because the policy is `manual`.
 * @typedef {{values: import('./document.js').Conflict[], overruled: Ineffective[], unseen: Ineffective[],
 *   isMarked: boolean}} Conflicts
 */

import * as names from './names.js'
import { Element } from './objects.js'
import { changesOf } from './ops.js'
import { LAST_WRITE_WINS, MANUAL } from './policies.js'
import { isKept } from './snapshot_writer.js'

/**
 * The conflicts of a document that folded these events, under the policy in force now.
 * @param {Document} document
 * @param {Iterable<Event>} events
 * @param {string} policy
 * @returns {Conflicts}
 */
export function conflictsOf(document, events, policy) {
  const values = policy === LAST_WRITE_WINS ? [] : document.conflicts()
  const listed = document.overruled.size || hidesAnything(document) ? [...events] : []
  return {
    values,
    overruled: listed.filter((event) => document.overruled.has(event.id)).map(ineffective),
    unseen: new Hidden(document, listed).unseen().map(ineffective),
    isMarked: policy === MANUAL && values.length > 0,
  }
}

/**
 * @param {Event} event
 * @returns {Ineffective}
 */
const ineffective = ({ id, user, node, action }) => ({ id, user: user ?? null, node, action })

/**
 * Whether anything lies where it does not show; only then the events matter.
 * @param {Document} document
 */
export const hidesAnything = (document) =>
  document.deletes.size > 0 || [...document.objects.values()].some((each) => isKept(each) && !document.isInPlace(each))

/** What does not show because somebody removed what it is in, and who did. */
class Hidden {
  /**
   * @param {Document} document
   * @param {Event[]} events
   */
  constructor(document, events) {
    const deletes = new Set([...document.deletes].map(names.eventOf))
    this._document = document
    this._events = events.filter((event) => changesOf(event).length && !document.overruled.has(event.id))
    this._deletions = this._events.filter((event) => deletes.has(event.id))
    /** By object, and by key or place. @type {Map<string, Map<any, Event[]>>} */
    this._writers = new Map()
    for (const event of this._events) this._note(event)
  }

  /** The edits that do not show, made by people who had not seen why, and whom the removal had not seen. */
  unseen() {
    return this._events.filter((event) => {
      const reasons = this._deletions.includes(event) ? [] : [this._deletions]
      for (const op of changesOf(event)) if (op) reasons.push(this._removals(names.full(op.in ?? '', event.id)))
      return reasons.some((removals) => removals.length && removals.every((each) => areApart(event, each)))
    })
  }

  /**
   * Takes note of the slots of maps and elements in which an event put or removed something.
   * @param {Event} event
   */
  _note(event) {
    for (const op of changesOf(event)) {
      if (op?.op !== 'put' && op?.op !== 'del') continue
      const inside = names.full(op.in ?? '', event.id)
      if (op.key !== undefined) this._add(inside, op.key, event)
      for (const [place, count] of this._document.stretches(op.elems ?? (op.elem ? [op.elem] : []), event.id)) {
        for (let at = 0; at < count; at++) this._add(inside, place + at, event)
      }
    }
  }

  /** @param {string} inside @param {string | number} place @param {Event} event */
  _add(inside, place, event) {
    const places = this._writers.get(inside) ?? new Map()
    this._writers.set(inside, places.set(place, [...(places.get(place) ?? []), event]))
  }

  /**
   * The events that wrote the slot in which an object, or one it is in, no longer shows.
   * @param {string} name
   */
  _removals(name) {
    let target = this._document.objects.get(name)
    if (!target || !isKept(target)) return [] // a snapshot would not know of it
    for (; target.birth; target = target.birth.parent) {
      const { parent, place } = target.birth
      if (parent.shows(place) === target) continue
      const writers = this._writers.get(parent.name)?.get(place instanceof Element ? place.place : place) ?? []
      return writers.filter((event) => event.id !== names.maker(target.name))
    }
    return []
  }
}

/**
 * Whether neither had seen the other.
 * @param {Event} one
 * @param {Event} other
 */
const areApart = (one, other) => !hasSeen(one, other) && !hasSeen(other, one)

/**
 * @param {Event} event
 * @param {Event} other
 */
const hasSeen = ({ clock }, { node, n }) => Object.hasOwn(clock, node) && clock[node] >= n
