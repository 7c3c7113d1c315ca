/**
 * Documents as plain JavaScript: maps, lists, and kinds that several people edit at once.
 *
 * A view knows an object by its name and looks it up whenever it is used, so it always shows the present state. Changing
 * it drafts ops through its scope: of a live document an event for each change, within `edit` one for all.
 */

import { assign, changeMembers, rewrite, update } from '../../core/documents/assign.js'
import { CounterObject, List, MapObject, Ref, SetObject, TextObject, winner } from '../../core/documents/objects.js'
import { fromWire, toWire } from '../../core/documents/values.js'
import { encode } from '../../core/canonical.js'
import { isContainer } from '../../core/json.js'
import { fail } from '../../errors.js'

/** @typedef {import('../../core/documents/edit.js').Editor} Editor */
/** @typedef {import('../../core/documents/values.js').Counter} Counter */
/** @typedef {import('../../core/documents/values.js').ORSet} ORSet */
/** @typedef {import('../../core/documents/values.js').Text} Text */

/**
 * Where a view reads, and how it writes.
 * @typedef {object} Scope
 * @property {import('../../core/documents/document.js').Document} document
 * @property {(change: (editor: Editor) => void) => void} editing
 */

/**
 * What may be put where V is shown as plain JSON: V, a kind that shows as V, or a view of either.
 * @template V
 * @typedef {V | View<any> | (V extends string ? Text : V extends number ? Counter : V extends readonly (infer M)[]
 *   ? ORSet | Set<M> | readonly Input<M>[] : V extends object ? Inputs<V> : never)} Input
 */

/** @template T @typedef {{ [K in keyof T]: Input<T[K]> }} Inputs */

/** @template T one object of a document */
export class View {
  /**
   * @param {Scope} scope
   * @param {string} name
   */
  constructor(scope, name) {
    this._scope = scope
    this._name = name
  }

  /** @returns {T} */
  get _object() {
    return /** @type {any} */ (this._scope.document.objects.get(this._name))
  }

  /** The content as plain JSON. */
  get plain() {
    return this._scope.document.show(new Ref(this._name), { marked: false })
  }

  /** The content as a program's value, with `Text`, `Counter` and `ORSet`: a copy. */
  get value() {
    return fromWire(this._scope.document.show(new Ref(this._name)))
  }

  toJSON() {
    return this.plain
  }

  /** @param {(editor: Editor, object: T) => void} change */
  _edit(change) {
    this._scope.editing((editor) => change(editor, this._object))
  }
}

/** @extends {View<import('../../core/documents/objects.js').MapObject>} */
export class MapView extends View {
  /** @param {string} key */
  get(key) {
    const slot = this._object.slots.get(key)
    return slot && viewOf(this._scope, winner(slot).value)
  }

  /** @param {string} key */
  has(key) {
    return this._object.slots.has(key)
  }

  /** The keys, in order. */
  keys() {
    return [...this._object.slots.keys()].sort()
  }

  get size() {
    return this._object.slots.size
  }

  /**
   * Puts a value over what is there.
   * @param {string} key
   * @param {unknown} value
   */
  put(key, value) {
    this._edit((editor, map) => editor.put(map, key, wire(value)))
  }

  /**
   * Empties a key, if it is there.
   * @param {string} key
   */
  delete(key) {
    if (this.has(key)) this._edit((editor, map) => editor.delete(map, key))
  }

  /**
   * Changes some keys, doing the least: what is alike stays, a text is spliced, a counter counted on.
   * @param {Record<string, unknown>} members
   */
  update(members) {
    this._edit((editor, map) => {
      for (const [key, value] of Object.entries(members)) assign(editor, map, key, wire(value))
    })
  }

  /**
   * Makes the map show these members and no others, doing the least.
   * @param {Record<string, unknown>} members
   */
  replace(members) {
    this._edit((editor, map) => update(editor, map, wire(members)))
  }

  /**
   * The child of this kind under a key, made if need be. Replicas that make it apart make the same one.
   * @param {string} key
   * @param {'map' | 'list' | 'text' | 'counter' | 'set'} kind
   */
  ensure(key, kind) {
    this._edit((editor, map) => editor.ensure(map, key, kind))
    return this.get(key)
  }
}

/** @extends {View<import('../../core/documents/objects.js').List>} */
export class ListView extends View {
  get length() {
    return this._object.sequence.length
  }

  /** @param {number} index */
  get(index) {
    return viewOf(this._scope, this._object.sequence.contentAt(this._place(index)).value)
  }

  *[Symbol.iterator]() {
    for (const element of this._object.visible()) yield viewOf(this._scope, element.value)
  }

  /**
   * @param {number} index
   * @param {unknown} value
   */
  put(index, value) {
    this._edit((editor, list) => editor.putAt(list, this._place(index), wire(value)))
  }

  /**
   * Inserts values before an index.
   * @param {number} index
   * @param {unknown[]} values
   */
  insert(index, ...values) {
    this._edit((editor, list) => editor.insert(list, Math.max(0, Math.min(index, this.length)), wire(values)))
  }

  /** @param {unknown[]} values */
  push(...values) {
    this.insert(this.length, ...values)
  }

  /**
   * @param {number} index
   * @param {number} [count]
   */
  delete(index, count = 1) {
    this._edit((editor, list) => editor.remove(list, this._place(index), count))
  }

  /**
   * Moves an element, so that it has the index `to` afterwards; two who move it apart do not double it.
   * @param {number} index
   * @param {number} to
   */
  move(index, to) {
    this._edit((editor, list) => editor.move(list, this._place(index), this._place(to)))
  }

  clear() {
    if (this.length) this.delete(0, this.length)
  }

  /** @param {number} index */
  _place(index) {
    const place = index < 0 ? index + this.length : index
    if (!(place >= 0 && place < this.length)) throw new RangeError(`There are ${this.length} elements.`)
    return place
  }
}

/** A text, by UTF-16 code units, as everywhere in JavaScript. @extends {View<import('../../core/documents/objects.js').TextObject>} */
export class TextView extends View {
  toString() {
    return this._object.sequence.visible()
  }

  get length() {
    return this._object.sequence.length
  }

  /**
   * @param {number} index
   * @param {string} text
   */
  insert(index, text) {
    this.splice(index, 0, text)
  }

  /** @param {string} text */
  append(text) {
    this.splice(this.length, 0, text)
  }

  /**
   * @param {number} index
   * @param {number} [count]
   */
  delete(index, count = 1) {
    this.splice(index, count)
  }

  /**
   * Deletes characters after an index and inserts others there. What would cut a pair of surrogates takes the pair.
   * @param {number} index
   * @param {number} [deleted]
   * @param {string} [inserted]
   */
  splice(index, deleted = 0, inserted = '') {
    this._edit((editor, text) => editor.splice(text, index, deleted, inserted))
  }

  /**
   * Makes the text read so; what is alike at both ends stays.
   * @param {string} text
   */
  replace(text) {
    this._edit((editor, object) => rewrite(editor, object, text))
  }
}

/** @extends {View<import('../../core/documents/objects.js').CounterObject>} */
export class CounterView extends View {
  valueOf() {
    return this._object.shown
  }

  /** @param {number} [by] */
  increment(by = 1) {
    this._edit((editor, counter) => editor.increment(counter, by))
  }

  /** @param {number} [by] */
  decrement(by = 1) {
    this.increment(-by)
  }
}

/** A set of plain JSON values. @extends {View<import('../../core/documents/objects.js').SetObject>} */
export class SetView extends View {
  get size() {
    return this._object.members.size
  }

  [Symbol.iterator]() {
    return this._object.show()[Symbol.iterator]()
  }

  /** @param {unknown} member */
  has(member) {
    return this._object.members.has(encode(member))
  }

  /**
   * Adds a value; one that is there is added again, and so outlives a removal that has not seen this.
   * @param {unknown} member
   */
  add(member) {
    this._edit((editor, set) => editor.add(set, member))
  }

  /**
   * Takes a value out, if it is there.
   * @param {unknown} member
   */
  delete(member) {
    if (this.has(member)) this._edit((editor, set) => editor.discard(set, member))
  }

  /**
   * Makes the set have these members.
   * @param {Iterable<unknown>} members
   */
  replace(members) {
    this._edit((editor, set) => changeMembers(editor, set, [...members]))
  }
}

/** @type {Map<Function, new (scope: Scope, name: string) => View<any>>} */
const VIEWS = new Map(/** @type {any} */ ([
  [MapObject, MapView], [List, ListView], [TextObject, TextView], [CounterObject, CounterView], [SetObject, SetView],
]))

/**
 * A value of a slot for a program: a scalar as it is, an object as its view.
 * @param {Scope} scope
 * @param {any} value
 */
export function viewOf(scope, value) {
  if (!(value instanceof Ref)) return value
  const kind = VIEWS.get(/** @type {any} */ (scope.document.objects.get(value.name)).constructor)
  return new /** @type {any} */ (kind)(scope, value.name)
}

/**
 * What stands at a path in a view. Raises `not_found`.
 * @param {any} view
 * @param {(string | number)[]} path
 */
export function follow(view, path) {
  for (const step of path) {
    if (!(view instanceof MapView || view instanceof ListView)) fail('not_found', `Nothing is at ${path}.`)
    view = view.get(/** @type {never} */ (step))
  }
  return view
}

/**
 * A program's value, which may hold views, as it travels: assigning a view makes a copy.
 * @param {any} value
 * @returns {any}
 */
export const wire = (value) => toWire(unwrapped(value))

/**
 * @param {any} value
 * @returns {any}
 */
function unwrapped(value) {
  if (value instanceof View) return value.value
  if (Array.isArray(value)) return value.map(unwrapped)
  if (!isContainer(value) || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, unwrapped(member)]))
}
