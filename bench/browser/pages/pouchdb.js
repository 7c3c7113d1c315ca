// PouchDB in a page, with its default store on IndexedDB.

import PouchDB from 'pouchdb-browser'
import { Arrivals, editing, opening, sending, watchTasks } from './timing.js'

const NOTE = 'note.shared'
const AT_ONCE = 1_000 // documents in a batch; its default of 100 takes longer

const remote = (name) => new PouchDB(`${location.origin}/${name}`)

async function sync(name, documents, space) {
  const tasks = watchTasks()
  const started = performance.now()
  const local = new PouchDB(name)
  await local.replicate.from(remote(space), { batch_size: AT_ONCE })
  const seconds = (performance.now() - started) / 1000
  const task = await tasks()
  const { doc_count: count } = await local.info()
  if (count !== documents) throw new Error(`${count} of ${documents} documents`)
  await local.close()
  return { seconds, task }
}

const list = async (local) => (await local.allDocs({ include_docs: true })).rows

const reopen = (name, documents) => opening(documents, () => new PouchDB(name), list)

/** Puts what is there already, or makes it. */
async function putter(local) {
  const note = await local.get(NOTE).catch(() => ({ _id: NOTE }))
  return async (fields) => {
    note._rev = (await local.put({ ...note, ...fields })).rev
  }
}

async function edit(name, count) {
  const local = new PouchDB(name)
  const put = await putter(local)
  const saved = await editing(count, (n) => put({ title: `Edit ${n}` }))
  await local.close()
  return { saved }
}

async function connect(name, space) {
  globalThis.local = new PouchDB(name)
  const live = { live: true, retry: true }
  globalThis.local.sync(remote(space), live)
}

const arrivals = new Arrivals()

function listen() {
  const feed = globalThis.local.changes({ live: true, since: 'now', include_docs: true, doc_ids: [NOTE] })
  feed.on('change', ({ doc }) => arrivals.note(doc.number ?? 0))
}

async function send(count) {
  const put = await putter(globalThis.local)
  return sending(count, (number) => put({ number }))
}

const hear = (count) => arrivals.until(count)

globalThis.contender = { sync, open: reopen, edit, connect, listen, send, hear }
