// Hearing: what a replica keeps of what a peer gives it, on top of its entries and until a server's word settles it.
//
// A peer has no authority: it numbers nothing, and what it gives is an event and not an entry. Who syncs two replicas
// decides that each may have what the other holds, so no rule is checked; but what no server could ever take is not kept.

import { encode } from '../core/canonical.js'
import { driftLimit } from '../core/stamps.js'
import { SynclineError } from '../errors.js'
import { isBetweenPeers } from './holdings.js'

/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('../stores/index.js').Change} Change */
/** @typedef {import('../stores/index.js').Outboxed} Outboxed */
/** @typedef {import('../stores/store.js').Store} Store */

/**
 * What hearing some events means, before it is done: `news` are new here, `left` are not kept, by id and why.
 * `isStrange`: one of them is of this node, which never made it: its data was copied, or is an older copy of itself.
 * @typedef {{ change: Change | null, news: Event[], left: Map<string, SynclineError>, isStrange: boolean }} Hearing
 */

/**
 * What to do about events that a peer gives, which were checked as events.
 * @param {Pick<Store, 'state' | 'outbox'>} store
 * @param {(event: Event) => boolean} isHeld
 * @param {readonly Event[]} events
 * @param {string | null} epoch of the log that the peer knows
 * @param {number} nowMs
 * @returns {Hearing}
 */
export function hearing({ state, outbox }, isHeld, events, epoch, nowMs) {
  /** @type {Map<string, SynclineError>} */
  const left = new Map()
  const limit = driftLimit(nowMs + state.skewMs)
  for (const event of events) {
    const error = objection(event, limit)
    if (error) left.set(event.id, error)
  }
  const good = new Map(events.filter(({ id }) => !left.has(id)).map((event) => [event.id, event]))
  const sorted = [...good.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  const news = sorted.filter((event) => !isHeld(event))
  const named = sorted.filter((event) => isNamed(outbox.get(event.id), event))
  const isStrange = news.some(({ node, id }) => node === state.node && id > state.forgotten)
  const heard = [...news, ...named].map((event) => /** @type {Outboxed} */ ({ event, status: 'heard', seq: null, error: null }))
  if (!heard.length) return { change: null, news, left, isStrange }
  const last = news.at(-1)?.id ?? ''
  const stamp = last > state.stamp ? last : state.stamp
  // what was heard of one log is not mixed with another's
  return { change: { outbox: heard, state: { ...state, stamp, epoch: state.epoch ?? epoch } }, news, left, isStrange }
}

/** Why an event is left with the peer. @param {Event} event @param {string} limit */
function objection({ id, item, isErased }, limit) {
  if (!isBetweenPeers(item)) return new SynclineError('forbidden', 'Events of the system come from a server alone.', { id })
  if (isErased) return new SynclineError('forbidden', "That an event was erased is a server's to tell.", { id })
  if (id < limit) return null
  return new SynclineError('clock_drift', 'The event is of a time that is not yet, by the clock here.', { id })
}

/**
 * Whether an event is one that was heard before its author knew its user, and is the same otherwise.
 * @param {Outboxed | undefined} heard @param {Event} event
 */
const isNamed = (heard, event) =>
  heard?.status === 'heard' && heard.event.user === undefined && event.user !== undefined &&
  encode({ ...heard.event.value, user: event.user }) === event.body
