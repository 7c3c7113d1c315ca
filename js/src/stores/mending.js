// A replica's database with rows that do not read: what does read of its outbox goes on in a new one.
//
// The browser knows no renaming, so the damaged database is deleted once its local events stand in another one, from
// which the new one takes them: whenever the page is closed meanwhile, the next opening goes on from there. Local events
// that are there but make no sense are kept in a database that nobody deletes. A database that the browser does not open
// at all is left as it is: it may open again.

import { encode } from '../core/canonical.js'
import { NIL_ID, greatest } from '../core/stamps.js'
import { SynclineError } from '../errors.js'
import { newNode, newState, readOutboxRow } from './index.js'
import { asked, result } from './requests.js'

/** @typedef {import('./index.js').OutboxRow} OutboxRow */
/** @typedef {{ rows: OutboxRow[], unread: any[], state: import('./index.js').ReplicaState }} Rescued */

/** @param {string} name */
const besideOf = (name) => `${name}.rescued`

/** Whether an opening may have failed because of what is stored. @param {unknown} error */
export const isDamage = (error) =>
  error instanceof SynclineError ? error.code === 'store_damaged' : error instanceof SyntaxError || error instanceof TypeError

/**
 * Saves what is whole of a damaged database, and deletes it. Fails, and deletes nothing, if it does not open or does not
 * tell which local events it has.
 * @param {string} name
 */
export async function mend(name) {
  const rescued = await rescue(name)
  if (rescued.unread.length) await keep(`${name}.damaged-${Date.now()}`, rescued)
  await keep(besideOf(name), rescued)
  await result(indexedDB.deleteDatabase(name))
  console.warn(`syncline: ${name} was damaged; local events that were saved: ${rescued.rows.length}.`)
}

/**
 * What was saved of a database that was damaged; null if there is nothing.
 * @param {string} name
 * @returns {Promise<Rescued | null>}
 */
export async function saved(name) {
  const beside = besideOf(name)
  const names = await indexedDB.databases?.()
  if (names && !names.some((each) => each.name === beside)) return null
  const db = await result(opening(beside))
  try {
    return (await asked(db, 'rescued', (store) => store.get(0))) ?? null
  } finally {
    db.close()
  }
}

/** Lets go of what was saved, since it stands in the new database. @param {string} name */
export const forget = (name) => result(indexedDB.deleteDatabase(besideOf(name)))

/** @param {string} name */
function opening(name) {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => void request.result.createObjectStore('rescued')
  return request
}

/** @param {string} name @param {Rescued} rescued */
async function keep(name, rescued) {
  const db = await result(opening(name))
  try {
    const tx = db.transaction('rescued', 'readwrite', { durability: 'strict' })
    const ended = new Promise((resolve, reject) => {
      tx.oncomplete = resolve
      tx.onabort = () => reject(tx.error)
    })
    tx.objectStore('rescued').put(rescued, 0)
    await ended
  } finally {
    db.close()
  }
}

/**
 * The local events that read, each asked for alone, under a new node id.
 * @param {string} name
 * @returns {Promise<Rescued>}
 */
async function rescue(name) {
  const db = await result(indexedDB.open(name))
  try {
    const found = []
    for (const key of await asked(db, 'outbox', (store) => store.getAllKeys())) {
      found.push(await asked(db, 'outbox', (store) => store.get(key)).catch(() => ({ id: key })))
    }
    const rows = found.filter(isWhole)
    const { user = null, epoch = null } = (await asked(db, 'state', (store) => store.get('state')).catch(() => null)) ?? {}
    const stamp = greatest(NIL_ID, rows.map(({ id }) => id))
    return { rows, unread: found.filter((row) => !isWhole(row)), state: { ...newState(newNode()), user, epoch, stamp } }
  } finally {
    db.close()
  }
}

/** Whether a row of the outbox is one that could have been written. @param {any} row */
function isWhole(row) {
  try {
    const { event } = readOutboxRow(row)
    return event.id === row.id && encode(JSON.parse(row.text)) === row.text
  } catch {
    return false
  }
}
