// A replica's store: what is in memory, and how a change of it is written to a disk.
//
// The disk is a log and its sediment. A page of entries is one record, as it came; when they have settled, each of
// their items has a new snapshot and a piece of history, and the records go. An entry whose seq is not above its item's
// snapshot is known already, so settling may be interrupted anywhere.

import { decodeEntries } from '../core/events.js'
import { Contents } from './contents.js'
import { EVERYTHING, goesWith, isForgotten, newState, orphaned, outboxRow, readOutboxRow } from './index.js'
import { keepRenamed, readRenamed, renamedSince } from './renaming.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('./index.js').Change} Change */
/** @typedef {import('./index.js').Difference} Difference */
/** @typedef {import('./index.js').Kept} Kept */
/** @typedef {import('./index.js').Piece} Piece */

/**
 * One transaction of a disk. What it does is done in order.
 * @typedef {object} Transaction
 * @property {(store: string, key: Key) => Promise<any>} get undefined if there is no such row
 * @property {(store: string, bounds?: Bounds, read?: (row: any) => any) => Promise<any[]>} all rows, in any order; as
 *   `read` makes them, which is called some at a time
 * @property {(store: string, row: any) => void} put
 * @property {(store: string, bounds?: Bounds) => void} clear deletes rows
 *
 * @typedef {string | number | [item: string, number: number]} Key
 * @typedef {{ from?: Key, to?: Key }} Bounds both included
 */

/**
 * Where the rows are.
 * @typedef {object} Disk
 * @property {<T>(work: (tx: Transaction) => Promise<T>, kind: 'read' | 'relaxed' | 'strict') => Promise<T>} run
 *   all of a transaction or nothing; `strict`: it is on the disk when this resolves. Fails with storage_full.
 * @property {() => void} close
 * @property {() => Promise<void>} erase
 * @property {() => Promise<boolean | null>} persist
 */

const BASES_AT_ONCE = 500

/** What the rows of each store are found by. They are plain objects, with their keys in them. */
export const KEYS = { state: 'key', outbox: 'id', log: 'version', documents: 'item', history: ['item', 'number'] }

/** @param {string} store @param {any} row @returns {Key} */
export const keyOf = (store, row) => (store === 'history' ? [row.item, row.number] : row[Reflect.get(KEYS, store)])

/** One replica's data. What is in memory of it is as of the last commit that is known. */
export class Store extends Contents {
  /** @param {Disk} disk @param {import('./index.js').ReplicaState} state of an empty one */
  constructor(disk, state) {
    super(state)
    this._disk = disk
    /** The version that a commit found which came to nothing. */
    this.behind = 0
  }

  /** @param {Disk} disk */
  static async open(disk) {
    const store = new Store(disk, newState(''))
    await store.reread()
    return store
  }

  /**
   * Carries out a change, durably and whole, or fails and does nothing. Null if another tab has committed meanwhile:
   * then nothing was done either, and `behind` is the version to catch up with. If the change reaches into what has
   * settled, that is taken up first: the difference says `isPartial` then, and the change itself is still to be made.
   * @param {Change} change
   * @returns {Promise<Difference | null>}
   */
  async commit(change) {
    const back = reached(this, change)
    const state = { ...((!back.size && change.state) || this.state), version: this.state.version + 1 }
    const isStrict = change.outbox?.some(({ event }) => !this.outbox.has(event.id))
    const isDone = await this._disk.run(async (tx) => {
      this.behind = (await tx.get('state', 'state')).version
      if (this.behind >= state.version) return false
      tx.put('state', { key: 'state', ...state })
      if (back.size) await takeUp(tx, this, back, state.version)
      else {
        write(tx, this, change, state.version)
        await stand(tx, change)
        if (change.renamed) await keepRenamed(tx, state.version, change.renamed)
      }
      return true
    }, isStrict ? 'strict' : 'relaxed')
    if (!isDone) return null
    if (!back.size) return this.apply({ ...change, state })
    return { ...(await this.reread()), isPartial: true }
  }

  /**
   * Carries out in memory what another tab has committed.
   * @param {Change} change
   * @param {number} version
   */
  take(change, version) {
    return this.apply({ ...change, state: { ...(change.state ?? this.state), version } })
  }

  /** Reads everything again. @returns {Promise<Difference>} */
  async reread() {
    const found = await this._disk.run(async (tx) => {
      const [outbox, log, documents, { key: _, ...state }, row] = await Promise.all([
        tx.all('outbox', undefined, readOutboxRow),
        tx.all('log', undefined, ({ text }) => decodeEntries(text)),
        tx.all('documents'),
        tx.get('state', 'state'),
        readRenamed(tx),
      ])
      return { state, outbox, documents, log, row }
    }, 'read')
    const renamed = renamedSince(found.row, this.state.version)
    if (found.state.version >= this.state.version) this.begin(found)
    return { anew: null, noted: [], recorded: [], settled: [], renamed }
  }

  /** The number of the last commit, of whichever tab. @returns {Promise<number>} */
  head() {
    return this._disk.run(async (tx) => (await tx.get('state', 'state')).version, 'read')
  }

  // The past

  /**
   * The newest piece of an item's history with a number below that; null if there is none.
   * @param {string} item
   * @param {number} below
   * @returns {Promise<Piece | null>}
   */
  piece(item, below) {
    return this._disk.run(async (tx) => (await tx.get('history', [item, below - 1])) ?? null, 'read')
  }

  /**
   * All entries after a seq, in order; of these items, or of all. Reads the whole history.
   * @param {{ since?: number, items?: Iterable<string> }} [asked]
   */
  async entries({ since = 0, items } = {}) {
    const wanted = items && new Set(items)
    const pieces = await this._disk.run(async (tx) => {
      if (!wanted) return tx.all('history')
      return (await Promise.all([...wanted].map((item) => tx.all('history', ofItem(item))))).flat()
    }, 'read')
    const recent = this.log.filter(({ event }) => !wanted || wanted.has(event.item))
    const entries = [...pieces.flatMap((/** @type {Piece} */ { text }) => decodeEntries(text)), ...recent]
    const bySeq = new Map(entries.map((entry) => [entry.seq, entry])) // it may have settled while this was reading
    return [...bySeq.values()].filter(({ seq }) => seq > since).sort((a, b) => a.seq - b.seq)
  }

  // Opening and closing

  /** Closes the store; closing twice does nothing. Commits fail with store_closed then. */
  close() {
    this._disk.close()
  }

  /** Deletes everything, and closes the store. */
  erase() {
    return this._disk.erase()
  }

  /** Asks the browser not to delete the data when room is short; null if it cannot promise that. */
  persist() {
    return this._disk.persist()
  }
}

/**
 * Writes a change that reaches into nothing that has settled.
 * @param {Transaction} tx @param {Contents} contents @param {Change} change @param {number} version
 */
function write(tx, contents, change, version) {
  const { rewind = Infinity, forget = [], bases = [], entries = [], drop = [], outbox = [], settled = [], until } = change
  const erased = new Set(entries.filter(({ event }) => event.isErased).map(({ seq }) => seq))
  const isLess = rewind < Infinity || forget.length > 0 || bases.length > 0 || erased.size > 0
  const log = isLess ? contents.log : [] // whose records hold entries of several items: what is left becomes one
  const standing = new Map(bases.map(({ item, seq }) => [item, seq]))
  const isLeft = (/** @type {Entry} */ { seq, event: { item } }) =>
    seq <= rewind && !isForgotten(forget, item) && !erased.has(seq) && seq > (standing.get(item) ?? 0)
  const left = log.filter(isLeft)
  const rewound = log.filter(({ seq }) => seq > rewind).map((entry) => orphaned(entry, contents.state.epoch))
  if (isLess) tx.clear('log')
  const kept = left.concat(entries)
  if (kept.length) tx.put('log', { version, text: JSON.stringify(kept) })
  for (const item of forget) {
    tx.clear('documents', item === EVERYTHING ? undefined : only(item))
    tx.clear('history', item === EVERYTHING ? undefined : ofItem(item))
  }
  for (const each of rewound) tx.put('outbox', outboxRow(each))
  for (const each of forget.length ? [...contents.outbox.values(), ...rewound] : []) {
    if (goesWith(each, forget, contents.state.user)) tx.clear('outbox', only(each.event.id))
  }
  for (const { event } of entries) {
    if (contents.outbox.has(event.id) || rewound.length) tx.clear('outbox', only(event.id))
  }
  for (const id of drop) tx.clear('outbox', only(id))
  for (const each of outbox) tx.put('outbox', outboxRow(each))
  for (const { kept, piece } of settled) {
    tx.put('documents', kept)
    if (piece) tx.put('history', piece)
  }
  if (until !== undefined) tx.clear('log', { to: until })
}

/**
 * Writes bases in place of what was there of their items, some at a time.
 * @param {Transaction} tx @param {Change} change
 */
async function stand(tx, { forget = [], bases = [] }) {
  for (const [at, kept] of bases.entries()) {
    if (at % BASES_AT_ONCE === BASES_AT_ONCE - 1) await tx.get('state', 'state') // so that no task is long
    tx.put('documents', kept)
    if (!isForgotten(forget, kept.item)) tx.clear('history', ofItem(kept.item))
  }
}

/**
 * Puts items back to snapshots that are not after some seqs: the entries of their last pieces of history are the log's
 * again, and will settle anew. This changes nothing of what there is.
 * @param {Transaction} tx @param {Contents} contents @param {Map<string, number>} back @param {number} version
 */
async function takeUp(tx, { documents }, back, version) {
  /** @type {Entry[]} */
  const entries = []
  for (const [item, seq] of back) {
    /** @type {Kept | null} */
    let base = null
    for (let { number } = /** @type {Kept} */ (documents.get(item)); number-- > 0 && !base; ) {
      const piece = /** @type {Piece} */ (await tx.get('history', [item, number]))
      tx.clear('history', only([item, number]))
      entries.push(...decodeEntries(piece.text))
      if (piece.base && (piece.base.seq <= seq || !number)) base = piece.base
    }
    if (base) tx.put('documents', base)
    else tx.clear('documents', only(item))
  }
  tx.put('log', { version, text: JSON.stringify(entries) })
}

/**
 * The items of which something that has settled changes, and the seqs up to which it stays.
 * @param {Contents} contents
 * @param {Change} change
 */
function reached({ documents }, { rewind = Infinity, forget = [], bases = [], entries = [] }) {
  /** @type {Map<string, number>} */
  const found = new Map()
  const reach = (/** @type {string} */ item, /** @type {number} */ seq) => {
    const kept = documents.get(item)
    // a base has nothing before it that could be taken up
    if (kept?.number && seq < kept.seq) found.set(item, Math.min(seq, found.get(item) ?? Infinity))
  }
  if (rewind < Infinity) for (const item of documents.keys()) reach(item, rewind)
  for (const { item, seq } of bases) if (!isForgotten(forget, item)) reach(item, seq)
  for (const { seq, event } of entries) if (!isForgotten(forget, event.item)) reach(event.item, seq - 1)
  return found
}

/** @param {Key} key @returns {Bounds} */
const only = (key) => ({ from: key, to: key })

/** @param {string} item @returns {Bounds} */
const ofItem = (item) => ({ from: [item, 0], to: [item, Infinity] })
