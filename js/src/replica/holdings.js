// What a replica holds, by id, and as Merkle trees: read when somebody first asks, and kept up to date with what is
// committed, in this tab or another. A page that meets no peers and heals nothing does not load this.

import { Tree } from '../core/merkle/tree.js'
import { matcher } from '../core/patterns.js'
import { isOnItsWay } from '../stores/index.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('../stores/index.js').Change} Change */
/** @typedef {import('./index.js').Replica} Replica */

/** What is known of an event; `seq` 0: it is local. @typedef {{ item: string, seq: number, digest: string }} Holding */

const AT_ONCE = 500 // digests that are made in one task
const TASK_MS = 10 // what is hashed in one task takes no longer
const KEPT_TREES = 4
const FOLLOWED = 1_000 // changes of a tree; if there are more it is made anew

/** @type {WeakMap<Replica['store'], Holdings>} */
const known = new WeakMap()

/** Whether events of an item go between peers: those of the system are a server's to tell. @param {string} item */
export const isBetweenPeers = (item) => item[0] !== '.'

export class Holdings {
  /** Those of a replica. @param {Replica} replica */
  static of(replica) {
    const holdings = known.get(replica.store) ?? new Holdings(replica)
    known.set(replica.store, holdings)
    return holdings
  }

  /** @param {Replica} replica */
  constructor(replica) {
    this._store = replica.store
    /** Null: to be read again. @type {Map<string, Holding> | null} */
    this._held = null
    /** What was committed while it was read; null: it is not being read, or has to be read again. @type {Change[] | null} */
    this._meanwhile = null
    /** @type {Promise<void> | null} */
    this._reading = null
    /** The trees that were asked for last, with the ids that changed since. @type {Map<string, { tree: Tree, touched: Set<string> }>} */
    this._trees = new Map()
    replica.onCommit = (change, isKnown) => this._note(change, isKnown)
  }

  /** Whether all is known. */
  get isRead() {
    return this._held !== null
  }

  /** Resolves when all is known, until something is committed that has to be read again. */
  async read() {
    while (!this._held) await (this._reading ??= this._read().finally(() => (this._reading = null)))
  }

  async _read() {
    this._meanwhile = []
    /** @type {Map<string, Holding>} */
    const held = new Map()
    const entries = await this._store.entries()
    const local = [...this._store.outbox.values()].filter(isOnItsWay)
    for (const [place, each] of [...local, ...entries].entries()) {
      hold(held, each.event, 'receipt' in each ? each.seq : 0)
      if (place % AT_ONCE === 0) await nextTask()
    }
    for (const change of this._meanwhile ?? []) follow(held, change)
    if (this._meanwhile) this._held = held
    this._meanwhile = null
  }

  /** Something was committed. @param {Change} change @param {boolean} isKnown whether the change tells all of it */
  _note(change, isKnown) {
    this._touch(change)
    if (!isKnown || change.rewind !== undefined || change.forget?.length || change.bases?.length) this._held = this._meanwhile = null
    else if (this._held) follow(this._held, change)
    else this._meanwhile?.push(change)
    if (!this._held) this._trees.clear()
  }

  /** @param {Change} change */
  _touch({ entries = [], drop = [], outbox = [] }) {
    const ids = [...entries.map(({ event }) => event.id), ...drop, ...outbox.map(({ event }) => event.id)]
    for (const [of, { touched }] of this._trees) {
      for (const id of ids) touched.add(id)
      if (touched.size > FOLLOWED) this._trees.delete(of)
    }
  }

  /** Whether an event is here, be it refused. @param {string} id */
  has(id) {
    return Boolean(this._held?.has(id)) || this._store.outbox.has(id)
  }

  /**
   * The tree of these items' entries after a seq, as they are now. `local`: with the local events, and of all that only
   * what goes between peers.
   * @param {{ items?: readonly string[], since?: number, local?: boolean }} [asked]
   */
  async tree({ items = [], since = 0, local = true } = {}) {
    await this.read()
    const of = JSON.stringify([items, since, local])
    const isIn = wanted(matcher(items), since, local)
    const known = this._trees.get(of)
    const tree = known ? this._followed(known, isIn) : new Tree(this._leaves(isIn))
    this._trees.delete(of)
    this._trees.set(of, { tree, touched: new Set() })
    if (this._trees.size > KEPT_TREES) this._trees.delete([...this._trees.keys()][0])
    await inTasks(tree.hashing())
    return tree
  }

  /** @param {{ tree: Tree, touched: Set<string> }} known @param {(holding: Holding) => boolean} isIn */
  _followed({ tree, touched }, isIn) {
    if (!touched.size) return tree
    const changes = [...touched].map((id) => {
      const holding = this._held?.get(id)
      return /** @type {const} */ ([id, holding && isIn(holding) ? holding.digest : null])
    })
    return tree.with(new Map(changes))
  }

  /** @param {(holding: Holding) => boolean} isIn @returns {Iterable<[string, string]>} */
  *_leaves(isIn) {
    for (const [id, holding] of this._held ?? []) if (isIn(holding)) yield [id, holding.digest]
  }

  /** Where an event stands in the log; 0: it is local, or not here. @param {string} id */
  seqOf(id) {
    return this._held?.get(id)?.seq ?? 0
  }

  /** The entries of these ids. @param {readonly string[]} ids @returns {Promise<Entry[]>} */
  async entries(ids) {
    const wanted = new Set(ids.filter((id) => this._held?.get(id)?.seq))
    const items = new Set([...wanted].map((id) => /** @type {Holding} */ (this._held?.get(id)).item))
    const found = wanted.size ? await this._store.entries({ items }) : []
    return found.filter(({ event }) => wanted.has(event.id))
  }
}

/**
 * Tells what is in a tree, see `Holdings.tree`.
 * @param {(item: string) => boolean} fits @param {number} since @param {boolean} local
 * @returns {(holding: Holding) => boolean}
 */
const wanted = (fits, since, local) => ({ item, seq }) =>
  fits(item) && (local ? (!seq || seq > since) && isBetweenPeers(item) : seq > since)

/** Goes through steps, some in each task. @param {Iterator<void>} steps */
async function inTasks(steps) {
  for (let began = performance.now(); !steps.next().done; ) {
    if (performance.now() - began < TASK_MS) continue
    await nextTask()
    began = performance.now()
  }
}

const nextTask = () => new Promise((resolve) => setTimeout(resolve))

/** @param {Map<string, Holding>} held @param {Event} event @param {number} seq */
const hold = (held, event, seq) => void held.set(event.id, { item: event.item, seq, digest: event.digest })

/** @param {Map<string, Holding>} held @param {Change} change */
function follow(held, { entries = [], drop = [], outbox = [] }) {
  for (const { seq, event } of entries) hold(held, event, seq)
  for (const id of drop) if (!held.get(id)?.seq) held.delete(id)
  for (const each of outbox) {
    if (held.get(each.event.id)?.seq) continue
    if (isOnItsWay(each)) hold(held, each.event, 0)
    else held.delete(each.event.id)
  }
}
