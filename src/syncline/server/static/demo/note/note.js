// The page with the shared note: one text, written by whoever is here.

import { Text } from '../../sdk/syncline.js'
import { closeButton } from '../parts/connection.js'
import { byId, el, say } from '../parts/dom.js'
import { historyPanel } from '../parts/history.js'
import '../parts/offline.js'
import { People } from '../parts/people.js'
import { enter } from '../parts/session.js'
import { showStatus } from '../parts/status.js'
import { TextField } from '../parts/text_field.js'
import { Carets } from './carets.js'

const ITEM = 'note.shared'

const { notes, name, beginAnew } = await enter()
const doc = notes.document(ITEM)
const field = byId('text')
const carets = new Carets(byId('carets'), field)
const people = notes.presence ? new People(notes, name, (peers) => carets.show(peers.filter((peer) => peer.item === ITEM))) : null
const text = new TextField(field, doc, 'text', {
  begin: () => doc.exists || notes.create(ITEM, { text: new Text('') }),
  changed,
})
showStatus(notes, beginAnew)
field.disabled = false
document.documentElement.dataset.ready = 'true'

function changed() {
  const words = field.value.match(/\S+/g)?.length ?? 0
  byId('count').textContent = `${words} ${words === 1 ? 'word' : 'words'}`
  field.style.height = 'auto'
  field.style.height = `${field.scrollHeight}px`
  carets.draw()
}

// Where this one's caret is, told when it moved and at most ten times a second.

let told = ''
setInterval(() => {
  const place = document.activeElement === field ? [field.selectionStart, field.selectionEnd] : null
  if (String(place) === told) return
  told = String(place)
  people?.say(place ? { caret: place } : {}, ITEM)
}, 100)

// Steps back and forth are the document's: the field's own would take back what others wrote.

const step = async (verb) => {
  const did = await doc[verb]()
  if (!did) say(`There is nothing to ${verb}.`)
}
byId('undo').onclick = () => step('undo')
byId('redo').onclick = () => step('redo')
addEventListener('keydown', (event) => {
  const key = event.key.toLowerCase()
  if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== 'z' && key !== 'y')) return
  event.preventDefault()
  step(key === 'y' || event.shiftKey ? 'redo' : 'undo')
})

byId('past').onclick = () => {
  const sheet = byId('details')
  if (!doc.exists) return say('Nothing has been written yet.')
  const past = historyPanel(doc, { text: (value) => String(value) })
  sheet.replaceChildren(el('div', {}, el('header', {}, el('h2', { id: 'details-title' }, 'The note’s past'), closeButton(sheet)), past.panel))
  sheet.onclick = null
  sheet.onclose = () => {
    past.stop()
    sheet.replaceChildren()
  }
  sheet.showModal()
}

addEventListener('resize', () => text.changed())
