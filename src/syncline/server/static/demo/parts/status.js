// The badge: whether the server hears us, and how much waits for it.

import { openConnection } from './connection.js'
import { byId, el } from './dom.js'

const TROUBLE = {
  epoch_changed: 'Another log',
  storage_full: 'Disk is full',
  store_closed: 'Not saved', // the browser took the disk away, or it was cleared
  store_damaged: 'Not saved',
}
const WORDS = { live: 'Online', syncing: 'Online', needs_auth: 'Sign in again' }

/**
 * Keeps the badge true.
 * @param {any} notes
 * @param {() => void} beginAnew leaves this replica, if the server has another log now
 */
export function showStatus(notes, beginAnew) {
  const show = () => paint(notes.status())
  notes.watchStatus(show)
  byId('status').onclick = () => openConnection(notes, beginAnew)
  show()
}

function paint({ state, pending, refused, unsaved, error }) {
  const badge = byId('status')
  const trouble = TROUBLE[error?.code]
  const words = trouble ?? WORDS[state] ?? 'Offline'
  badge.dataset.state = trouble ? 'trouble' : words === 'Offline' ? 'offline' : state
  badge.dataset.unsaved = unsaved
  badge.hidden = false
  badge.title = error?.message ?? 'Connection'
  badge.replaceChildren(
    el('span', {}, words),
    ...(pending ? [count(pending, 'waiting')] : []),
    ...(refused ? [count(refused, 'refused')] : []))
}

const count = (number, word) => el('span', { class: 'waiting' }, String(number), el('span', { class: 'word' }, ` ${word}`))
