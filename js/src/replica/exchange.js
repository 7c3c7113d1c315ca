// What a replica gives to a peer, and takes from it or from a server that heals it.

import { greatest } from '../core/stamps.js'
import { fail } from '../errors.js'
import { isOursAlone, newNode } from '../stores/index.js'
import { hearing } from './hearing.js'
import { Holdings, isBetweenPeers } from './holdings.js'
import { inBases } from './horizon.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('../stores/index.js').Outboxed} Outboxed */
/** @typedef {import('./hearing.js').Hearing} Hearing */
/** @typedef {import('./index.js').Replica} Replica */

/**
 * What a replica holds, all of which is on the disk and known.
 * @param {Replica} replica
 */
export async function holdingsOf(replica) {
  await replica.saved()
  const holdings = Holdings.of(replica)
  await holdings.read()
  return holdings
}

/**
 * Keeps what a peer gives, which knows the log of this epoch, on top of what is here.
 * @param {Replica} replica @param {readonly Event[]} events @param {string | null} epoch
 * @returns {Promise<Hearing>}
 */
export async function hear(replica, events, epoch) {
  const holdings = Holdings.of(replica)
  /** @type {Hearing[]} */
  const made = []
  while (!made.length) {
    await holdings.read()
    await replica.change((store) => {
      made.length = 0
      if (!holdings.isRead) return null // something was committed meanwhile that has to be read first
      made.push(hearing(store, (event) => isHeld(store, holdings, event), events, epoch, replica.nowMs()))
      return made[0].change
    })
  }
  if (made[0].isStrange) await leaveNode(replica)
  return made[0]
}

/**
 * Whether an event is here, or in a base.
 * @param {import('../stores/store.js').Store} store @param {Holdings} holdings @param {Event} event
 */
const isHeld = (store, holdings, event) => holdings.has(event.id) || inBases(store, [event]).length > 0

/**
 * What there is of these ids, for a peer, in their order. What is pending keeps its id from then on.
 * @param {Replica} replica @param {readonly string[]} ids
 */
export async function give(replica, ids) {
  /** @type {Map<string, Event>} */
  const found = new Map()
  const holdings = await holdingsOf(replica)
  await replica.change(({ outbox }) => {
    const local = /** @type {Outboxed[]} */ (ids.map((id) => outbox.get(id)).filter((each) => each && each.status !== 'refused'))
    for (const { event } of local) found.set(event.id, event)
    const shared = local.filter((each) => isOursAlone(each) && isGiven(each.event))
    return shared.length ? { outbox: shared.map((each) => ({ ...each, seq: 0 })) } : null
  })
  for (const { event } of await holdings.entries(ids)) found.set(event.id, event)
  const events = [...new Set(ids)].map((id) => found.get(id))
  return /** @type {Event[]} */ (events.filter((event) => event && isGiven(event)))
}

/** @param {Event} event */
const isGiven = (event) => isBetweenPeers(event.item) && !event.isErased

/**
 * Another replica uses this node id: from now on this one has another. What was not shared moves there; if a server may
 * have some of that, only after all was pulled from it.
 * @param {Replica} replica
 */
export async function leaveNode(replica) {
  const isAlone = replica.user === null
  await replica.change(({ state }) => ({ state: { ...state, copied: true, ...(isAlone ? {} : { node: newNode(), n: 0 }) } }))
  if (isAlone) await replica.perform({ type: 'restamp', nowMs: replica.nowMs() + replica.store.state.skewMs })
}

/**
 * Two replicas of one node id are copies of one. Fails with node_conflict if only a server can part them.
 * @param {Replica} replica @param {string} node the other's
 */
export async function tellApart(replica, node) {
  if (node !== replica.node) return
  if (replica.user !== null) {
    fail('node_conflict', 'Both replicas are copies of one: let both sync with their server first.')
  }
  await leaveNode(replica)
}

/**
 * Keeps entries that were missing below, or stand otherwise in the log; how many. Later ones come with the next pull.
 * @param {Replica} replica @param {readonly Entry[]} entries
 */
export async function mend(replica, entries) {
  let count = 0
  await replica.change((store) => {
    const { state } = store
    const known = new Set(inBases(store, entries.map(({ event }) => event)))
    const lacking = entries.filter(({ seq, event }) => seq <= state.seq && !known.has(event))
    count = lacking.length
    if (!count) return null
    const mine = lacking.filter(({ event }) => event.node === state.node).map(({ event }) => event.n)
    const stamp = greatest(state.stamp, lacking.map(({ event }) => event.id))
    return { entries: lacking, state: { ...state, stamp, n: Math.max(state.n, ...mine) } }
  })
  return count
}
