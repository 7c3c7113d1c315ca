// Requests of IndexedDB as promises.

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

/**
 * One request in a transaction of its own, so that its failure is nobody else's.
 * @template T
 * @param {IDBDatabase} db @param {string} store @param {(store: IDBObjectStore) => IDBRequest<T>} ask
 * @returns {Promise<T>}
 */
export const asked = async (db, store, ask) => result(ask(db.transaction(store).objectStore(store)))
