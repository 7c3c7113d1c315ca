/** One document of a replica: read, edit, patch, undo, look back. */

import { apply, merge, rebase } from '../../core/documents/patching.js'
import { create } from '../../core/documents/creation.js'
import { Editor } from '../../core/documents/edit.js'
import { blame } from '../../core/documents/revisions.js'
import { Difference } from '../../core/documents/undo.js'
import { fromWire } from '../../core/documents/values.js'
import { diff } from '../../core/diff.js'
import { fail } from '../../errors.js'
import { CounterView, ListView, MapView, SetView, TextView, follow, viewOf, wire } from './views.js'

/** @typedef {import('../../core/documents/document.js').Document} Document */
/** @typedef {import('./index.js').DocumentReplica} DocumentReplica */
/** @template V @typedef {import('./views.js').Input<V>} Input */
/** @template T @typedef {import('./views.js').Inputs<T>} Inputs */
/** @typedef {import('../../core/patches.js').Operation} Operation */
/** @typedef {(string | number)[]} Path keys and indexes from the root down */

/**
 * A document that can be read: as it is, as it was, or as it will be after this edit.
 * @template {object} [T=any] what it shows, as plain JSON
 */
class Reading {
  /** @param {string} item */
  constructor(item) {
    this.item = item
  }

  /** The state. @abstract @returns {Document} */
  get document() {
    throw new TypeError()
  }

  /** @abstract @param {(editor: Editor) => void} _change */
  editing(_change) {
    throw new TypeError('The past cannot be edited; restore(revision) brings it back.')
  }

  /** Whether there is a document: it was made, and is not deleted. */
  get exists() {
    return this.document.exists
  }

  /** The content as plain JSON; null if there is none. @returns {T | null} */
  get plain() {
    return this.document.plain()
  }

  /** The content as it travels, with marked kinds; null if there is none. */
  get wire() {
    return this.document.value()
  }

  /** The content as a program's value, with `Text`, `Counter` and `ORSet`; null if there is none. */
  get value() {
    return this.exists ? fromWire(this.wire) : null
  }

  /** The content: a view of its root, or a scalar. Raises `not_found` if there is no document. */
  get root() {
    if (!this.exists) fail('not_found', `There is no document ${this.item}.`)
    return viewOf(this, this.document.root)
  }

  /**
   * What is at a path: a scalar, a view, or undefined.
   * @param {Path} path
   */
  get(...path) {
    return this.exists ? follow(this.root, path) : undefined
  }

  /** The text at a path. @param {Path} path @returns {TextView} */
  text(...path) {
    return this._view(TextView, path)
  }

  /** The list at a path. @param {Path} path @returns {ListView} */
  list(...path) {
    return this._view(ListView, path)
  }

  /** The map at a path. @param {Path} path @returns {MapView} */
  map(...path) {
    return this._view(MapView, path)
  }

  /** The set at a path. @param {Path} path @returns {SetView} */
  set(...path) {
    return this._view(SetView, path)
  }

  /** The counter at a path. @param {Path} path @returns {CounterView} */
  counter(...path) {
    return this._view(CounterView, path)
  }

  /**
   * @template {object} V
   * @param {new (...args: any) => V} kind
   * @param {Path} path
   * @returns {V}
   */
  _view(kind, path) {
    const view = follow(this.root, path)
    if (!(view instanceof kind)) fail('not_found', `Something else is at ${path.join('/')} of ${this.item}.`)
    return view
  }

  toJSON() {
    return this.plain
  }
}

/**
 * A document as it was at one of its revisions. It cannot be edited.
 * @template {object} [T=any]
 * @extends {Reading<T>}
 */
export class PastDocument extends Reading {
  /**
   * @param {string} item
   * @param {Document} document
   * @param {number} revision
   */
  constructor(item, document, revision) {
    super(item)
    this._document = document
    this.revision = revision
  }

  get document() {
    return this._document
  }
}

/**
 * What changes a document, within an edit or as an event of its own.
 * @template {object} [T=any]
 * @extends {Reading<T>}
 */
class Writing extends Reading {
  /**
   * Puts a value under a key of the root map, over what is there.
   * @template {keyof T & string} K
   * @param {K} key
   * @param {Input<T[K]>} value
   */
  put(key, value) {
    this.editing((editor) => editor.put(rootMap(editor), key, wire(value)))
  }

  /**
   * Changes some keys of the root map, doing the least: what is alike stays, a text is spliced.
   * @param {Partial<Inputs<T>>} members
   */
  update(members) {
    this.editing((editor) => viewOf(scopeOf(editor), editor.document.root).update(members))
  }

  /**
   * Applies a JSON Merge Patch (RFC 7396).
   * @param {unknown} patch
   */
  merge(patch) {
    this.editing((editor) => merge(editor, patch))
  }

  /**
   * Deletes a key of the root map; without one the document: its content stays underneath, and `restore` brings it back.
   * @param {keyof T & string} [key]
   */
  delete(key) {
    this.editing((editor) => {
      if (key === undefined) editor.deleteDocument()
      else viewOf(scopeOf(editor), editor.document.root).delete(key)
    })
  }
}

/**
 * A document while it is edited: every change of it becomes one event.
 * @template {object} [T=any]
 * @extends {Writing<T>}
 */
export class Edit extends Writing {
  /**
   * @param {string} item
   * @param {Editor} editor
   */
  constructor(item, editor) {
    super(item)
    this.editor = editor
  }

  get document() {
    return this.editor.document
  }

  /** A document that is not there yet begins as an empty map. */
  get root() {
    return viewOf(this, this.document.root)
  }

  /** @param {Path} path */
  get(...path) {
    return follow(this.root, path)
  }

  /** @param {(editor: Editor) => void} change */
  editing(change) {
    change(this.editor)
  }

  /**
   * Makes the document: what several replicas make of it apart merges, nested kinds included.
   * @param {Inputs<T>} value
   */
  create(value) {
    create(this.editor, Object.fromEntries(Object.entries(value).map(([key, each]) => [key, wire(each)])))
  }

  /**
   * Applies a JSON Patch (RFC 6902). Raises `patch_failed`, `patch_test_failed` or `bad_patch`.
   * @param {Operation[]} patch
   */
  patch(patch) {
    apply(this.editor, patch)
  }
}

/**
 * A document of a replica. Each change is one event; `edit` makes one of several.
 * @template {object} [T=any]
 * @extends {Writing<T>}
 */
export class LiveDocument extends Writing {
  /**
   * @param {DocumentReplica} replica
   * @param {string} item
   */
  constructor(replica, item) {
    super(item)
    this._replica = replica
  }

  get document() {
    return this._replica.library.document(this.item)
  }

  /** The content as plain JSON, not to be changed; the same object until the document changes. @returns {T | null} */
  get plain() {
    return /** @type {any} */ (this._replica.plain(this.item))
  }

  /** @param {(editor: Editor) => void} change */
  editing(change) {
    this.edit((edit) => change(edit.editor))
  }

  /**
   * One event of several changes, which are recorded together when the function returns, or not at all if it throws.
   * `group` in meta: neighbours with the same group are one revision, and undone together.
   * @param {string | ((edit: Edit<T>) => void)} action what happened; `update` if it is left out
   * @param {(edit: Edit<T>) => void} [change]
   * @param {{ payload?: unknown, meta?: Record<string, string> }} [more]
   */
  edit(action, change, more) {
    if (typeof action === 'string') this._replica.editing(this.item, action, change ?? (() => {}), more)
    else this._replica.editing(this.item, 'update', action, more)
  }

  /** @param {keyof T & string} [key] */
  delete(key) {
    if (key !== undefined) super.delete(key)
    else this.edit('delete', (edit) => edit.delete())
  }

  /**
   * Applies a JSON Patch (RFC 6902), all of it or nothing. Raises `patch_failed`, `patch_test_failed` or `bad_patch`.
   *
   * With `base`, the revision that its author saw, paths and indexes mean what was there then, and merge with what others
   * have changed since; then it returns a promise.
   * @overload
   * @param {Operation[]} patch
   * @returns {void}
   *
   * @overload
   * @param {Operation[]} patch
   * @param {{ base: number }} options
   * @returns {Promise<void>}
   *
   * @param {Operation[]} patch
   * @param {{ base?: number }} [options]
   */
  patch(patch, { base } = {}) {
    if (base === undefined) return this.edit((edit) => edit.patch(patch))
    return this.at(base).then((past) => this.edit((edit) => {
      const then = new Editor(past.document, edit.editor.event)
      apply(then, patch)
      rebase(edit.editor, then.ops)
    }))
  }

  /**
   * Calls back when the document has changed; returns the way to stop.
   * @param {(document: LiveDocument<T>) => void} call
   */
  watch(call) {
    return this._replica.watch(this.item, ([document]) => call(document))
  }

  // History

  /** The number of the last revision; 0 if there is none. */
  get revision() {
    return this._replica.library.revision(this.item)
  }

  /**
   * The number of the first revision that `history()` can tell: 1, unless this replica or its server no longer has the
   * document's beginning.
   */
  get firstRevision() {
    return this._replica.library.firstRevision(this.item)
  }

  /**
   * The revisions with numbers beyond `after`, ascending, from `firstRevision` on.
   * @param {{ after?: number, limit?: number }} [bounds]
   */
  history(bounds = {}) {
    return this._replica.library.revisions(this.item, bounds)
  }

  /**
   * The document as it was at a revision, a seq of the log, or a time (ms since 1970). Raises `not_found`, or
   * `history_expired` for what was before `firstRevision`.
   * @param {number | { revision?: number, seq?: number, time?: number }} bounds
   * @returns {Promise<PastDocument<T>>}
   */
  async at(bounds) {
    const past = await this._replica.library.at(this.item, typeof bounds === 'number' ? { revision: bounds } : bounds)
    return new PastDocument(this.item, past.document, past.revision)
  }

  /**
   * The JSON Patch from one revision to another (or to the present), between their wire forms.
   * @param {number} one
   * @param {number} [other]
   */
  async diff(one, other) {
    const before = one ? (await this.at(one)).wire : null
    return diff(before, other === undefined ? this.wire : (await this.at(other)).wire)
  }

  /**
   * Undoes this user's last standing edit, leaving what others changed since; false if there is none. Raises
   * `history_expired` if that may be one from before `firstRevision`.
   */
  undo() {
    return this._replica.step(this.item, 'undo')
  }

  /** Redoes this user's last undo, if they have not edited since; false otherwise. */
  redo() {
    return this._replica.step(this.item, 'redo')
  }

  /**
   * Makes the document show what it showed at a revision; without one it brings a deleted document back.
   * @param {number} [revision]
   */
  async restore(revision) {
    const past = revision === undefined ? null : await this.at(revision)
    this.edit('restore', ({ editor }) => {
      if (past) new Difference(editor, past.document).whole()
      else editor.restoreDocument()
    })
  }

  /**
   * Which event put what shows at a path.
   * @param {Path} path
   */
  blame(...path) {
    return blame(this.document, path)
  }

  /** What people do not agree on here. */
  conflicts() {
    return this._replica.library.conflicts(this.item)
  }
}

/** @param {Editor} editor */
const scopeOf = (editor) => ({
  document: editor.document,
  editing: (/** @type {(editor: Editor) => void} */ change) => change(editor),
})

/**
 * The map that a document is. Raises `not_found`.
 * @param {Editor} editor
 */
function rootMap(editor) {
  const view = viewOf(scopeOf(editor), editor.document.root)
  if (!(view instanceof MapView)) fail('not_found', 'The document is not a map.')
  return view._object
}
