// Both replicas of one page: each has its own database, and they meet at the server.

import { Text, open } from '/sdk/syncline.js'
import * as disk from './disk.js'
import { loadPyodide } from './pyodide.mjs'

const ITEM = 'note.shared'

async function startJavaScript() {
  const area = document.getElementById('javascript')
  const notes = await open('pyodide-example', { server: '/' })
  const show = () => {
    const text = notes.get(ITEM)?.plain.body ?? ''
    if (area.value !== text) area.value = text
    document.getElementById('javascript-state').value = notes.status().state
  }
  notes.watch(ITEM, show)
  notes.watchStatus(show)
  notes.start()
  show()
  area.disabled = false
  area.oninput = () => {
    const { value } = area
    if (notes.get(ITEM)) notes.document(ITEM).text('body').replace(value)
    else notes.create(ITEM, { body: new Text(value) })
  }
}

async function startPython() {
  const python = await loadPyodide({ indexURL: './' })
  for (const name of ['msgspec.zip', 'syncline.zip']) {
    python.unpackArchive(await (await fetch(name)).arrayBuffer(), 'zip', { extractDir: '/lib/python3.14/site-packages' })
  }
  for (const name of ['frames.py', 'store.py', 'main.py']) {
    python.FS.writeFile(name, await (await fetch(name)).text())
  }
  python.registerJsModule('disk', disk)
  const area = document.getElementById('python')
  const main = python.pyimport('main')
  await main.start(area, document.getElementById('python-state'), ITEM)
}

await startPython() // which keeps the page busy for some seconds
await startJavaScript()
