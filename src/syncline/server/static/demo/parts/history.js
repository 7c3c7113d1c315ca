// The past of a document: a slider over its revisions, what each changed, and the way back to it.

import { lines } from './changes.js'
import { el, say } from './dom.js'

const when = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

/**
 * The panel of a document's history; `stop` ends it.
 * @param {any} doc
 * @param {Parameters<typeof lines>[2]} labels which keys are told of, and how they read
 * @param {(number: number) => void} [restore] brings a revision back
 */
export function historyPanel(doc, labels, restore = (number) => doc.restore(number)) {
  const slider = el('input', { id: 'revision', type: 'range', min: 1, step: 1 })
  const told = el('p', { class: 'when', 'aria-live': 'polite' })
  const changes = el('ul', { class: 'diff', 'aria-label': 'What changed' })
  const back = el('button', { type: 'button' }, 'Bring this back')
  let revisions = []
  let turn = 0

  const show = async () => {
    const mine = ++turn
    const index = Number(slider.value) - 1
    const revision = revisions[index]
    if (!revision) return
    const [before, after] = await Promise.all([index ? doc.at(revisions[index - 1].number) : null, doc.at(revision.number)])
    if (mine !== turn) return
    const text = `Step ${index + 1} of ${revisions.length}, ${when.format(revision.at)}`
    slider.setAttribute('aria-valuetext', text)
    told.replaceChildren(el('strong', {}, revision.user ?? 'You'), ` ${sayAction(revision)} · ${text}`)
    changes.replaceChildren(...lines(before?.plain ?? null, after.plain ?? {}, labels))
    back.disabled = index === revisions.length - 1
  }
  const load = async () => {
    const atEnd = Number(slider.value) === revisions.length
    revisions = await doc.history()
    slider.max = String(Math.max(1, revisions.length))
    if (atEnd) slider.value = slider.max
    await show()
  }
  slider.oninput = show
  back.onclick = async () => {
    await restore(revisions[Number(slider.value) - 1].number)
    say('Brought back.')
  }
  const stop = doc.watch(load)
  load()
  const panel = el('section', { class: 'past' }, el('label', { for: 'revision' }, 'History'), slider, told, changes, back)
  return { panel, stop }
}

const ACTIONS = { create: 'made it', delete: 'deleted it', undo: 'took something back', redo: 'did it again', restore: 'brought it back' }
const sayAction = ({ action }) => ACTIONS[action] ?? 'changed it'
