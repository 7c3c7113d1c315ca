// A field that shows a shared text: what is typed becomes splices, what others type appears around the caret.

import { split } from './changes.js'
import { newId } from './dom.js'

const PAUSE_MS = 1500
const PIECES = /.{1,8000}/gsu // characters, of which each may take six bytes

/** Where an index is after a text was changed: moved with what stands before it. */
export function moved(index, { start, gone, come }) {
  if (index <= start) return index
  return index <= start + gone.length ? start + Math.min(index - start, come.length) : index + come.length - gone.length
}

export class TextField {
  /**
   * @param {HTMLTextAreaElement} field
   * @param {any} doc
   * @param {string} key of the text in the document
   * @param {{ begin?: () => void, typed?: (isNew: boolean) => void, changed?: () => void }} [tell] called before something
   *   is typed, after that, and after anything changed
   */
  constructor(field, doc, key, { begin = () => {}, typed = () => {}, changed = () => {} } = {}) {
    Object.assign(this, { field, doc, key, begin, typed, changed })
    this.group = ''
    this.lastMs = 0
    this.isComposing = false
    this.listeners = new AbortController()
    const options = { signal: this.listeners.signal }
    field.addEventListener('input', () => this._onInput(), options)
    field.addEventListener('compositionstart', () => (this.isComposing = true), options)
    field.addEventListener('compositionend', () => this._onComposed(), options)
    this.stopWatching = doc.watch(() => this.refresh())
    this.refresh()
  }

  get text() {
    return this.doc.exists ? String(this.doc.plain?.[this.key] ?? '') : ''
  }

  stop() {
    this.stopWatching()
    this.listeners.abort()
  }

  /** Shows the text as it is now; the caret stays where it was among the words. */
  refresh() {
    const { field, text } = this
    if (this.isComposing) return
    if (field.value !== text) {
      const change = split(field.value, text)
      const [start, end, direction] = [field.selectionStart, field.selectionEnd, field.selectionDirection]
      field.value = text
      field.setSelectionRange(moved(start, change), moved(end, change), direction)
    }
    this.changed()
  }

  /** Typing without a pause is one step: one revision, and undone at once. */
  _onInput() {
    if (this.isComposing) return
    const { start, gone, come } = split(this.text, this.field.value)
    if (!gone && !come) return
    const isNew = Date.now() - this.lastMs > PAUSE_MS
    if (isNew) this.group = newId()
    this.lastMs = Date.now()
    this.begin()
    this._write(start, gone.length, come)
    this.typed(isNew)
    this.changed()
  }

  /** Replaces a part; as several events of one step if much is pasted, since an event has a limit. */
  _write(start, count, text) {
    const options = { meta: { group: this.group } }
    for (const piece of text.match(PIECES) ?? ['']) {
      this.doc.edit('write', (edit) => edit.text(this.key).splice(start, count, piece), options)
      start += piece.length
      count = 0
    }
  }

  /** What an input method composed is taken as a whole; what others typed meanwhile is merged, not overwritten. */
  _onComposed() {
    this.isComposing = false
    this._onInput()
    this.refresh()
  }
}
