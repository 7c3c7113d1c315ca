// What the demos know besides the data: how the server greets, and who sits here. A few values in a database of their
// own, on the disk when they are said to be: localStorage is written later, and a browser that is killed forgets.

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open('syncline-demo', 1)
  request.onupgradeneeded = () => request.result.createObjectStore('values')
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
})

/** @param {string} key @param {any} value null: forget it @returns {Promise<void>} */
export async function remember(key, value) {
  const transaction = (await opened).transaction('values', 'readwrite', { durability: 'strict' })
  transaction.objectStore('values').put(value, key)
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve
    transaction.onabort = () => reject(transaction.error)
  })
}

/** @param {string} key @returns {Promise<any>} null if it is not known */
export async function recall(key) {
  const request = (await opened).transaction('values').objectStore('values').get(key)
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result ?? null)
    request.onerror = () => reject(request.error)
  })
}
