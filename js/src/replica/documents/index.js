/**
 * Documents on a replica: created, edited and undone offline, and brought along as events come.
 *
 * `DocumentReplica` is the `Replica` with documents. An edit drafts its ops on the document itself, which is let go of
 * if the edit fails.
 */

import { Editor } from '../../core/documents/edit.js'
import { Difference } from '../../core/documents/undo.js'
import { check, matcher } from '../../core/patterns.js'
import { Query } from '../../core/queries.js'
import { fail } from '../../errors.js'
import { unpacked } from '../horizon.js'
import { Replica } from '../index.js'
import { Library } from './library.js'
import { Edit, LiveDocument } from './live.js'
import { standing } from './shelf.js'
import { Watchers } from './watching.js'

/** @typedef {import('../../core/events.js').Entry} Entry */
/** @typedef {import('../../core/events.js').Event} Event */
/** @typedef {import('../../stores/index.js').Kept} Kept */

/**
 * What a query asks, besides the pattern of the items.
 * @typedef {object} Asked
 * @property {Record<string, unknown>} [where] conditions by path
 * @property {string | string[]} [orderBy] paths; with `-` before them descending
 * @property {number} [limit]
 * @property {string} [text] words to look for
 */

/** @typedef {{ payload?: unknown, meta?: Record<string, string> }} More what else the event of an edit says */
/** @typedef {{ edit: Edit, action: string, more: More }} Open an edit that is under way */

export class DocumentReplica extends Replica {
  /**
   * @param {import('../../stores/store.js').Store} store
   * @param {import('../index.js').Sources} [sources]
   */
  constructor(store, sources) {
    super(store, sources)
    this.library = new Library(store)
    /** @type {Map<string, Open>} */
    this._underWay = new Map()
    this.library.drafted = this._underWay
    this._transactions = 0
    this._watched = new Watchers((item) => this.document(item))
    /** @type {Map<string, object | null>} what documents show */
    this._plain = new Map()
    /** @type {Set<(document: LiveDocument, event: Event) => void>} */
    this._overruled = new Set()
    this.library.begin(null, this.onTheirWay())
  }

  // Documents

  /**
   * The document of an item, whether it is there yet or not.
   * @template {object} [T=any]
   * @param {string} item
   * @returns {LiveDocument<T>}
   */
  document(item) {
    return new LiveDocument(this, item)
  }

  /**
   * The document of an item, if there is one.
   * @template {object} [T=any]
   * @param {string} item
   * @returns {LiveDocument<T> | null}
   */
  get(item) {
    return this._exists(item) ? new LiveDocument(this, item) : null
  }

  /**
   * Makes a document. What several replicas make of it apart merges, nested sets, texts and lists included.
   *
   * One that was deleted is restored, with this content. Raises `document_exists`.
   * @template {object} [T=any]
   * @param {string} item
   * @param {import('./views.js').Inputs<NoInfer<T>>} [value]
   * @param {{ action?: string }} [options]
   * @returns {LiveDocument<T>}
   */
  create(item, value = /** @type {any} */ ({}), { action = 'create' } = {}) {
    this.editing(item, action, (edit) => {
      if (edit.exists) fail('document_exists', `There is a document ${item} already; update it.`)
      edit.create(value)
    })
    return new LiveDocument(this, item)
  }

  /**
   * Changes of several documents that are recorded together when the function returns, and stored all or none. Each
   * document's changes become one event. If the function throws, nothing is recorded.
   * @param {() => void} change
   */
  transaction(change) {
    this._transactions++
    try {
      isDone(change())
    } catch (error) {
      this._giveUp()
      throw error
    } finally {
      this._transactions--
    }
    if (!this._transactions) this._recordOpen([...this._underWay.keys()], true)
  }

  /**
   * One event on a document; see `LiveDocument.edit`. An edit inside another one of the same item joins it.
   * @param {string} item
   * @param {string} action
   * @param {(edit: Edit) => void} change
   * @param {More} [more]
   */
  editing(item, action, change, more = {}) {
    const open = this._underWay.get(item)
    if (open) {
      if (more.meta) fail('invalid_event', `${item} is being edited: an undo or a group is an event of its own.`)
      return isDone(change(open.edit))
    }
    const edit = new Edit(item, new Editor(this.library.document(item), this.reserve()))
    this._underWay.set(item, { edit, action, more })
    try {
      isDone(change(edit))
    } catch (error) {
      this._giveUp(item)
      throw error
    }
    if (!this._transactions) this._recordOpen([item])
  }

  /**
   * Undoes or redoes this user's last edit of a document; false if there is nothing to.
   * @param {string} item
   * @param {'undo' | 'redo'} verb
   */
  async step(item, verb) {
    const found = await this.library.step(item, verb, this.user)
    if (!found) return false
    const { step, target } = found
    const change = (/** @type {Edit} */ { editor }) => new Difference(editor, target, step.once).touched(step.touched)
    this.editing(item, verb, change, { meta: { undoes: step.undoes } })
    return true
  }

  /**
   * @param {string[]} items
   * @param {boolean} [together]
   */
  _recordOpen(items, together = false) {
    const drafts = items.flatMap((item) => draftOf(item, /** @type {Open} */ (this._underWay.get(item))))
    try {
      if (drafts.length) this.recordMany(drafts, { together: together && drafts.length > 1 })
    } catch (error) {
      this._giveUp()
      throw error
    }
    for (const item of items) this._underWay.delete(item)
  }

  /**
   * Lets go of documents whose edits came to nothing: they are folded again.
   * @param {string} [item]
   */
  _giveUp(item) {
    for (const each of item === undefined ? [...this._underWay.keys()] : [item]) {
      this._underWay.delete(each)
      this.library.letGo(each)
    }
  }

  // What happens to the log, see `Replica`

  /** @param {Entry[]} entries */
  noted(entries) {
    for (const entry of entries) {
      if (this.library.note(entry)) this._changed(entry.event.item)
      if (entry.event.node === this.node) this._tellOverruled(entry.event)
    }
  }

  /** @param {Event[]} events */
  recorded(events) {
    for (const event of events) {
      const editor = this._underWay.get(event.item)?.edit.editor
      if (editor && editor.event !== event.id) this.library.letGo(event.item) // recorded amid an edit: draft and all
      this.library.noteLocal(event, editor)
      this._changed(event.item)
    }
  }

  /** @param {Set<string> | null} items */
  rewritten(items) {
    const changed = items ?? new Set([...this.library.items(), ...this._plain.keys()])
    this.library.begin(items, this.onTheirWay())
    for (const item of changed) this._changed(item)
  }

  /** @param {Kept[]} kepts */
  settled(kepts) {
    this.library.settled(kepts)
  }

  /**
   * @param {string} item
   * @param {Entry[]} entries
   */
  snapshot(item, entries) {
    return this.library.snapshot(item, entries)
  }

  /** @param {import('../../core/messages.js').Base} base */
  standing(base) {
    return standing(base, unpacked(base))
  }

  /** @param {Kept} kept */
  clockIn(kept) {
    return JSON.parse(kept.text)[1]
  }

  /** @param {string} item */
  readClock(item) {
    return new Map(this.library.glance(item).clock)
  }

  /** @param {string} item */
  _changed(item) {
    this._plain.delete(item)
    this._watched.note(item)
  }

  /** @param {Event} event */
  _tellOverruled(event) {
    if (this._overruled.size && this.library.hasOverruled(event))
      for (const call of this._overruled) queueMicrotask(() => call(this.document(event.item), event))
  }

  // Finding and watching

  /**
   * What a document shows, as plain JSON; null if there is none.
   * @param {string} item
   * @returns {object | null}
   */
  plain(item) {
    if (this._underWay.has(item)) return this.library.document(item).plain()
    let plain = this._plain.get(item)
    if (plain === undefined) this._plain.set(item, (plain = this.library.glance(item).plain()))
    return /** @type {object | null} */ (plain)
  }

  /**
   * The items of the documents that are there, sorted. Of a pattern: a literal, or a prefix with one `*`.
   * @param {string} [pattern]
   */
  items(pattern = '*') {
    check([pattern])
    const wants = matcher([pattern])
    return [...this.library.items()].filter((item) => wants(item) && this._exists(item)).sort()
  }

  /** @param {string} item */
  _exists(item) {
    const isOpen = this._plain.has(item) || this._underWay.has(item)
    return (isOpen ? undefined : this.library.exists(item)) ?? this.plain(item) !== null
  }

  /**
   * The documents that fulfil all conditions, in order. Raises `bad_request` for what is no query.
   * @template {object} [T=any]
   * @param {string} [pattern]
   * @param {Asked} [asked]
   * @returns {LiveDocument<T>[]}
   */
  query(pattern, asked) {
    return this._find(Query.of(pattern, asked)).map((item) => this.document(item))
  }

  /** @param {Query} query */
  _find(query) {
    const items = [...this.library.items()].filter((item) => query.wants(item) && this._exists(item))
    return query.answer(items.map((item) => [item, this.plain(item)]))
  }

  /**
   * Calls back with the documents that changed in a task, when it is done; returns the way to stop. Raises
   * `bad_request` for what is no pattern.
   * @template {object} [T=any]
   * @param {string} pattern
   * @param {(documents: LiveDocument<T>[]) => void} call
   */
  watch(pattern, call) {
    check([pattern])
    return this._watched.add(pattern, call)
  }

  /**
   * Calls back with the answer to a query, at once and whenever it or a document in it changes; returns the way to stop.
   * @template {object} [T=any]
   * @param {string} pattern
   * @param {Asked} asked
   * @param {(documents: LiveDocument<T>[]) => void} call
   */
  watchQuery(pattern, asked, call) {
    const query = Query.of(pattern, asked)
    /** @type {string[]} */
    let told = []
    const tell = (/** @type {LiveDocument[] | null} */ changed) => {
      const items = this._find(query)
      const isSame = changed && items.length === told.length && items.every((item, i) => item === told[i])
      const isStill = isSame && !changed.some(({ item }) => items.includes(item))
      told = items
      if (!isStill) call(items.map((item) => this.document(item)))
    }
    const stop = this.watch(pattern ?? '*', tell)
    tell(null)
    return stop
  }

  /**
   * Calls back when the space's policy has overruled an edit of this replica; returns the way to stop.
   * @param {(document: LiveDocument, event: Event) => void} call
   */
  watchOverruled(call) {
    this._overruled.add(call)
    return () => void this._overruled.delete(call)
  }
}

/**
 * The event an edit makes; none if there is nothing to record.
 * @param {string} item
 * @param {Open} open
 */
function draftOf(item, { edit: { editor }, action, more: { payload, meta } }) {
  if (!editor.ops.length && !meta) return []
  return [{ item, action, payload, meta, ops: editor.ops.length ? editor.ops : undefined, id: editor.event }]
}

/**
 * Refuses functions that would go on changing what was recorded.
 * @param {any} result
 */
function isDone(result) {
  if (typeof result?.then === 'function') throw new TypeError('An edit is made at once; await before it.')
}
