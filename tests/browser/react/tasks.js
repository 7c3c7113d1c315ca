// A small app with React in StrictMode, which mounts everything twice and would show a hook that is not safe.

import { StrictMode, createElement as h, memo } from 'react'
import { createRoot } from 'react-dom/client'
import { open } from '../../../js/src/syncline.js'
import { useDocument, usePresence, useQuery, useStatus, useUndo } from '../../../js/src/react.js'

const rendered = { titles: 0, other: 0 }

function Tasks({ notes }) {
  const found = useQuery(notes, 'task.*', { where: { done: false }, orderBy: 'title' })
  return h('ul', { id: 'tasks' }, found.map((task) => h('li', { key: task.item }, task.plain.title)))
}

const Title = memo(function Title({ notes, item }) {
  rendered.titles++
  const task = useDocument(notes, item)
  return h('p', { id: 'title' }, task?.title ?? 'none')
})

const Other = memo(function Other({ notes }) {
  rendered.other++
  return h('p', { id: 'other' }, useDocument(notes, 'other.one')?.title ?? 'none')
})

function Steps({ notes, item }) {
  const { undo, redo } = useUndo(notes, item)
  return h('p', {}, h('button', { onClick: undo }, 'Undo'), h('button', { onClick: redo }, 'Redo'))
}

function Badge({ notes }) {
  const { state, pending } = useStatus(notes)
  return h('p', { id: 'badge' }, `${state} ${pending}`)
}

function Others({ notes, item }) {
  const peers = usePresence(notes, { name: globalThis.who ?? 'nobody' }, item)
  return h('ul', { id: 'others' }, peers.map(({ node, key, state }) => h('li', { key: node + key }, state.name)))
}

function App({ notes, item }) {
  const parts = [Tasks, Title, Other, Steps, Badge]
  if (globalThis.settings) parts.push(Others)
  return parts.map((part) => h(part, { key: part.name ?? part.type.name, notes, item }))
}

const notes = await open('react', { store: 'memory', ...globalThis.settings })
if (globalThis.settings) notes.start()
const root = createRoot(document.body.appendChild(document.createElement('main')))
const show = (item) => root.render(h(StrictMode, {}, h(App, { notes, item })))
show('task.milk')
Object.assign(globalThis, { notes, show, rendered, unmount: () => root.unmount() })
