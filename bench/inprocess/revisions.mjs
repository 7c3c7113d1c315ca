// What bench/load/revisions.py does, for Automerge, which keeps the history in its file. The task is one JSON argument.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as A from '@automerge/automerge'

const LAST = 20
const LONGEST_TEXT = 1000
const TEXT = 'Buy milk and bread, bring back the books and write to the landlord about the window in the kitchen. '
const task = JSON.parse(process.argv[2])

let seed = 1
const dice = (below) => {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
  return (seed >> 8) % below
}

const edits = [
  (document, n) => {
    document.title = `milk and tickets tomorrow, ${n}`
  },
  (document) => {
    const length = document.text.length
    A.splice(document, ['text'], dice(length - 7), length > LONGEST_TEXT ? 7 : 0, 'apples ')
  },
  (document) => document.count.increment(1 + dice(9)),
  (document) => {
    const tag = `tag-${dice(50)}`
    if (tag in document.tags) delete document.tags[tag]
    else document.tags[tag] = true
  },
]

function make() {
  let document = A.from({ title: 'New', text: TEXT, count: new A.Counter(0), tags: { new: true } })
  const heads = [A.getHeads(document)]
  for (let n = 1; n < task.revisions; n += 1) {
    document = A.change(document, (draft) => edits[(n - 1) % edits.length](draft, n))
    heads.push(A.getHeads(document))
  }
  mkdirSync(task.folder)
  writeFileSync(`${task.folder}/document`, A.save(document))
  writeFileSync(`${task.folder}/heads.json`, JSON.stringify(heads))
  return {}
}

function measure() {
  const heads = JSON.parse(readFileSync(`${task.folder}/heads.json`))
  let document
  const opened = milliseconds(() => {
    document = A.load(new Uint8Array(readFileSync(`${task.folder}/document`)))
    return A.toJS(document)
  })
  const looked = []
  for (let time = 0; time < task.looks; time += 1) {
    const then = heads[1 + dice(heads.length - 2)]
    looked.push(milliseconds(() => A.toJS(A.view(document, then))))
  }
  const told = milliseconds(() => {
    for (let n = heads.length - LAST; n < heads.length; n += 1) A.diff(document, heads[n - 1], heads[n])
  })
  looked.sort((one, other) => one - other)
  return {
    open: opened,
    at: looked[looked.length >> 1],
    'at worst': looked.at(-1),
    [`last ${LAST}`]: told,
  }
}

function milliseconds(work) {
  const started = performance.now()
  work()
  return performance.now() - started
}

console.log(JSON.stringify({ make, measure }[task.work]()))
