// One task in the list: done or not, its title, its place, and what can be done with it.

import { el } from '../parts/dom.js'

/**
 * What a row asks of the list.
 * @typedef {object} Actions
 * @property {(item: string, isDone: boolean) => void} check
 * @property {(item: string, title: string) => void} rename
 * @property {(item: string) => void} drop
 * @property {(item: string) => void} open
 * @property {(item: string, by: number) => void} move
 * @property {(event: PointerEvent, row: HTMLElement) => void} drag
 */

export class Row {
  /**
   * @param {string} item
   * @param {Actions} actions
   */
  constructor(item, actions) {
    this.item = item
    this.actions = actions
    this.plain = null
    this.box = el('input', { type: 'checkbox', onchange: () => actions.check(item, this.box.checked) })
    this.title = el('button', { class: 'title', type: 'button', onclick: () => this.edit() })
    this.conflict = el('span', { 'data-mark': 'conflict', hidden: true, title: 'Changed in two places at once' },
      el('span', { 'aria-hidden': 'true' }, '⚠'), el('span', { class: 'hidden' }, 'Conflict'))
    this.who = el('ul', { class: 'people' })
    this.grip = el('button', { class: 'icon grip', type: 'button', onkeydown: (event) => this._onGripKey(event),
      onpointerdown: (event) => actions.drag(event, this.element) }, '⋮⋮')
    this.more = el('button', { class: 'icon', type: 'button', title: 'Details', 'aria-haspopup': 'dialog', onclick: () => actions.open(item) }, '⋯')
    this.gone = el('button', { class: 'icon drop', type: 'button', title: 'Delete', onclick: () => actions.drop(item) }, '×')
    this.showFaces([])
    this.element = el('li', { class: 'task', 'data-item': item }, this.grip, this.box, this.title,
      el('span', { class: 'marks' }, this.who, this.conflict), el('span', { class: 'ends' }, this.more, this.gone))
  }

  /** @param {{ title: string, done: boolean }} plain what the document shows */
  show(plain) {
    if (this.plain === plain) return
    this.plain = plain
    const title = String(plain.title ?? '')
    this.title.textContent = title || 'Untitled'
    this.box.checked = Boolean(plain.done)
    this.element.classList.toggle('done', Boolean(plain.done))
    this.box.setAttribute('aria-label', title || 'Untitled')
    this.grip.setAttribute('aria-label', `Move ${title}: arrow keys`)
    this.more.setAttribute('aria-label', `Details of ${title}`)
    this.gone.setAttribute('aria-label', `Delete ${title}`)
  }

  /** @param {HTMLElement[]} faces of those who look at it */
  showFaces(faces) {
    this.who.replaceChildren(...faces)
    this.who.hidden = !faces.length
  }

  /** The title becomes a field until Enter or Escape, or until one goes elsewhere. */
  edit() {
    const field = el('input', { class: 'title', value: this.plain.title, maxlength: 300, 'aria-label': 'Title' })
    const end = (isKept) => {
      const hasFocus = document.activeElement === field
      field.onblur = null // it would come now
      field.replaceWith(this.title)
      if (hasFocus) this.title.focus()
      const title = field.value.trim()
      if (isKept && title && title !== this.plain.title) this.actions.rename(this.item, title)
    }
    field.onblur = () => end(true)
    field.onkeydown = (event) => {
      if (event.isComposing) return
      if (event.key !== 'Enter' && event.key !== 'Escape') return
      event.preventDefault() // or it would press the title, which has the focus then
      end(event.key === 'Enter')
    }
    this.title.replaceWith(field)
    field.focus()
    field.select()
  }

  _onGripKey(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key]
    if (!by) return
    event.preventDefault()
    this.actions.move(this.item, by)
  }
}
