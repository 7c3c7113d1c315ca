// IndexedDB for the Python replica: rows of text by store and key.

const STORES = ['state', 'entries', 'outbox']

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

export function openDisk(name) {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => STORES.forEach((store) => request.result.createObjectStore(store))
  return done(request)
}

/** All rows of a store, in the order of their keys. */
export const read = (database, store) => done(database.transaction(store).objectStore(store).getAll())

/** One transaction: `writes` is JSON, a list of [store, key, text], where text null deletes and key null empties. */
export function write(database, writes) {
  const transaction = database.transaction(STORES, 'readwrite', { durability: 'strict' })
  for (const [store, key, text] of JSON.parse(writes)) {
    const rows = transaction.objectStore(store)
    if (key === null) rows.clear()
    else if (text === null) rows.delete(key)
    else rows.put(text, key)
  }
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
  })
}
