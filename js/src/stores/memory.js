// A store in memory: for tests, and programs that keep nothing. Its disk is the one to read.

import { fail } from '../errors.js'
import { newNode, newState } from './index.js'
import { Store, keyOf } from './store.js'

/** @typedef {import('./store.js').Bounds} Bounds */
/** @typedef {import('./store.js').Key} Key */

/** @typedef {import('./store.js').Disk} Disk */

/** @implements {Disk} */
export class MemoryDisk {
  /** @param {string} node */
  constructor(node) {
    /** @type {Map<string, Map<string, any>>} the rows of each store by the text of their key */
    this._stores = new Map()
    this._put('state', { key: 'state', ...newState(node) })
    /** @type {Promise<unknown>} */
    this._queue = Promise.resolve()
    this._isClosed = false
  }

  /**
   * @template T
   * @param {(tx: import('./store.js').Transaction) => Promise<T>} work
   * @returns {Promise<T>}
   */
  run(work) {
    const done = this._queue.then(() => this._run(work))
    this._queue = done.catch(() => {})
    return done
  }

  /**
   * @template T
   * @param {(tx: import('./store.js').Transaction) => Promise<T>} work
   */
  async _run(work) {
    if (this._isClosed) fail('store_closed', 'The store was closed.')
    /** @type {(() => void)[]} */
    const writes = []
    const done = await work({
      get: async (store, key) => this._rows(store).get(String(key)),
      all: async (store, bounds, read = same) =>
        this._keys(store, bounds).map((key) => read(this._rows(store).get(key))),
      put: (store, row) => writes.push(() => this._put(store, row)),
      clear: (store, bounds) => writes.push(() => this._clear(store, bounds)),
    })
    for (const write of writes) write()
    return done
  }

  /** @param {string} store */
  _rows(store) {
    let rows = this._stores.get(store)
    if (!rows) this._stores.set(store, (rows = new Map()))
    return rows
  }

  /** @param {string} store @param {any} row */
  _put(store, row) {
    this._rows(store).set(String(keyOf(store, row)), row)
  }

  /** @param {string} store @param {Bounds} [bounds] */
  _clear(store, bounds) {
    for (const key of this._keys(store, bounds)) this._rows(store).delete(key)
  }

  /** @param {string} store @param {Bounds} [bounds] */
  _keys(store, { from, to } = {}) {
    if (from !== undefined && from === to) return this._rows(store).has(String(from)) ? [String(from)] : []
    return [...this._rows(store)].filter(([, row]) => isWithin(keyOf(store, row), from, to)).map(([key]) => key)
  }

  close() {
    this._isClosed = true
  }

  async erase() {
    this._stores.clear()
    this.close()
  }

  async persist() {
    return null
  }
}

/** @param {any} row */
const same = (row) => row

/** @param {Key} key @param {Key} [from] @param {Key} [to] */
const isWithin = (key, from, to) =>
  (from === undefined || compare(key, from) >= 0) && (to === undefined || compare(key, to) <= 0)

/** @param {any} a @param {any} b @returns {number} */
const compare = (a, b) =>
  Array.isArray(a) ? compare(a[0], b[0]) || compare(a[1], b[1]) : a < b ? -1 : Number(a > b)

export class MemoryStore extends Store {
  constructor(node = newNode()) {
    super(new MemoryDisk(node), newState(node))
  }
}
