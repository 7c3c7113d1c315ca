// The sheet behind the badge: how this replica stands to its server, and what the server refused, to be tried again or dropped.

import { byId, el } from './dom.js'

const STATES = {
  live: 'The server hears this page. What you do is there at once.',
  syncing: 'The server hears this page. Both are catching up.',
  connecting: 'This page is looking for the server. Everything works meanwhile.',
  offline: 'The server cannot be reached. Everything works, and waits for it.',
  needs_auth: 'The server wants to know again who you are.',
}
const when = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

/**
 * Opens the sheet.
 * @param {any} notes
 * @param {() => void} beginAnew leaves this replica, if the server has another log now
 */
export function openConnection(notes, beginAnew) {
  const sheet = byId('details')
  const facts = el('ul', { class: 'facts' })
  const refused = el('section', {})
  const show = () => {
    facts.replaceChildren(...factsOf(notes.status()).map((fact) => el('li', {}, fact)))
    refused.replaceChildren(...anotherLog(notes, beginAnew), ...inbox(notes))
  }
  const stop = notes.watchStatus(show)
  show()
  sheet.replaceChildren(el('div', {},
    el('header', {}, el('h2', { id: 'details-title' }, 'Connection'), closeButton(sheet)), facts, refused))
  sheet.onclick = null
  sheet.onclose = () => {
    stop()
    sheet.replaceChildren()
  }
  sheet.showModal()
}

function factsOf({ state, pending, unsaved, lastSynced, error }) {
  return [
    STATES[state],
    pending ? `${pending} ${pending === 1 ? 'change waits' : 'changes wait'} for the server.` : 'Nothing waits for the server.',
    unsaved ? `${unsaved} of them are not on this disk yet.` : 'Everything is on this disk.',
    navigator.serviceWorker?.controller ? 'This page opens without a network.' : null,
    lastSynced ? `Both agreed last on ${when.format(lastSynced)}.` : 'They have not met yet.',
    error ? `Last failure: ${error.message}` : null,
  ].filter(Boolean)
}

function anotherLog(notes, beginAnew) {
  if (notes.status().error?.code !== 'epoch_changed') return []
  return [el('div', { class: 'conflict' },
    el('p', {}, 'The server lost its log, or was made anew. What is here stays here as it is, but the two no longer fit.'),
    el('button', { type: 'button', onclick: beginAnew }, 'Begin anew with the server'))]
}

function inbox(notes) {
  const found = notes.refused()
  if (!found.length) return []
  return [el('h3', {}, 'Refused by the server'), ...found.map(({ event, error }) => el('div', { class: 'conflict' },
    el('p', {}, `${event.action} of ${event.item}: ${error.message ?? error.code}`),
    el('div', { class: 'choices' },
      el('button', { type: 'button', onclick: () => notes.retry(event.id) }, 'Try again'),
      el('button', { type: 'button', onclick: () => notes.drop(event.id) }, 'Drop it'))))]
}

/** The button at the top of a sheet. @param {HTMLDialogElement} sheet */
export const closeButton = (sheet) =>
  el('button', { class: 'icon', type: 'button', 'aria-label': 'Close', title: 'Close', onclick: () => sheet.close() }, '×')
