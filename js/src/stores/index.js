// Stores: what a replica keeps. What is needed now is in memory (`Contents`), and all of it on a disk that tabs share.
//
// A change is atomic and builds on the version of the last commit. If another tab has committed meanwhile it is not
// carried out (`stale`): whoever wanted it takes over what the others did first.

import { Event, decodeEntries } from '../core/events.js'
import { voucherOf } from '../core/gifts.js'
import { NIL_ID } from '../core/stamps.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../core/access/rules.js').Rule} Rule */
/** @typedef {import('../core/gifts.js').Voucher} Voucher */

/** In place of an item, in what a page or a change forgets: all of them. */
export const EVERYTHING = '*'

/**
 * What a replica knows of itself.
 * @typedef {object} ReplicaState
 * @property {number} version the number of the last commit
 * @property {string} node
 * @property {number} n the node's counter: how many events it has made
 * @property {string} stamp the greatest id made or seen
 * @property {string | null} user
 * @property {string | null} epoch
 * @property {number} seq of the last entry applied
 * @property {string | null} cursor
 * @property {number} skewMs what must be added to the local clock, when it is known to be far off
 * @property {[seq: number, cursor: string][]} cursors older ones, ascending, thinned
 * @property {boolean} copied whether another replica uses this node's id: it is replaced before the next push
 * @property {number | null} syncedAt when it last agreed with its server, in milliseconds of the local clock
 * @property {string} forgotten the greatest id of this node's that was forgotten or has settled: up to it, what is not
 *   in memory need not be a copy's
 * @property {string} confirmed the greatest id of an entry
 * @property {Rule[] | null} rules what its user might do when it last met its server
 * @property {string[]} [actions] patterns of the actions that its credentials were limited to then; none: not limited
 * @property {string[]} [items] the same of items
 * @property {number} [horizon] up to this seq it knows how items stood, and not how they came there
 * @property {string[]} [erasable] patterns of the items whose events are salted, as its server has said
 */

/**
 * A local event that is not an entry yet. `pending` (to be pushed), `acked` (its entry is on its way), `refused` (with
 * an error object), `heard` (another's, from a peer), `orphan` (was an entry of a log that was rolled back, and is to be given back) or `unvouched` (the
 * same, but the log did not take it, with the error). `seq` is where a log holds or held it, `voucher` what remains of
 * the entry that it was.
 * @typedef {object} Outboxed
 * @property {Event} event
 * @property {'pending' | 'acked' | 'refused' | 'heard' | 'orphan' | 'unvouched'} status
 * @property {number | null} seq
 * @property {Record<string, any> | null} error
 * @property {Voucher | null} [voucher]
 */

/**
 * An item's last snapshot, of confirmed entries alone.
 * @typedef {object} Kept
 * @property {string} item
 * @property {string} text what these entries come to; what is in it is up to the replica
 * @property {number} seq of the last entry in it
 * @property {number} at the log's time of that entry
 * @property {number} revision the number of the last revision
 * @property {string | null} group the group that revision may go on with
 * @property {number} count how many entries of the item are in it
 * @property {number} number how many pieces of history lie before it
 * @property {number} since how many entries came after the last snapshot that history keeps
 * @property {boolean} [exists] whether there is a document
 * @property {string} [entries] all entries up to here, where the replica has to have them at hand
 * @property {Foundation} [base] where the item stands before its history, if that has no beginning
 */

/**
 * What a base tells that does not change any more. `clock`: the last n of every node in it; `last`: its greatest id.
 * @typedef {{ seq: number, at: number, revision: number, clock: Record<string, number>, last: string }} Foundation
 */

/**
 * A piece of an item's history: the entries between two snapshots, and the one before them if enough lies between.
 * @typedef {{ item: string, number: number, text: string, base: Kept | null }} Piece
 */

/**
 * One atomic change. Its parts are carried out in the order in which they stand here.
 * @typedef {object} Change
 * @property {number} [rewind] entries above this seq become orphans
 * @property {readonly string[]} [forget] items whose entries are deleted, with what others' logs have lost of them;
 *   EVERYTHING: all entries, but no orphans, which nobody else may have any more
 * @property {readonly Kept[]} [bases] where items stand at a seq, in place of all that came up to there
 * @property {readonly Entry[]} [entries] entries to keep, in any order; each settles the local event of its id
 * @property {readonly string[]} [drop] ids that leave the outbox
 * @property {readonly Outboxed[]} [outbox] local events to add, or whose status changes
 * @property {readonly { kept: Kept, piece: Piece | null }[]} [settled] items whose entries have become a snapshot
 * @property {number} [until] up to this version the records of the log have settled
 * @property {ReplicaState} [state] the new state, if it changes; its version is counted by the store
 * @property {Map<string, string>} [renamed] the new ids of events that got one
 */

/**
 * What a change did, for whoever keeps something derived of it. `anew`: items whose events changed otherwise than at
 * their end; null means all. `noted` and `recorded` leave those out. `isPartial`: see `Store.commit`. `renamed`: the ids
 * of now of events that had others before.
 * @typedef {object} Difference
 * @property {Set<string> | null} anew
 * @property {Entry[]} noted
 * @property {Event[]} recorded
 * @property {Kept[]} settled
 * @property {boolean} [isPartial]
 * @property {Map<string, string>} [renamed]
 */

/**
 * @param {string} node
 * @returns {ReplicaState}
 */
export const newState = (node) => ({
  version: 0, node, n: 0, stamp: NIL_ID, user: null, epoch: null, seq: 0, cursor: null, skewMs: 0, cursors: [],
  copied: false, syncedAt: null, forgotten: NIL_ID, confirmed: NIL_ID, rules: null, actions: [], items: [], erasable: [],
  horizon: 0,
})

/**
 * A random node id of 20 hexadecimal digits.
 * @param {() => number} random 32 random bits
 */
export const newNode = (random = randomBits) =>
  [random(), random(), random()].map((bits) => bits.toString(16).padStart(8, '0')).join('').slice(-20)

const drawn = new Uint32Array(256) // asking for each alone costs more than the rest of an event
let left = 0

/** 32 random bits. */
export function randomBits() {
  if (!left) left = crypto.getRandomValues(drawn).length
  return drawn[--left]
}

/**
 * A local event to be pushed.
 * @param {Event} event
 * @returns {Outboxed}
 */
export const pending = (event) => ({ event, status: 'pending', seq: null, error: null })

/**
 * What a replica keeps for others: it goes when its item is forgotten, unless it is its own user's.
 * @type {Outboxed['status'][]}
 */
export const OF_OTHERS = ['heard', 'orphan', 'unvouched']

/**
 * Whether a local event counts as part of its item: it will be, or is, or was in the server's log.
 * @param {Outboxed | undefined} outboxed
 */
export const isOnItsWay = (outboxed) => outboxed !== undefined && outboxed.status !== 'refused'

/** Whether nobody else knows the id of a local event, so that it may get another. @param {Outboxed} outboxed */
export const isOursAlone = ({ status, seq }) => status === 'pending' && seq === null

/**
 * What becomes of an entry when its log is rolled back.
 * @param {Entry} entry
 * @param {string | null} epoch
 * @returns {Outboxed}
 */
export const orphaned = (entry, epoch) => ({
  event: entry.event, status: 'orphan', seq: entry.seq, error: null, voucher: voucherOf(epoch, entry),
})

/**
 * What becomes of an event that was acknowledged by a log that does not hold it any more.
 * @param {Outboxed} acked
 * @returns {Outboxed}
 */
export const lost = (acked) => ({ ...acked, status: acked.voucher ? 'orphan' : 'pending' })

/**
 * Whether a local event goes when items are forgotten by name.
 * @param {Outboxed} outboxed @param {readonly string[]} items @param {string | null} user
 */
export const goesWith = ({ event, status }, items, user) =>
  OF_OTHERS.includes(status) && event.user !== user && items.includes(event.item)

/** @param {readonly string[]} items @param {string} item */
export const isForgotten = (items, item) => items.includes(EVERYTHING) || items.includes(item)

/** @typedef {{ id: string, text: string } & Pick<Outboxed, 'status' | 'seq' | 'error' | 'voucher'>} OutboxRow */

/**
 * @param {Outboxed} outboxed
 * @returns {OutboxRow}
 */
export const outboxRow = ({ event, ...rest }) => ({ id: event.id, text: event.body, ...rest })

/**
 * @param {OutboxRow} row
 * @returns {Outboxed}
 */
export const readOutboxRow = ({ id: _, text, ...rest }) => {
  const event = new Event(JSON.parse(text))
  if (rest.voucher?.digest !== undefined) event.keepDigest(rest.voucher.digest)
  return { event, ...rest }
}

/**
 * A change as other tabs are told of it: text for whatever has methods.
 * @param {Change} change
 */
export const pack = ({ entries, outbox, settled, ...rest }) => ({
  ...rest,
  entries: entries && JSON.stringify(entries),
  outbox: outbox?.map(outboxRow),
  settled: settled?.map(({ kept }) => ({ kept, piece: null })),
})

/** @typedef {ReturnType<typeof pack>} Packed */

/**
 * @param {Packed} packed
 * @returns {Change}
 */
export const unpack = ({ entries, outbox, ...rest }) => ({
  ...rest,
  entries: entries === undefined ? entries : decodeEntries(entries),
  outbox: outbox?.map(readOutboxRow),
})
