// What documents.py does, for the libraries on Node: Syncline's SDK, Yjs and Automerge. The task is one JSON argument;
// see there.

import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const LOADS = 5
const ITEM = 'paper.text'

const syncline = async () => {
  const { Document } = await import('../../js/src/core/documents/document.js')
  const { Editor } = await import('../../js/src/core/documents/edit.js')
  const snapshots = await import('../../js/src/core/documents/snapshots.js')
  const { Event } = await import('../../js/src/core/events.js')
  const { StampClock } = await import('../../js/src/core/stamps.js')
  return {
    open: () => ({ document: new Document(ITEM) }),
    write: ({ document }, batches) => {
      const stamps = new StampClock('bench')
      return batches.map((batch, at) => {
        const editor = new Editor(document, stamps.next(Date.now(), Math.floor(Math.random() * 2 ** 32)))
        const text = editor.ensureRoot('text')
        for (const [position, deleted, inserted] of batch) editor.splice(text, position, deleted, inserted)
        document.clock.set('bench', at + 1)
        const { event: id, ops } = editor
        const clock = Object.fromEntries(document.clock)
        return Event.of({ action: 'edit', clock, id, item: ITEM, node: 'bench', ops, user: 'alice' }).body
      })
    },
    take: ({ document }, updates) => updates.forEach((update) => document.fold(new Event(JSON.parse(update)))),
    save: ({ document }) => snapshots.encode(document),
    load: (self, data) => {
      self.document = snapshots.decode(ITEM, new TextDecoder().decode(data))
    },
    text: ({ document }) => document.plain() ?? '',
  }
}

const yjs = async () => {
  const Y = await import('yjs')
  const open = () => {
    const document = new Y.Doc()
    return { document, content: document.getText('text') }
  }
  return {
    open,
    write: (self, batches) => {
      const updates = []
      const keep = (update) => updates.push(update)
      self.document.on('update', keep)
      for (const batch of batches) {
        self.document.transact(() => {
          for (const [position, deleted, inserted] of batch) {
            if (deleted) self.content.delete(position, deleted)
            if (inserted) self.content.insert(position, inserted)
          }
        })
      }
      self.document.off('update', keep)
      return updates
    },
    take: (self, updates) => updates.forEach((update) => Y.applyUpdate(self.document, update)),
    save: (self) => Y.encodeStateAsUpdateV2(self.document),
    load: (self, data) => Y.applyUpdateV2(self.document, data),
    text: (self) => self.content.toString(),
  }
}

const automerge = async () => {
  const A = await import('@automerge/automerge')
  return {
    open: () => ({ document: A.init() }),
    write: (self, batches) => {
      self.document = A.change(self.document, (document) => {
        document.text = ''
      })
      const updates = [A.getLastLocalChange(self.document)]
      for (const batch of batches) {
        self.document = A.change(self.document, (document) => {
          for (const [position, deleted, inserted] of batch) A.splice(document, ['text'], position, deleted, inserted)
        })
        updates.push(A.getLastLocalChange(self.document))
      }
      return updates
    },
    take: (self, updates) => {
      self.document = A.applyChanges(self.document, updates)[0]
    },
    save: (self) => A.save(self.document),
    load: (self, data) => {
      self.document = A.load(data)
    },
    text: (self) => self.document.text ?? '',
  }
}

const recorded = (file) => JSON.parse(gunzipSync(readFileSync(file)).toString())

function result(paper, strokes, count) {
  if (!count) return paper.endContent
  let text = ''
  for (const [position, deleted, inserted] of strokes) {
    text = text.slice(0, position) + inserted + text.slice(position + deleted)
  }
  return text
}

function replay(library, task) {
  const paper = recorded(task.paper)
  const strokes = paper.txns.flatMap((transaction) => transaction.patches).slice(0, task.keystrokes || undefined)
  const batches = []
  for (let start = 0; start < strokes.length; start += task.together) {
    batches.push(strokes.slice(start, start + task.together))
  }
  const writer = library.open()
  const reader = library.open()
  const started = performance.now()
  const updates = library.write(writer, batches)
  const written = performance.now()
  library.take(reader, updates)
  const taken = performance.now()
  const text = library.text(writer)
  if (text !== result(paper, strokes, task.keystrokes) || library.text(reader) !== text) {
    throw new Error('the text is not the one that was recorded')
  }
  writeFileSync(task.file, library.save(reader))
  return { keystrokes: strokes.length, local: (written - started) / 1000, remote: (taken - written) / 1000 }
}

function load(library, task) {
  const data = new Uint8Array(readFileSync(task.file))
  library.text(library.open())
  const before = resident()
  const seconds = []
  const kept = []
  for (let time = 0; time < LOADS; time += 1) {
    const self = library.open()
    const started = performance.now()
    library.load(self, data)
    library.text(self)
    seconds.push((performance.now() - started) / 1000)
    kept.push(self)
  }
  const memory = (resident() - before) / LOADS
  return { bytes: data.length, load: seconds.sort((one, other) => one - other)[LOADS >> 1], memory, kept: kept.length }
}

function resident() {
  globalThis.gc?.()
  return process.memoryUsage().rss
}

const task = JSON.parse(process.argv[2])
const library = await { 'syncline-js': syncline, yjs, automerge }[task.library]()
console.log(JSON.stringify({ replay, load }[task.work](library, task)))
