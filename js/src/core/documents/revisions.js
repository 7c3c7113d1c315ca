/**
 * Revisions: the visible changes of a document, numbered, each with the patch that leads there and the one back.
 *
 * An entry makes a revision when the document shows something else after it; neighbouring entries of one node and one
 * `meta.group` make one revision together. `replay` folds a document's entries and tells its revisions, `blame` tells
 * which event put what shows in a place. What changed is found by `recorder`; which entries a document has, and where
 * revisions are kept, is left to others.
 *
 * @typedef {import('../events.js').Event} Event
 * @typedef {import('./document.js').Document} Document
 * @typedef {import('./objects.js').Slot} Slot
 * @typedef {import('./recorder.js').Change} Change
 */

import { msOf } from '../stamps.js'
import { undoneBy } from './history.js'
import { eventOf } from './names.js'
import { CounterObject, List, MapObject, SetObject, TextObject, winner } from './objects.js'
import { MERGE } from './policies.js'
import { Recorder } from './recorder.js'
import { numberOf } from './places.js'
import { sortedByBytes } from './values.js'

/**
 * One visible change of a document, by one event or a group of them (`ids`).
 *
 * `seq` and `at` are those of the last entry. While that is pending, `seq` is null and `at` its author's time.
 * `user` is null while the author does not know it, `action` that of the first event, `undoes` what an undo or redo
 * is about. For `kind`, `forward` and `reverse` see `Change`.
 *
 * @typedef {{number: number, seq: number | null, at: number, ids: string[], user: string | null, node: string,
 *   action: string, undoes: string | null} & Change} Revision
 */

/**
 * An event and where it is: its seq and the log's time of it, or zeros while it is pending.
 * @typedef {{event: Event, seq: number, at: number}} Placed
 */

/**
 * Folds one event; what it changed in what the document shows, null if nothing.
 * @param {Document} document
 * @param {Event} event
 * @param {{policy?: string}} [options]
 */
export function record(document, event, { policy = MERGE } = {}) {
  const observer = new Recorder(document)
  document.fold(event, { policy, observer })
  return observer.change()
}

/**
 * Folds the events of a document, pending ones last; its revisions, from `firstNumber` on.
 *
 * `policy` tells the conflict policy in force at a seq (undefined: for pending events). `group` is that of the last
 * revision of a document that was folded before, as `groupOf` tells it: what goes on with it is no revision of its own,
 * and is not told.
 *
 * @param {Document} document
 * @param {Iterable<Placed>} events
 * @param {number} [firstNumber]
 * @param {(seq: number | undefined) => string} [policy]
 * @param {string | null} [group]
 * @returns {Generator<Revision>}
 */
export function* replay(document, events, firstNumber = 1, policy = () => MERGE, group = null) {
  for (const together of grouped(events)) {
    const observer = new Recorder(document)
    let shows = false
    for (const { event, seq } of together) {
      if (document.fold(event, { policy: policy(seq || undefined), observer, isNext: seq > 0 })) shows = true
    }
    const goesOn = group !== null && groupOf(together[0].event) === group
    group = null
    // even if it is what showed before the event or the group
    if (shows && !goesOn) {
      yield revision(firstNumber++, together, observer.change() ?? { kind: 'update', forward: [], reverse: [] })
    }
  }
}

/**
 * The group of an event, told apart from others' groups; null if it is in none.
 * @param {Event} event
 */
export function groupOf(event) {
  const group = event.meta?.group
  return group ? `${event.node}/${group}` : null
}

/**
 * Neighbours of one revision, together.
 * @param {Iterable<Placed>} events
 * @returns {Generator<Placed[]>}
 */
function* grouped(events) {
  /** @type {Placed[]} */
  let group = []
  for (const placed of events) {
    if (group.length && !isTogether(group[0].event, placed.event)) {
      yield group
      group = []
    }
    group.push(placed)
  }
  if (group.length) yield group
}

/**
 * Whether both are of one group; an erased one does not tell its user.
 * @param {Event} one
 * @param {Event} other
 */
const isTogether = (one, other) => groupOf(one) !== null && groupOf(one) === groupOf(other)

/**
 * @param {number} number
 * @param {Placed[]} group
 * @param {Change} change
 * @returns {Revision}
 */
function revision(number, group, change) {
  const { event } = group[0]
  const last = group[group.length - 1]
  return {
    number,
    seq: last.seq || null,
    at: last.seq ? last.at : msOf(last.event.id),
    ids: group.map((each) => each.event.id),
    user: event.user ?? null,
    node: event.node,
    action: event.action,
    ...change,
    undoes: group.map((each) => undoneBy(each.event)).find(Boolean) ?? null,
  }
}

// Blame

/**
 * The event (its id) that put what shows; of a text `length` UTF-16 units from `start` on, of a set a member.
 * @typedef {{event: string, start: number, length: number}} Blame
 */

/**
 * Who put what shows at a path of keys and indexes. Throws a RangeError if nothing does.
 *
 * An undo or redo that puts a value back is not to blame for it; who first put it is.
 *
 * - For a text: its characters, in runs of one event. For a set: each member, in the order in which they show.
 * - For a counter: the event that made it, and undos and redos that count. Which others added to it is not kept.
 * - Otherwise one event: for a map or list, the one that made it. None for a root that exists without being made.
 *
 * @param {Document} document
 * @param {readonly (string | number)[]} path
 * @returns {Blame[]}
 */
export function blame(document, path) {
  if (!document.exists) throw new RangeError('There is no document.')
  let slot = document.top.slots.get('')
  let target = document.root
  for (const step of path) {
    slot = slotAt(target, step)
    target = winner(slot).value
  }
  if (target instanceof TextObject) return blameCharacters(document, target)
  if (target instanceof SetObject) return sortedByBytes(target.members).map((each, at) => by(origin(each), at))
  const events = new Set(slot?.length ? [origin(slot)] : [])
  if (target instanceof CounterObject) for (const { name } of target.once.values()) events.add(eventOf(name))
  return [...events].sort().map((event) => by(event))
}

/** @param {string} event */
const by = (event, start = 0) => ({ event, start, length: 1 })

/**
 * @param {any} target
 * @param {string | number} step
 * @returns {Slot}
 */
function slotAt(target, step) {
  const slot =
    typeof step === 'string'
      ? target instanceof MapObject && target.slots.get(step)
      : target instanceof List
        ? target.visible()[step]?.puts
        : target instanceof SetObject && sortedByBytes(target.members)[step]
  if (slot) return slot
  throw new RangeError('There is nothing at this path.')
}

/** @param {Slot} slot */
const origin = (slot) => eventOf(winner(slot).origin)

/**
 * @param {Document} document
 * @param {TextObject} target
 */
function blameCharacters(document, target) {
  /** @type {Blame[]} */
  const runs = []
  let start = 0
  for (const [place, character, isVisible] of target.sequence) {
    if (!isVisible) continue
    const event = document.events.id(numberOf(place))
    const last = runs[runs.length - 1]
    if (last?.event === event) last.length += character.length
    else runs.push({ event, start, length: character.length })
    start += character.length
  }
  return runs
}
