// Automerge in a page: one document of many maps, saved as a row of IndexedDB.

import * as A from '@automerge/automerge/slim'
import { automergeWasmBase64 } from '@automerge/automerge/automerge.wasm.base64'
import { content, openDatabase, opening, putRow, readRow } from './timing.js'

const EDITS = 10 // of each map, its making among them

await A.initializeBase64Wasm(automergeWasmBase64)

async function fill(name, documents) {
  const items = Array.from({ length: documents }, (_, n) => `task.${n}`)
  let made = A.from({ tasks: Object.fromEntries(items.map((item, n) => [item, content(n)])) })
  for (let edit = 1; edit < EDITS; edit++) {
    made = A.change(made, ({ tasks }) => {
      for (const item of items) tasks[item].title = `Edit ${edit} of ${item}`
    })
  }
  await putRow(await openDatabase(name), 'document', A.save(made))
}

const loaded = async (name) => A.load(await readRow(await openDatabase(name), 'document'))

const list = ({ tasks }) => Object.values(tasks)

const reopen = (name, documents) => opening(documents, () => loaded(name), list)

globalThis.contender = { fill, open: reopen }
