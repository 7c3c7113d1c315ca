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
 * @typedef {import('./ops.js').Op} Op
 *
 * A slot that does not merge by itself, a put that its writer names anyway, and the child that an `ensure` makes.
 * @typedef {{slot: Slot, own: string, child: string | null}} Written
 */

import { child, full, root } from './names.js'
import { EMPTY, List, MapObject } from './objects.js'

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
  /** @type {Map<Slot, string[]>} */
  const seen = new Map()
  return ops.some((op) => op && written(document, event, op).some(({ slot, own, child }) => {
    const known = [own, ...(seen.get(slot) ?? []), ...(op.over ?? []).map((name) => full(name, event))]
    seen.set(slot, known)
    // Whoever ensures a child apart makes the same one.
    return slot.some((put) => !known.includes(put.name) && put.value?.name !== child)
  }))
}

/**
 * @param {Document} document
 * @param {string} event
 * @param {Op} op
 * @returns {Written[]}
 */
function written(document, event, { op, in: inside = '', key, elem, elems, kind = '' }) {
  const target = document.objects.get(full(inside, event))
  const isMove = op === 'move'
  if (target instanceof List) {
    const named = elem ? [elem] : op === 'del' && elems ? elems : []
    return document.elements(target, named, event).map(({ place, homes, puts }) => (
      { slot: isMove ? homes : puts, own: document.nameOf(place), child: null }
    ))
  }
  const map = key === undefined ? document.top : target
  if (isMove || elems || !(map instanceof MapObject) || !['put', 'del', 'ensure'].includes(op)) return []
  const name = op !== 'ensure' ? null : key === undefined ? root(kind) : child(map.name, key, kind)
  return [{ slot: map.slots.get(key ?? '') ?? EMPTY, own: '', child: name }]
}
