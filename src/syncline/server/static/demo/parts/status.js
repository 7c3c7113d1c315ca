// The badge: whether the server hears us, and how much waits for it.

import { openConnection } from './connection.js'
import { byId, el } from './dom.js'

const WORDS = { live: 'Online', syncing: 'Online', needs_auth: 'Sign in again' }

/** Keeps the badge true. @param {any} notes */
export function showStatus(notes) {
  const show = () => paint(notes.status())
  notes.watchStatus(show)
  byId('status').onclick = () => openConnection(notes)
  show()
}

function paint({ state, pending, refused, unsaved, error }) {
  const badge = byId('status')
  const words = WORDS[state] ?? 'Offline'
  badge.dataset.state = words === 'Offline' ? 'offline' : state
  badge.dataset.unsaved = unsaved
  badge.hidden = false
  badge.title = error?.message ?? 'Connection'
  badge.replaceChildren(
    el('span', {}, words),
    ...(pending ? [count(pending, 'waiting')] : []),
    ...(refused ? [count(refused, 'refused')] : []))
}

const count = (number, word) => el('span', { class: 'waiting' }, String(number), el('span', { class: 'word' }, ` ${word}`))
