// The disk of a page: a database of IndexedDB for each replica, shared by all tabs.

import { SynclineError } from '../errors.js'
import { newNode, newState } from './index.js'
import { forget, isDamage, mend, saved } from './mending.js'
import { result } from './requests.js'
import { KEYS, Store, keyOf } from './store.js'

/** @typedef {import('./store.js').Bounds} Bounds */

const SCHEMA = 1
const READ_AT_ONCE = 1_000 // rows, so that no task is long; those of the log are long themselves

/**
 * Opens the replica of a name in this browser's profile; it is made if it is not there. One that is damaged is made anew,
 * with the local events that can be read.
 * @param {string} name
 * @param {string} [node] for one that is made
 */
export async function openIndexedDB(name, node = newNode()) {
  try {
    return await opened(name, node)
  } catch (error) {
    if (!isDamage(error)) throw error
  }
  return alone(`${name}:mending`, async () => {
    try {
      return await opened(name, node) // another tab may have mended it meanwhile
    } catch (error) {
      if (!isDamage(error)) throw error
      await mend(name).catch(() => refuse(error))
    }
    return opened(name, node)
  })
}

/** @param {string} name @param {string} node */
async function opened(name, node) {
  const disk = await IndexedDBDisk.open(name, node)
  try {
    return await Store.open(disk)
  } catch (error) {
    disk.close()
    throw error
  }
}

/**
 * Does something while no other tab does it, where tabs can agree on that.
 * @template T
 * @param {string} name @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
const alone = (name, work) => globalThis.navigator?.locks?.request(name, work) ?? work()

/** @typedef {import('./store.js').Disk} Disk */

/** @implements {Disk} */
class IndexedDBDisk {
  /** @param {IDBDatabase} db */
  constructor(db) {
    this._db = db
    db.onversionchange = () => db.close() // somebody erases it
  }

  /** @param {string} name @param {string} node */
  static async open(name, node) {
    try {
      const rescued = await saved(name)
      const request = indexedDB.open(name, SCHEMA)
      request.onupgradeneeded = () => {
        for (const [store, keyPath] of Object.entries(KEYS)) request.result.createObjectStore(store, { keyPath })
        request.transaction?.objectStore('state').put({ key: 'state', ...(rescued?.state ?? newState(node)) })
        for (const row of rescued?.rows ?? []) request.transaction?.objectStore('outbox').put(row)
      }
      const disk = new IndexedDBDisk(await result(request))
      if (rescued) await forget(name)
      return disk
    } catch (error) {
      return refuse(error)
    }
  }

  /**
   * @template T
   * @param {(tx: import('./store.js').Transaction) => Promise<T>} work
   * @param {'read' | 'relaxed' | 'strict'} kind
   */
  async run(work, kind) {
    try {
      const mode = kind === 'read' ? 'readonly' : 'readwrite'
      const tx = this._db.transaction(Object.keys(KEYS), mode, { durability: kind === 'strict' ? kind : 'relaxed' })
      const ended = end(tx)
      ended.catch(() => {}) // it is awaited below, unless the work fails before
      const done = await work(transaction(tx)).catch((error) => {
        abort(tx)
        throw error
      })
      commit(tx)
      await ended
      return done
    } catch (error) {
      return refuse(error)
    }
  }

  close() {
    this._db.close()
  }

  async erase() {
    this.close()
    await result(indexedDB.deleteDatabase(this._db.name)).catch(refuse)
  }

  async persist() {
    return (await globalThis.navigator?.storage?.persist?.()) ?? null
  }
}

/**
 * @param {IDBTransaction} tx
 * @returns {import('./store.js').Transaction}
 */
const transaction = (tx) => ({
  get: (store, key) => result(tx.objectStore(store).get(key)),
  put: (store, row) => void tx.objectStore(store).put(row),
  clear: (store, bounds) => void tx.objectStore(store).delete(range(bounds)),
  async all(store, bounds = {}, read = (row) => row) {
    const count = store === 'log' ? 1 : READ_AT_ONCE
    const rows = []
    for (let open = false, { from, to } = bounds; ; open = true) {
      const some = await result(tx.objectStore(store).getAll(range({ from, to }, open), count))
      for (const row of some) rows.push(read(row))
      if (some.length < count) return rows
      from = keyOf(store, some[some.length - 1])
    }
  },
})

/** @param {Bounds} [bounds] @param {boolean} [open] without the row at `from` */
function range({ from, to } = {}, open = false) {
  if (from === undefined) return to === undefined ? IDBKeyRange.lowerBound(-Infinity) : IDBKeyRange.upperBound(to)
  return to === undefined ? IDBKeyRange.lowerBound(from, open) : IDBKeyRange.bound(from, to, open)
}

/** @param {IDBTransaction} tx @returns {Promise<void>} */
const end = (tx) =>
  new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve()
    tx.onabort = () => reject(tx.error ?? new DOMException('', 'AbortError'))
  })

/** Does not wait to see whether more is to come: a page may be closed any moment. @param {IDBTransaction} tx */
function commit(tx) {
  try {
    tx.commit()
  } catch {
    // it was aborted, which `end` tells
  }
}

/** @param {IDBTransaction} tx */
function abort(tx) {
  try {
    tx.abort()
  } catch {
    // it has ended
  }
}

const CODES = new Map([
  ['QuotaExceededError', 'storage_full'],
  ['InvalidStateError', 'store_closed'],
  ['VersionError', 'newer_schema'],
  ['SecurityError', 'bad_settings'], // of the browser: it keeps no data for this page
])

/** @param {unknown} error @returns {never} */
function refuse(error) {
  if (!(error instanceof DOMException)) throw error
  throw new SynclineError(CODES.get(error.name) ?? 'store_damaged', `${error.name}: ${error.message}`)
}
