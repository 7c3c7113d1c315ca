// What a replica does with bases: it takes a snapshot in place of entries, and knows what they stand for.
//
// Up to its horizon a replica has no history. What it recorded itself and no server has answered stays, and merges; what
// a server answers with a seq up to there is in the bases, so nothing more comes of it.

import { covers } from '../core/bases.js'
import { inflate } from '../core/inflate.js'
import { greatest } from '../core/stamps.js'
import { fail } from '../errors.js'
import { EVERYTHING, isForgotten } from '../stores/index.js'

/** @typedef {import('../core/beginning.js').Take} Take */
/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('../core/messages.js').Base} Base */
/** @typedef {import('../core/messages.js').Page} Page */
/** @typedef {import('../stores/index.js').Change} Change */
/** @typedef {import('../stores/index.js').Kept} Kept */
/** @typedef {import('../stores/index.js').ReplicaState} ReplicaState */
/** @typedef {Pick<import('../stores/store.js').Store, 'state' | 'withStatus' | 'documents' | 'log'>} Held */

const MAX_SNAPSHOT_BYTES = 64 * 1024 * 1024 // of one document, unpacked

/**
 * The text of a base's document (base64 of zlib, RFC 1950); empty if its item has none. Fails with store_damaged.
 * @param {Base} base
 */
export function unpacked({ item, state }) {
  if (!state) return ''
  try {
    const bytes = Uint8Array.from(atob(state), (char) => char.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true }).decode(inflate(bytes, MAX_SNAPSHOT_BYTES))
  } catch (error) {
    return fail('store_damaged', `The base of ${item} is damaged: ${error}`)
  }
}

/**
 * Puts a snapshot in place of all that is held up to its seq; null while it has more parts.
 * @param {Held} store @param {Take} take @param {{ bases: Kept[] }} around what all of its parts come to
 * @returns {Change | null}
 */
export function taken(store, { part: { seq }, isLast, entries, cursor }, { bases }) {
  if (!isLast) return null
  const { state, log } = store
  const acked = store.withStatus('acked').filter((each) => (each.seq ?? 0) <= seq)
  const gone = [...log, ...acked].map(({ event }) => event).filter(({ node }) => node === state.node)
  const ids = entries.map(({ event }) => event.id)
  const last = greatest(state.confirmed, [...ids, ...bases.map(({ base }) => base?.last ?? '')])
  return {
    rewind: state.seq > seq ? seq : undefined,
    forget: [EVERYTHING],
    bases,
    entries,
    drop: acked.map(({ event }) => event.id),
    state: {
      ...state,
      seq,
      cursor,
      cursors: [[seq, cursor]],
      stamp: greatest(state.stamp, [last]),
      confirmed: last,
      forgotten: greatest(state.forgotten, gone.map(({ id }) => id)),
      horizon: seq,
    },
  }
}

/**
 * The state once a page's bases stand, and what it forgets is gone.
 * @param {ReplicaState} state @param {Page} page
 */
export function afterPage(state, { bases = [], forget }) {
  const before = forget.includes(EVERYTHING) ? 0 : state.horizon ?? 0
  const horizon = bases.reduce((last, { seq }) => Math.max(last, seq), before)
  const ids = bases.map(({ last }) => last)
  return { ...state, horizon, stamp: greatest(state.stamp, ids), confirmed: greatest(state.confirmed, ids) }
}

/**
 * Whether what the log has at a seq is known without its entry.
 * @param {ReplicaState} state @param {number | null} seq
 */
export const isInBases = ({ horizon = 0, seq: last }, seq) => 0 < (seq ?? 0) && (seq ?? 0) <= Math.min(horizon, last)

/**
 * Those of some events of whose nodes a base has as many or more: these, unless a replica's data was copied.
 * @param {Pick<Held, 'documents'>} store @param {readonly Event[]} events
 */
export const inBases = ({ documents }, events) =>
  events.filter(({ item, node, n }) => {
    const base = documents.get(item)?.base
    return base !== undefined && covers(base.clock, node, n)
  })

/**
 * Others' local events that are in a base: the log has them, and nobody need give them any more. Not what a log has lost:
 * later events of its node may have come back without it, so the log is asked.
 * @param {Held} store
 */
export function covered(store) {
  if (!store.state.horizon) return []
  return inBases(store, store.withStatus('heard', 'unvouched').map(({ event }) => event))
}

/**
 * Tells whether an entry of a page is in a base that stands once the page does: nothing comes of it.
 * @param {Pick<Held, 'documents'>} store @param {Page} page
 * @returns {(entry: Entry) => boolean}
 */
export function settledBy({ documents }, { bases = [], forget }) {
  const fresh = new Map(bases.map(({ item, seq }) => [item, seq]))
  const before = (/** @type {string} */ item) => (isForgotten(forget, item) ? 0 : documents.get(item)?.base?.seq ?? 0)
  return ({ seq, event: { item } }) => seq <= (fresh.get(item) ?? before(item))
}
