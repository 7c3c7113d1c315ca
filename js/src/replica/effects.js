// What a replica does about what a session says: for each effect the one atomic `Change` of its store.

import { thin } from '../core/cursors.js'
import { Event } from '../core/events.js'
import { MAX_DRIFT_MS } from '../core/limits.js'
import { matcher } from '../core/patterns.js'
import { StampClock, greatest } from '../core/stamps.js'
import { SynclineError, fail } from '../errors.js'
import { EVERYTHING, isOnItsWay, isOursAlone, lost, newNode, pending } from '../stores/index.js'
import { READ, may } from './foresight.js'
import { afterPage, covered, isInBases, settledBy, taken } from './horizon.js'
import { idsIn, renamed } from './naming.js'

/** @typedef {import('../core/messages.js').Page} Page */
/** @typedef {import('../core/messages.js').Welcome} Welcome */
/** @typedef {import('../core/session.js').Effect} Effect */
/** @typedef {import('../stores/index.js').Change} Change */
/** @typedef {import('../stores/index.js').Kept} Kept */
/** @typedef {import('../stores/index.js').Outboxed} Outboxed */
/** @typedef {import('../stores/index.js').ReplicaState} ReplicaState */
/** @typedef {Pick<import('../stores/store.js').Store, 'state' | 'outbox' | 'withStatus' | 'counts' | 'documents' | 'log' | 'holds'>} Held */

/**
 * What is not in the store: the local time, randomness, what snapshots hold, and what the bases come to that arrived.
 * @typedef {object} Around
 * @property {() => number} now milliseconds since 1970
 * @property {() => number} random 32 random bits
 * @property {(kept: Kept) => Record<string, number>} clockIn
 * @property {string | null} user
 * @property {Kept[]} bases
 */

/**
 * The change an effect means; null if there is nothing to do. Fails if this cannot be this replica's log or user.
 * @param {Effect} effect
 * @param {Held} store
 * @param {Around} around
 * @returns {Change | null}
 */
export const changeFor = (effect, store, around) => EFFECTS[effect.type](store, /** @type {any} */ (effect), around)

/**
 * @type {{ [Type in Effect['type']]:
 *   (store: Held, effect: Extract<Effect, { type: Type }>, around: Around) => Change | null }}
 */
const EFFECTS = { greet, settle, given, apply, take: taken, rewind, restamp, mark_copied: markCopied }

/**
 * Adopts what the server says. Events recorded before the first welcome get their user now; events that were
 * acknowledged beyond the server's head were lost with it and are pushed again.
 *
 * A replica is one user's for good: what it holds is what that user may read, what is pending is that user's word.
 * @param {Held} store @param {{ welcome: Welcome }} effect @param {Around} around
 */
function greet(store, { welcome: { epoch, head, time, user, own, rules, actions, items, erasable } }, around) {
  let { state } = store
  if (state.epoch !== null && state.epoch !== epoch) {
    if (!isBlank(store)) fail('epoch_changed', 'The server has another log; a person has to decide.')
    state = { ...state, seq: 0, cursor: null, cursors: [] }
  }
  if (around.user !== null && around.user !== user) {
    fail('user_mismatch', `This replica is ${around.user}'s; nothing was exchanged.`)
  }
  const named = state.user !== null ? [] : store.withStatus('pending').filter(({ event }) => event.user === undefined)
  const gone = store.withStatus('acked').filter(({ seq }) => (seq ?? 0) > head)
  return {
    outbox: [
      ...named.map((each) => ({ ...each, event: new Event({ ...each.event.value, user }) })),
      ...gone.map(lost),
    ],
    state: {
      ...state,
      user,
      epoch,
      skewMs: skew(time, around.now()),
      copied: state.copied || isStrange(store, own ? [own] : [], state.forgotten),
      rules: rules ?? null,
      actions: actions ?? [],
      items: items ?? [],
      erasable: erasable ?? [],
    },
  }
}

/**
 * Whether a replica holds nothing that was in a log, so that it may begin with another one.
 * @param {Pick<Held, 'state' | 'counts' | 'documents' | 'log'>} store
 */
export const isBlank = ({ state, counts, documents, log }) =>
  !(state.seq || state.horizon || log.length || documents.size || counts.acked || counts.heard || counts.orphan || counts.unvouched)

/**
 * Whether this node would know one of its own events, and does not.
 * @param {Held} store @param {string[]} ids @param {string} forgotten
 */
const isStrange = (store, ids, forgotten) => ids.some((id) => id > forgotten && !store.holds(id))

/**
 * What to add to the local clock: nothing unless it is so far off that ids could be refused.
 * @param {number} serverMs @param {number} nowMs
 */
const skew = (serverMs, nowMs) => (Math.abs(serverMs - nowMs) > MAX_DRIFT_MS / 2 ? serverMs - nowMs : 0)

/**
 * Refused events go to the inbox, with every pending event that names one of them, and its whole transaction. What the log
 * has had since before the horizon is settled: its entry does not come.
 * @param {Held} store @param {{ answers: readonly (readonly [Event, number | SynclineError])[] }} effect
 */
function settle(store, { answers }) {
  /** @type {Map<string | undefined, SynclineError>} by event or by transaction */
  const reasons = new Map()
  const { state } = store
  const known = answers.filter(([, answer]) => typeof answer === 'number' && isInBases(state, answer))
  for (const [{ id }, answer] of answers) if (typeof answer !== 'number') reasons.set(id, answer)
  /** @type {Outboxed[]} */
  const outbox = []
  const isTouched = (/** @type {Outboxed} */ { status, event }) => status === 'pending' || reasons.has(event.id)
  let waiting = reasons.size ? store.withStatus('pending', 'heard').filter(isTouched) : []
  for (let left = -1; left !== waiting.length; ) {
    left = waiting.length // a transaction's first events may go because of its last one, and others with them
    waiting = waiting.filter(({ event, status }) => {
      const named = idsIn(event.body).map((id) => reasons.get(id)).find(Boolean)
      const error = reasons.get(event.id) ?? reasons.get(event.tx) ?? named
      if (!error) return true
      for (const name of [event.id, event.tx]) if (name) reasons.set(name, error)
      const isStrange = status === 'heard' && event.user !== state.user
      outbox.push({ event, status: isStrange ? 'unvouched' : 'refused', seq: null, error: error.toWire() })
      return false
    })
  }
  if (!known.length) return outbox.length ? { outbox } : null
  const drop = known.map(([{ id }]) => id)
  return { drop, outbox, state: { ...state, forgotten: greatest(state.forgotten, drop) } }
}

/**
 * What was taken back is on its way again, but for what this replica has read past without being shown it.
 *
 * One's own that was refused goes to the inbox, as if it had been pushed. Another's stays as it was, `unvouched`.
 * @param {Held} store @param {{ answers: readonly (readonly [Event, number | SynclineError])[] }} effect
 * @returns {Change}
 */
function given(store, { answers }) {
  const { seq: read, user } = store.state
  /** @type {[Event, SynclineError][]} */
  const mine = []
  const drop = []
  /** @type {Outboxed[]} */
  const outbox = []
  for (const [event, answer] of answers) {
    const each = store.outbox.get(event.id)
    if (each?.status !== 'orphan') continue
    if (typeof answer !== 'number') {
      const isMine = event.user === user
      const error = answer.toWire()
      if (isMine) mine.push([event, answer])
      outbox.push(isMine ? { event, status: 'refused', seq: null, error } : { ...each, status: 'unvouched', error })
    } else if (answer <= read) drop.push(event.id)
    else outbox.push({ ...each, status: 'acked', seq: answer })
  }
  return { drop, outbox: [...(settle(store, { answers: mine })?.outbox ?? []), ...outbox] }
}

/**
 * Stores a page. An entry of this node that it never made shows that its data was copied.
 * @param {Held} store @param {{ page: Page, items: readonly string[] }} effect @param {Around} around
 * @returns {Change}
 */
function apply(store, { page, items }, around) {
  const { forget, late, more } = page
  const before = otherView(store, page)
  const entries = [...late, ...page.entries]
  const ids = entries.map(({ event }) => event.id)
  const mine = entries.filter(({ event }) => event.node === before.node).map(({ event }) => event.id)
  const last = page.entries.length ? page.entries[page.entries.length - 1].seq : before.seq
  const isOvertaken = last < before.seq // by a live page: the cursor would lead back
  const seq = isOvertaken ? before.seq : last
  const cursor = isOvertaken ? before.cursor : page.cursor
  const state = {
    ...before,
    seq,
    cursor,
    cursors: withCursor(before.cursors, seq, cursor),
    stamp: greatest(before.stamp, ids),
    confirmed: greatest(before.confirmed, ids),
    copied: before.copied || isStrange(store, mine, before.forgotten),
    syncedAt: more ? before.syncedAt : around.now(),
  }
  const isSettled = settledBy(store, page)
  const drop = entries.filter(isSettled).map(({ event }) => event.id)
  const fresh = drop.length ? entries.filter((entry) => !isSettled(entry)) : entries
  const change = { forget, bases: around.bases, entries: fresh, drop, state }
  return more ? change : withoutOverdue(store, change, new Set(ids), matcher(items))
}

/**
 * The state that a page goes on from, if it forgets items or brings some that became visible.
 *
 * Older cursors tell nothing then of what is held; and what was this node's own may come again as if it were strange.
 * @param {Held} store @param {Page} page
 */
function otherView({ state: before, log }, page) {
  const { forget, late, bases = [] } = page
  if (!forget.length && !late.length && !bases.length) return before
  const state = afterPage(before, page)
  const isAll = forget.includes(EVERYTHING)
  const isGone = matcher(forget)
  const gone = forget.length ? log.filter(({ event }) => event.node === state.node && isGone(event.item)) : []
  const forgotten = greatest(state.forgotten, gone.map(({ event }) => event.id))
  return { ...state, cursors: [], forgotten, seq: isAll ? 0 : state.seq }
}

/**
 * Settles acknowledged events whose entries should have come by now, or never will.
 *
 * What may not be read never comes, nor what is in a base: it is let go of, since the log has it. The others were lost
 * by the log, and are pushed again.
 * @param {Held} store @param {Change & { drop: readonly string[], state: ReplicaState }} change
 * @param {Set<string>} arrived @param {(item: string) => boolean} isInView
 */
function withoutOverdue(store, change, arrived, isInView) {
  const { state } = change
  const waiting = store.withStatus('acked').filter(({ event }) => !arrived.has(event.id))
  const isHidden = (/** @type {Outboxed} */ { event, seq }) =>
    may(state, event.item, READ) === false || isInBases(state, seq)
  const settled = [...waiting.filter(isHidden).map(({ event }) => event), ...covered(store)]
  const drop = [...change.drop, ...settled.map(({ id }) => id)]
  const overdue = waiting.filter((each) => !isHidden(each) && (each.seq ?? 0) <= state.seq && isInView(each.event.item))
  const mine = settled.filter(({ node }) => node === state.node)
  const forgotten = greatest(state.forgotten, mine.map(({ id }) => id))
  return { ...change, drop, outbox: overdue.map(lost), state: { ...state, forgotten } }
}

/** @param {ReplicaState['cursors']} cursors @param {number} seq @param {string | null} cursor */
function withCursor(cursors, seq, cursor) {
  if (cursor === null) return cursors
  const known = new Map(cursors).set(seq, cursor)
  const kept = thin([...known.keys()].sort((a, b) => a - b))
  return kept.map((each) => /** @type {[number, string]} */ ([each, known.get(each)]))
}

/**
 * Back to the next older cursor that is not beyond the log's head, nor before the horizon: there only a new snapshot
 * helps. What came after it is kept until it comes again, or is given back.
 * @param {Held} store @param {{ head: number }} effect
 */
function rewind(store, { head }) {
  const { state } = store
  const { horizon = 0 } = state
  const cursors = state.cursors.filter(([seq, cursor]) => cursor !== state.cursor && horizon <= seq && seq <= head)
  const [seq, cursor] = cursors[cursors.length - 1] ?? [horizon, null]
  return { rewind: seq, outbox: store.withStatus('acked').map(lost), state: { ...state, seq, cursor, cursors } }
}

/**
 * New ids for the pending events, in their order, and a new node id if this one was copied.
 *
 * What a log has held (it has a seq) keeps its id, because others may give it back too. What is kept may be named.
 * @param {Held} store @param {{ nowMs: number }} effect @param {Around} around
 */
function restamp(store, { nowMs }, around) {
  const { state } = store
  const local = [...store.outbox.values()].filter(isOnItsWay)
  const fresh = local.filter(isOursAlone)
  const kept = local.filter((each) => !isOursAlone(each)).map(({ event }) => event.id)
  const node = state.copied ? newNode(around.random) : state.node
  const clock = new StampClock(node, greatest(state.forgotten, [state.confirmed, ...kept]))
  const names = new Map(fresh.map(({ event }) => [event.id, clock.next(nowMs, around.random())]))
  let n = state.copied ? 0 : state.n
  const outbox = fresh.map(({ event }) => {
    const last = state.copied ? lastOf(store, around, event) : 0
    return pending(remade(event, { node, n: ++n, last, user: event.user, names }))
  })
  const skewMs = skew(nowMs, around.now())
  const next = { ...state, node, n, stamp: clock.last, copied: false, skewMs }
  return { drop: [...names.keys()], outbox, renamed: names, state: next }
}

/**
 * The event gets a new id with the next re-stamping, even if a log has held it: it cannot go back as it is. What was heard
 * is not ours to rename: it is refused, and tells nothing of this node.
 * @param {Held} store @param {{ event: Event }} effect
 * @returns {Change | null}
 */
function markCopied(store, { event }) {
  const each = store.outbox.get(event.id)
  if (each?.status === 'heard') {
    const error = new SynclineError('node_conflict', 'The server has later events of the node that made this one.')
    return settle(store, { answers: [[event, error]] })
  }
  return { outbox: each?.status === 'pending' ? [pending(each.event)] : [], state: { ...store.state, copied: true } }
}

/**
 * The counter of the last confirmed event of an event's node on its item; 0 if there is none.
 * @param {Pick<Held, 'documents' | 'log'>} store @param {Pick<Around, 'clockIn'>} around @param {Event} event
 */
export function lastOf({ documents, log }, around, { item, node }) {
  const kept = documents.get(item)
  let last = kept ? around.clockIn(kept)[node] ?? 0 : 0
  for (const { event } of log) if (event.item === item && event.node === node) last = Math.max(last, event.n)
  return last
}

/**
 * An event that nobody else has seen, made again: under another number of a node (which has seen `last` of the node it
 * was of), and with the new ids of what its ops and meta name.
 * @param {Event} event
 * @param {{ node: string, n: number, last: number, user: string | null | undefined, names: Map<string, string> }} as
 */
export function remade(event, { node, n, last, user, names }) {
  const { [event.node]: _, ...clock } = event.clock
  const known = last ? { ...clock, [event.node]: last } : clock
  const value = { ...event.value, id: names.get(event.id) ?? event.id, node, clock: { ...known, [node]: n } }
  if (user) value.user = user
  if (names.size) for (const field of /** @type {const} */ (['ops', 'meta'])) {
    if (value[field]) value[field] = renamed(value[field], names)
  }
  return new Event(value)
}
