// The carets and selections of others, drawn over the text: the same text once more, unseen, with marks in it.

import { colourOf } from '../parts/people.js'
import { el } from '../parts/dom.js'

export class Carets {
  /**
   * @param {HTMLElement} layer has the same size and type as the field
   * @param {HTMLTextAreaElement} field
   */
  constructor(layer, field) {
    this.layer = layer
    this.field = field
    this.peers = []
  }

  /** @param {any[]} peers presences on the note */
  show(peers) {
    this.peers = peers
      .map(({ state }) => ({ name: String(state.name).slice(0, 40), caret: state.caret }))
      .filter(({ caret }) => Array.isArray(caret) && caret.length === 2 && caret.every(Number.isSafeInteger))
      .sort((one, other) => one.caret[0] - other.caret[0])
    this.draw()
  }

  draw() {
    const text = this.field.value
    const parts = []
    let at = 0
    for (const { name, caret } of this.peers) {
      const [start, end] = caret.map((index) => Math.max(0, Math.min(index, text.length)))
      if (start < at) continue // selections that overlap: the first is shown
      parts.push(text.slice(at, start), ...this._mark(name, text.slice(start, end)))
      at = end
    }
    this.layer.replaceChildren(...parts, `${text.slice(at)}\n`)
  }

  _mark(name, selected) {
    const marks = [el('span', { class: 'caret', 'data-name': name })]
    if (selected) marks.unshift(el('mark', {}, selected))
    for (const mark of marks) mark.style.setProperty('--who', colourOf(name))
    return marks
  }
}
