// Yjs in a page: one document of many maps, kept by y-indexeddb and passed on by y-websocket.

import { IndexeddbPersistence, storeState } from 'y-indexeddb'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { Arrivals, content, opening, sending } from './timing.js'

const EDITS = 10 // of each map, its making among them

async function loaded(name) {
  const document = new Y.Doc()
  const stored = new IndexeddbPersistence(name, document)
  await stored.whenSynced
  return { tasks: document.getMap('tasks'), stored }
}

/** Makes the maps and edits them, all in one update for each round of edits, as the store would merge them anyway. */
async function fill(name, documents) {
  const { tasks, stored } = await loaded(name)
  const each = (change) => tasks.doc.transact(() => Array.from({ length: documents }, (_, n) => change(`task.${n}`, n)))
  each((item, n) => tasks.set(item, new Y.Map(Object.entries(content(n)))))
  for (let edit = 1; edit < EDITS; edit++) each((item, n) => tasks.get(item).set('title', `Edit ${edit} of ${n}`))
  await storeState(stored, true)
  await stored.destroy()
}

const list = ({ tasks }) => [...tasks.values()].map((task) => task.toJSON())

const reopen = (name, documents) => opening(documents, () => loaded(name), list)

async function connect(_, room) {
  const document = new Y.Doc()
  const provider = new WebsocketProvider(location.origin.replace('http', 'ws'), room, document, { disableBc: true })
  await new Promise((resolve) => provider.once('sync', resolve))
  globalThis.note = document.getMap('note')
}

const arrivals = new Arrivals()

function listen() {
  globalThis.note.observe(() => arrivals.note(globalThis.note.get('number')))
}

const send = (count) => sending(count, (n) => globalThis.note.set('number', n))

const hear = (count) => arrivals.until(count)

globalThis.contender = { fill, open: reopen, connect, listen, send, hear }
