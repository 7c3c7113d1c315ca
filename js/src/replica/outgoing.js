// What a replica may push now: its own pending events, and of what it heard that which is for it to push.
//
// What a pending event names may have been heard from a peer, and a server that does not hold it yet would refuse what
// names it. So such events wait until it is in the log, and with them whatever comes after them on the same item (a
// node's n only rises there) and the rest of their transactions.

import { mayPassOn } from './foresight.js'
import { idsIn } from './naming.js'

/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('../stores/index.js').ReplicaState} ReplicaState */

/**
 * What may be pushed of all that waits, in order of ids, in which whatever is named comes first.
 * @param {readonly Event[]} pending @param {readonly Event[]} heard @param {ReplicaState} state
 */
export function outgoing(pending, heard, state) {
  const theirs = heard.filter((event) => !mayPassOn(state, event))
  const ids = new Set(theirs.map(({ id }) => id))
  const items = new Set(theirs.map(({ item }) => item)) // what an event names is of its item
  const candidates = [...pending, ...heard.filter(({ id }) => !ids.has(id))].sort((a, b) => (a.id < b.id ? -1 : 1))
  const names = (/** @type {Event} */ { body }) => idsIn(body).some((id) => ids.has(id))
  const waiting = new Set(candidates.filter((event) => items.has(event.item) && names(event)))
  for (let count = -1; count !== waiting.size; ) {
    count = waiting.size
    for (const event of heldWith(candidates, waiting)) waiting.add(event)
  }
  return candidates.filter((event) => !waiting.has(event))
}

/**
 * What waits because others do: what comes after them on their items, and the rest of their transactions.
 * @param {Event[]} candidates @param {Set<Event>} waiting
 */
function heldWith(candidates, waiting) {
  /** @type {Map<string, string>} */
  const first = new Map()
  const groups = new Set()
  for (const { id, item, tx } of candidates.filter((event) => waiting.has(event))) {
    if (!first.has(item)) first.set(item, id)
    if (tx) groups.add(tx)
  }
  return candidates.filter(({ id, item, tx }) => groups.has(tx) || id >= (first.get(item) ?? '~'))
}
