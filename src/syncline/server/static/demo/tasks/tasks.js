// The page with the shared tasks.

import { byId } from '../parts/dom.js'
import '../parts/offline.js'
import { People } from '../parts/people.js'
import { enter } from '../parts/session.js'
import { showStatus } from '../parts/status.js'
import { Steps } from '../parts/undo.js'
import { openDetails } from './details.js'
import { TaskList } from './list.js'

const { notes, name, space, beginAnew } = await enter()
const steps = new Steps(notes, `syncline-demo-tasks:${space}`)
const list = new TaskList(notes, steps, open)
const people = notes.presence ? new People(notes, name, (peers) => list.showPeers(peers)) : null
showStatus(notes, beginAnew)

function open(item) {
  people?.say({ at: item }, item)
  openDetails(notes.document(item), steps, () => people?.say({}))
}

byId('add').addEventListener('submit', (event) => {
  event.preventDefault()
  const field = byId('title')
  const title = field.value.trim()
  field.value = ''
  if (title) list.add(title)
})

byId('filters').addEventListener('click', ({ target }) => {
  if (!target.dataset.filter) return
  for (const button of byId('filters').children) button.setAttribute('aria-pressed', String(button === target))
  list.show(target.dataset.filter)
})

byId('fields').disabled = false
document.documentElement.dataset.ready = 'true'
