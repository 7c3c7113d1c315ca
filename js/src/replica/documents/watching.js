/** Who watches which documents. Changes of one task are told together, when it is done. */

import { matcher } from '../../core/patterns.js'

/** @typedef {import('./live.js').LiveDocument<any>} LiveDocument */

export class Watchers {
  /** @param {(item: string) => LiveDocument} document */
  constructor(document) {
    this._document = document
    /** @type {Set<{ wants: (item: string) => boolean, call: (documents: LiveDocument[]) => void }>} */
    this._watchers = new Set()
    /** @type {Set<string>} */
    this._changed = new Set()
  }

  /**
   * Calls back with the documents that change; returns the way to stop.
   * @param {string} pattern
   * @param {(documents: LiveDocument[]) => void} call
   */
  add(pattern, call) {
    const watcher = { wants: matcher([pattern]), call }
    this._watchers.add(watcher)
    return () => void this._watchers.delete(watcher)
  }

  /**
   * A document changed.
   * @param {string} item
   */
  note(item) {
    if (!this._watchers.size) return
    if (!this._changed.size) queueMicrotask(() => this._tell())
    this._changed.add(item)
  }

  _tell() {
    const changed = [...this._changed].sort()
    this._changed.clear()
    for (const { wants, call } of [...this._watchers]) {
      const found = changed.filter(wants)
      try {
        if (found.length) call(found.map(this._document))
      } catch (error) {
        queueMicrotask(() => { throw error }) // the others are told nevertheless
      }
    }
  }
}
