/**
 * Conflict policies: what happens to an event that does not name a put standing in a slot it writes.
 *
 *     merge             it applies; the greatest origin shows, the others are conflicts (the default)
 *     last_write_wins   the same, and the losers are not reported
 *     server_wins       it is overruled as a whole: the first write, in order of seq, stands
 *     manual            it applies, and the document is marked until somebody writes over both
 *
 * Texts, insertions into lists, sets and counters always merge. The policy in force at an entry's seq judges it.
 *
 * @typedef {import('./document.js').Document} Document
 * @typedef {import('./objects.js').Slot} Slot
 * @typedef {import('./objects.js').Standing} Standing
 * @typedef {import('./ops.js').Op} Op
 *
 * A slot an op writes that does not merge by itself: which, what stands there, and a put the op names anyway.
 * @typedef {{place: string, slot: Slot, own: string, child: string | null}} Written
 */

import * as names from './names.js'
import { EMPTY, List, MapObject, Ref } from './objects.js'
import { EVENT } from './sequence.js'

export const MERGE = 'merge'
export const LAST_WRITE_WINS = 'last_write_wins'
export const SERVER_WINS = 'server_wins'
export const MANUAL = 'manual'
export const POLICIES = new Set([MERGE, LAST_WRITE_WINS, SERVER_WINS, MANUAL])

/**
 * Whether an event leaves a put unnamed that stands in a slot it writes, in this op or one before.
 * @param {Document} document
 * @param {string} event
 * @param {readonly (Op | null)[]} ops
 */
export function contradicts(document, event, ops) {
  /** @type {Map<string, Set<string>>} */
  const seen = new Map()
  for (const op of ops) {
    const named = (op?.over ?? []).map((name) => names.full(name, event))
    for (const { place, slot, own, child } of op ? slots(document, event, op) : []) {
      const known = seen.get(place) ?? new Set()
      seen.set(place, known)
      for (const name of [...named, own]) known.add(name)
      if (slot.some((put) => !known.has(put.name) && !(put.value instanceof Ref && put.value.name === child))) return true
    }
  }
  return false
}

/**
 * @param {Document} document
 * @param {string} event
 * @param {Op} op
 * @returns {Generator<Written>}
 */
function* slots(document, event, op) {
  if (!['put', 'del', 'ensure', 'move'].includes(op.op)) return
  const target = document.objects.get(names.full(op.in ?? '', event))
  const isMove = op.op === 'move'
  if (target instanceof List) {
    for (const element of elements(document, event, target, op)) {
      const place = names.child(target.name, String(element.place), op.op === 'move' ? 'home' : '')
      yield { place, slot: isMove ? element.homes : element.puts, own: document.nameOf(element.place), child: null }
    }
  } else if (!isMove && !op.elems) yield* slotOfKey(document, op, op.key === undefined ? document.top : target)
}

/**
 * @param {Document} document
 * @param {Op} op
 * @param {unknown} target
 * @returns {Generator<Written>}
 */
function* slotOfKey(document, { op, key = '', kind = '' }, target) {
  if (!(target instanceof MapObject)) return
  const isTop = target === document.top
  // Whoever ensures a child apart makes the same one.
  const child = op !== 'ensure' ? null : isTop ? names.root(kind) : names.child(target.name, key, kind)
  const place = names.child(isTop ? '^' : target.name, key, '')
  yield { place, slot: target.slots.get(key) ?? EMPTY, own: '', child }
}

/**
 * The elements an op on a list names, as far as they are there.
 * @param {Document} document
 * @param {string} event
 * @param {List} target
 * @param {Op} op
 */
function* elements(document, event, target, { op, elem, elems }) {
  for (const stretch of (op === 'del' && elems) || (elem === undefined ? [] : [elem])) {
    const [maker, first, count] = names.stretchOf(stretch, event)
    const number = document.events.find(maker)
    for (let k = first; number !== undefined && k < first + count; k++) {
      const element = target.elements.get(number * EVENT + k)
      if (element) yield element
    }
  }
}
