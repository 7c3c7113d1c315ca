// What people do not agree on: each value that somebody gave, to choose from. Choosing writes over them all.

import { el } from './dom.js'

/**
 * The keys of a document that have several values: of those that people read.
 * @param {any} doc
 * @param {Record<string, ((value: any) => string) | null>} labels how each key's value reads
 */
export async function disagreements(doc, labels) {
  const { values } = await doc.conflicts()
  return values.filter(({ path }) => path.length === 1 && labels[path[0]])
}

/**
 * The panel of a document's conflicts, empty if there are none; `stop` ends it.
 * @param {any} doc
 * @param {Parameters<typeof disagreements>[1]} labels
 * @param {(key: string, value: any) => void} choose
 */
export function conflictsPanel(doc, labels, choose) {
  const panel = el('section', { 'aria-live': 'polite' })
  const load = async () => {
    const found = await disagreements(doc, labels)
    panel.replaceChildren(...found.map((conflict) => conflictBox(doc, conflict, labels, choose)))
  }
  const stop = doc.watch(load)
  load()
  return { panel, stop }
}

function conflictBox(doc, { path: [key], others }, labels, choose) {
  const values = [doc.plain?.[key], ...others.map(([, value]) => value)]
  const option = (value, index) => el('li', {},
    el('span', {}, labels[key](value)),
    el('button', { type: 'button', onclick: () => choose(key, value) }, index ? 'Take this' : 'Keep this'))
  return el('div', { class: 'conflict' },
    el('h3', {}, `Conflict: ${key}`),
    el('p', {}, 'This was changed in two places at once. Which shall it be?'),
    el('ul', {}, ...values.map(option)))
}
