// The sheet with all there is about one task: its notes, what people do not agree on, and its past.

import { closeButton } from '../parts/connection.js'
import { conflictsPanel } from '../parts/conflicts.js'
import { byId, el } from '../parts/dom.js'
import { historyPanel } from '../parts/history.js'
import { TextField } from '../parts/text_field.js'

/** How the keys of a task read. */
export const LABELS = {
  title: (value) => String(value),
  done: (value) => (value ? 'done' : 'open'),
  notes: (value) => String(value),
  order: null,
}

/**
 * Opens the sheet of a task.
 * @param {any} doc
 * @param {import('../parts/undo.js').Steps} steps
 * @param {() => void} closed
 */
export function openDetails(doc, steps, closed) {
  const sheet = byId('details')
  const title = el('h2', { id: 'details-title' })
  const notes = el('textarea', { id: 'notes', rows: 6, placeholder: 'Anything else about it' })
  const put = (change) => steps.do([doc.item], change)
  const conflicts = conflictsPanel(doc, LABELS, (key, value) => put(() => doc.put(key, value)))
  const past = historyPanel(doc, LABELS, (number) => doc.restore(number).then(() => steps.do([doc.item], () => {})))
  const field = new TextField(notes, doc, 'notes', { typed: (isNew) => isNew && put(() => {}) })
  const show = () => {
    title.textContent = doc.plain ? String(doc.plain.title) : 'Deleted'
    notes.disabled = !doc.exists
  }
  const stop = doc.watch(show)
  show()
  sheet.replaceChildren(el('div', {},
    el('header', {}, title, closeButton(sheet)),
    conflicts.panel,
    el('section', {}, el('label', { for: 'notes' }, 'Notes'), notes),
    past.panel))
  sheet.onclick = (event) => event.target === sheet && sheet.close()
  sheet.onclose = () => {
    for (const end of [stop, conflicts.stop, past.stop, () => field.stop(), closed]) end()
    sheet.replaceChildren()
  }
  sheet.showModal()
}
