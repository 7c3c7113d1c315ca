// Syncline's SDK in a page.

import { open } from '../../../js/src/syncline.js'
import { Arrivals, editing, opening, sending, watchTasks } from './timing.js'

const NOTE = 'note.shared'

/** Until all is in the replica, and until it has settled into snapshots and history. */
async function sync(name, documents, space) {
  const tasks = watchTasks()
  const started = performance.now()
  const notes = await open(name, { server: '/', space })
  const { errors } = await notes.sync()
  const synced = performance.now()
  while (notes.store.log.length > 2_000) await notes.settle()
  const settled = performance.now()
  const task = await tasks()
  if (errors.length || notes.items().length !== documents) throw new Error(`not synced: ${errors}`)
  await notes.close()
  return { seconds: (synced - started) / 1000, settled: (settled - started) / 1000, task }
}

const reopen = (name, documents) => opening(documents, () => open(name), (notes) => notes.items())

async function edit(name, count) {
  const notes = await open(name)
  const note = notes.get(NOTE) ?? notes.create(NOTE, { title: '' })
  await notes.saved()
  const shown = []
  let at = 0
  notes.watch(NOTE, () => shown.push(performance.now() - at))
  const saved = await editing(count, (n) => {
    at = performance.now()
    note.put('title', `Edit ${n}`)
    return notes.saved()
  })
  await notes.close()
  return { saved, shown }
}

const until = (notes, isSo) =>
  new Promise((resolve) => {
    const look = (status) => isSo(status) && resolve(stop())
    const stop = notes.watchStatus(look)
    look(notes.status())
  })

async function connect(name, space) {
  const notes = await open(name, { server: '/', space })
  notes.start()
  await until(notes, ({ state, pending }) => state === 'live' && !pending)
  globalThis.notes = notes
}

async function send(count) {
  const { notes } = globalThis
  const note = notes.get(NOTE) ?? notes.create(NOTE, { title: '' })
  await until(notes, ({ pending }) => !pending)
  return sending(count, (n) => note.put('number', n))
}

const arrivals = new Arrivals()

function listen() {
  globalThis.notes.watch(NOTE, ([note]) => arrivals.note(note.plain?.number ?? 0))
}

const hear = (count) => arrivals.until(count)

globalThis.contender = { sync, open: reopen, edit, connect, listen, send, hear }
