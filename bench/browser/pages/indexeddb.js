// IndexedDB alone: the limit of whoever keeps what he acknowledges.

import { editing, openDatabase, putRow } from './timing.js'

async function edit(name, count) {
  const database = await openDatabase(name)
  const saved = await editing(count, (n) => putRow(database, 'note', { title: `Edit ${n}` }))
  database.close()
  return { saved }
}

globalThis.contender = { edit }
