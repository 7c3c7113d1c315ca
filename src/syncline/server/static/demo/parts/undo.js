// Steps of this tab that can be taken back: which documents each touched. The documents themselves know how.

import { byId, say } from './dom.js'

const MAX_STEPS = 200

export class Steps {
  /**
   * @param {any} notes
   * @param {string} key where the steps are kept in sessionStorage, so that a reload forgets nothing
   */
  constructor(notes, key) {
    this.notes = notes
    this.key = key
    const kept = JSON.parse(sessionStorage.getItem(key) ?? '{"done":[],"undone":[]}')
    /** @type {string[][]} */
    this.done = kept.done
    /** @type {string[][]} */
    this.undone = kept.undone
    byId('undo').addEventListener('click', () => this.undo())
    byId('redo').addEventListener('click', () => this.redo())
    addEventListener('keydown', (event) => this._onKey(event))
    this._show()
  }

  /** Changes documents, and remembers that. @param {string[]} items @param {() => void} change */
  do(items, change) {
    change()
    this.done.push(items)
    this.done.splice(0, this.done.length - MAX_STEPS)
    this.undone = []
    this._show()
  }

  undo = () => this._go('undo', this.done, this.undone)

  redo = () => this._go('redo', this.undone, this.done)

  async _go(verb, from, to) {
    const items = from.pop()
    if (!items) return
    let any = false
    for (const item of items) any = (await this.notes.document(item)[verb]()) || any
    if (any) to.push(items)
    say(any ? (verb === 'undo' ? 'Undone.' : 'Done again.') : `There is nothing left to ${verb}.`)
    this._show()
  }

  _show() {
    byId('undo').disabled = !this.done.length
    byId('redo').disabled = !this.undone.length
    sessionStorage.setItem(this.key, JSON.stringify({ done: this.done, undone: this.undone }))
  }

  /** Ctrl+Z and Ctrl+Shift+Z (or Ctrl+Y), but where somebody is typing the field's own. */
  _onKey(event) {
    const isTyping = event.target.matches?.('input:not([type="checkbox"]), textarea') && event.target.value
    if (!(event.ctrlKey || event.metaKey) || event.altKey || isTyping) return
    const key = event.key.toLowerCase()
    if (key === 'z' || key === 'y') {
      event.preventDefault()
      if (key === 'y' || event.shiftKey) this.redo()
      else this.undo()
    }
  }
}
