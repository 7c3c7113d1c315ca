// What all contenders' pages measure with, and what they store.

/** Milliseconds on a clock that pages of several browsers on one machine share. */
export const clock = () => performance.timeOrigin + performance.now()

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Notes tasks of more than 50 ms; what it returns tells the longest since, in milliseconds; 0: there was none. */
export function watchTasks() {
  let longest = 0
  const note = (list) => list.forEach(({ duration }) => (longest = Math.max(longest, duration)))
  const observer = new PerformanceObserver((list) => note(list.getEntries()))
  observer.observe({ type: 'longtask' })
  return async () => {
    await pause(100) // they are told after they are over
    note(observer.takeRecords())
    observer.disconnect()
    return longest
  }
}

/** Measures `open`, then `list`, which answers the ids of all documents. */
export async function opening(documents, open, list) {
  const tasks = watchTasks()
  const started = performance.now()
  const opened = await open()
  const isOpen = performance.now()
  const listed = await list(opened)
  const done = performance.now()
  if (listed.length !== documents) throw new Error(`${listed.length} of ${documents} documents`)
  return { ms: done - started, opened: isOpen - started, task: await tasks() }
}

/** The milliseconds of each of `count` edits until it is stored; `edit(n)` resolves then. */
export async function editing(count, edit) {
  const saved = []
  for (let n = 1; n <= count; n++) {
    const started = performance.now()
    await edit(n)
    saved.push(performance.now() - started)
    await pause(1) // as somebody types: one after the other
  }
  return saved
}

/** When each of `count` edits was made; the pauses differ, so that nobody's timers fall in step with them. */
export async function sending(count, edit) {
  const sent = []
  for (let n = 1; n <= count; n++) {
    sent.push(clock())
    await edit(n)
    await pause(20 + 20 * Math.random())
  }
  return sent
}

/** When numbered edits were seen to have arrived. One that was overtaken by a later one has arrived with that. */
export class Arrivals {
  constructor() {
    this.times = []
  }

  note(number) {
    while (this.times.length < number) this.times.push(clock())
  }

  async until(count) {
    while (this.times.length < count) await pause(5)
    return this.times
  }
}

/** What peers store in place of a document of Syncline's. */
export const content = (n) => ({
  title: `Buy milk, ${n}`,
  text: 'Buy milk and bread, bring back the books and write to the landlord about the window in the kitchen. ',
  count: n % 90,
  tags: ['new', `tag-${n % 50}`],
})

const result = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

/** A database of one object store. */
export function openDatabase(name) {
  const request = indexedDB.open(name, 1)
  request.onupgradeneeded = () => request.result.createObjectStore('rows')
  return result(request)
}

export const readRow = (database, key) => result(database.transaction('rows').objectStore('rows').get(key))

/** Resolves when the row is on the disk. */
export const putRow = (database, key, row) =>
  new Promise((resolve, reject) => {
    const transaction = database.transaction('rows', 'readwrite', { durability: 'strict' })
    transaction.oncomplete = resolve
    transaction.onabort = () => reject(transaction.error)
    transaction.objectStore('rows').put(row, key)
  })
