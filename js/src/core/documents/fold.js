/**
 * The fold: what each op does to a document. Total: an op that does not fit does nothing.
 *
 * `Fold` is one event's walk through its ops; it counts the names the event makes. An event that is overruled takes the
 * same walk without effect: its objects and elements are made, as anchors for whoever names them, but nothing is put.
 *
 * @typedef {import('./document.js').Document} Document
 * @typedef {import('./objects.js').Slot} Slot
 * @typedef {import('./ops.js').Op} Op
 *
 * Hears of what changes, while it changes; of objects whether they show or not.
 * @typedef {object} Observer
 * @property {(target: Obj) => void} before a text, counter or set is about to change
 * @property {(target: MapObject, key: string, before: Slot, after: Slot) => void} slot a key's slot has changed
 * @property {(target: List, element: Element, before: [number, any] | null) => void} element an element has changed;
 *   `before`: the index and the value it had, null if it was not there
 */

import { encode } from '../canonical.js'
import { MAX_DEPTH } from '../limits.js'
import * as names from './names.js'
import { CounterObject, Element, EMPTY, List, MapObject, Obj, SetObject, showsSame, Standing } from './objects.js'
import { TextObject, without } from './objects.js'
import { size } from './ops.js'
import { EVENT } from './places.js'
import { GONE, ORIGINAL, sizeOf, standingIn, stateOf } from './runs.js'
import { depthOf, inOrder, openValue } from './values.js'

/** Stands for the insertion itself in the state of a text's character. */
export const OWN = ''

/** One event's ops on a document. */
export class Fold {
  /**
   * @param {Document} document
   * @param {string} event
   * @param {{hasEffect?: boolean, observer?: Observer | null}} options
   */
  constructor(document, event, { hasEffect = true, observer = null } = {}) {
    this.event = event
    /** The k of the next op. */
    this.k = 0
    /** Whether the document shows something else now, or would if it were not deleted. */
    this.hasChanged = false
    this._document = document
    this._hasEffect = hasEffect
    this._observer = observer
    this._made = 0 // the k of what is made next
  }

  /**
   * Carries out all ops, or those on some objects and on the document itself; `hasChanged`.
   * @param {readonly (Op | null)[]} ops
   * @param {Set<string> | null} only
   */
  run(ops, only = null) {
    for (const op of ops) {
      if (!op) continue
      if (!only || op.op === 'delete' || op.op === 'restore' || only.has(this._full(op.in ?? ''))) this.do(op)
      else this.k += size(op)
    }
    return this.hasChanged
  }

  /**
   * Carries out one op.
   * @param {Op} op
   */
  do(op) {
    const name = names.make(this.event, this.k)
    this._made = this.k + 1
    this.k += size(op)
    ;/** @type {any} */ (this)[op.op](op, name)
  }

  // Slots of a map, and of the document itself

  /** @param {any} op @param {string} name */
  put(op, name) {
    if (op.elems) return this._putBack(op, name)
    if (op.elem !== undefined) return this._putElement(op, name)
    const target = this._map(op)
    const key = op.key ?? ''
    const put = target && this._standing(op, name, target, key)
    if (put) this._setKey(target, key, op.over, put)
  }

  /**
   * The map whose slot an op means; without a key the document's own.
   * @param {any} op
   */
  _map(op) {
    const target = op.key === undefined ? this._document.top : this._find(op)
    return target instanceof MapObject ? target : null
  }

  /**
   * The put an op makes, with the objects in its value; null if it does not fit.
   * @param {any} op
   * @param {string} name
   * @param {Obj} target
   * @param {any} place
   */
  _standing(op, name, target, place) {
    const origin = op.again === undefined ? name : this._full(op.again)
    if (op.object !== undefined) {
      const old = this._document.find(this._full(op.object))
      return old?.birth?.parent === target && old.birth.place === place ? new Standing(name, origin, old) : null
    }
    if (target.depth + depthOf(op.value) > MAX_DEPTH) return null
    return new Standing(name, origin, this._make(op.value, target, place))
  }

  /** @param {any} op */
  del(op) {
    if (op.elems) return this._delElements(op)
    const target = this._map(op)
    if (target) this._setKey(target, op.key ?? '', op.over, null)
  }

  /** @param {any} op @param {string} name */
  ensure(op, name) {
    const target = this._map(op)
    if (!target) return
    const key = op.key ?? ''
    const isTop = target === this._document.top
    const child = this._document.find(isTop ? names.root(op.kind) : names.child(target.name, key, op.kind))
    if (child) this._setKey(target, key, op.over, new Standing(name, name, child))
  }

  /**
   * @param {MapObject} target
   * @param {string} key
   * @param {string[] | undefined} over
   * @param {Standing | null} put
   */
  _setKey(target, key, over, put) {
    if (!this._hasEffect) return
    const before = target.slots.get(key) ?? EMPTY
    const left = without(before, this._names(over))
    const after = put ? [...left, put] : left
    if (after === before) return
    target.set(key, after)
    if (!showsSame(before, after)) this._note(target)
    this._observer?.slot(target, key, before, after)
  }

  // Lists

  /** @param {any} op */
  insert(op) {
    const target = this._find(op)
    const after = op.after === undefined ? null : this._document.place(this._full(op.after))
    if (after === undefined) return
    if (target instanceof TextObject && op.text !== undefined) this._insertText(target, after, op.text)
    else if (target instanceof List && op.values) this._insertValues(target, after, op.values)
  }

  /**
   * @param {List} target
   * @param {number | null} after
   * @param {any[]} values
   */
  _insertValues(target, after, values) {
    if (target.depth + depthOf(values) - 1 > MAX_DEPTH) return
    if (after !== null && !target.sequence.holds(after)) return
    for (const value of values) {
      const name = names.make(this.event, this._made)
      const element = new Element(this._place(this._made++), name)
      target.sequence.insert(after, element.place, [element], GONE)
      target.elements.set(element.place, element)
      after = element.place
      const put = new Standing(name, name, this._make(value, target, element))
      this._setElement(target, element, element.homes, [put])
    }
  }

  /** @param {any} op @param {string} name */
  _putElement(op, name) {
    const [target, element] = this._element(op)
    const put = element && this._standing(op, name, target, element)
    if (put) this._setElement(target, element, element.homes, [...this._less(element.puts, element, op.over), put])
  }

  /** @param {any} op */
  _delElements(op) {
    const target = this._find(op)
    if (target instanceof TextObject) this._setCharacters(target, op.elems, [OWN, ...this._names(op.over)])
    if (!(target instanceof List)) return
    for (const element of this._document.elements(target, op.elems, this.event)) {
      this._setElement(target, element, element.homes, this._less(element.puts, element, op.over))
    }
  }

  /** @param {any} op @param {string} name */
  move(op, name) {
    const [target, element] = this._element(op)
    if (!element) return
    const { sequence } = target
    const origin = op.again === undefined ? name : this._full(op.again)
    let place = this._document.place(origin)
    if (op.again === undefined) {
      const after = op.after === undefined ? null : this._document.place(this._full(op.after))
      if (after === undefined || (after !== null && !sequence.holds(after))) return
      place = this._place(this._made - 1)
      sequence.insert(after, place, [element], GONE)
    } else if (place === undefined || !sequence.holds(place) || sequence.content(place) !== element) return
    const homes = [...this._less(element.homes, element, op.over), new Standing(name, origin, place)]
    this._setElement(target, element, homes, element.puts)
  }

  /**
   * A slot of an element without the puts an op names; whoever names the element has seen its insertion.
   * @param {Slot} slot
   * @param {Element} element
   * @param {string[] | undefined} over
   */
  _less(slot, element, over) {
    return without(slot, [this._document.nameOf(element.place), ...this._names(over)])
  }

  /**
   * @param {List} target
   * @param {Element} element
   * @param {Slot} homes
   * @param {Slot} puts
   */
  _setElement(target, element, homes, puts) {
    if (!this._hasEffect || (homes === element.homes && puts === element.puts)) return
    const before = this._observer && target.index(element)
    const { at, puts: was } = element
    target.set(element, homes, puts)
    if (!showsSame(was, puts) || (puts.length && element.at !== at)) this._note(target)
    this._observer?.element(target, element, before)
  }

  /**
   * The list and the element an op names; undefined if it is not there.
   * @param {any} op
   * @returns {[List, Element] | [any, undefined]}
   */
  _element(op) {
    const target = this._find(op)
    const place = this._document.place(this._full(op.elem))
    if (!(target instanceof List) || place === undefined) return [target, undefined]
    return [target, /** @type {any} */ (target.elements.get(place))]
  }

  // Texts

  /**
   * @param {TextObject} target
   * @param {number | null} after
   * @param {string} text
   */
  _insertText(target, after, text) {
    if (!text) return
    this._before(target)
    const state = this._hasEffect ? ORIGINAL : GONE
    if (target.sequence.insert(after, this._place(this._made), text, state)) this._note(target)
  }

  /**
   * Inserts characters at a position, as their author sees it; the place of the last. Their op is counted.
   * @param {TextObject} target
   * @param {number} position
   * @param {string} text
   */
  insertAt(target, position, text) {
    this._before(target)
    const place = this._place(this.k)
    this.k += sizeOf(text)
    target.sequence.insertAt(position, place, text)
    this._note(target)
    return place + sizeOf(text) - 1
  }

  /**
   * Deletes characters after a position, where nothing but insertions stands; which, as (first place, how many). Their
   * op is counted.
   * @param {TextObject} target
   * @param {number} position
   * @param {number} count
   */
  deleteAt(target, position, count) {
    this._before(target)
    const deleted = target.sequence.deleteAt(position, count)
    this._note(target)
    return deleted
  }

  /** @param {any} op @param {string} name */
  _putBack(op, name) {
    const target = this._find(op)
    if (target instanceof TextObject) this._setCharacters(target, op.elems, this._names(op.over), name)
  }

  /**
   * Takes puts away from characters, and adds one.
   * @param {TextObject} target
   * @param {string[]} elems
   * @param {readonly string[]} gone
   * @param {string} [added]
   */
  _setCharacters(target, elems, gone, added) {
    if (!this._hasEffect) return
    this._before(target)
    /** @param {string} state */
    const change = (state) => {
      const left = standingIn(state).filter((name) => !gone.includes(name))
      return stateOf(added ? [...left, added] : left)
    }
    for (const [place, count] of this._document.stretches(elems, this.event)) {
      if (target.sequence.change(place, count, change)) this._note(target)
    }
  }

  // Counters and sets

  /** @param {any} op @param {string} name */
  inc(op, name) {
    const target = this._find(op)
    if (!(target instanceof CounterObject) || !this._hasEffect) return
    this._before(target)
    const { shown } = target
    const standing = op.once !== undefined && target.once.get(op.once)
    if (op.once === undefined) target.plain += BigInt(op.by)
    else if (!standing || names.compare(name, standing.name) < 0) target.once.set(op.once, { name, by: op.by })
    if (target.shown !== shown) this._note(target)
  }

  /** @param {any} op @param {string} name */
  add(op, name) {
    this._setMember(op, [new Standing(name, name, op.value)])
  }

  /** @param {any} op */
  discard(op) {
    if (op.value === undefined) this._discardNamed(op)
    else this._setMember(op, [])
  }

  /** What is left of an add or a discard whose member was erased. @param {any} op */
  _discardNamed(op) {
    const target = this._find(op)
    const gone = this._names(op.over)
    if (!(target instanceof SetObject) || !this._hasEffect || !gone.length) return
    this._before(target)
    for (const [key, before] of [...target.members]) {
      const after = without(before, gone)
      if (after.length) target.members.set(key, after)
      else if (target.members.delete(key)) this._note(target)
    }
  }

  /**
   * @param {any} op
   * @param {Standing[]} puts
   */
  _setMember(op, puts) {
    const target = this._find(op)
    if (!(target instanceof SetObject) || !this._hasEffect) return
    this._before(target)
    const key = encode(op.value)
    const before = target.members.get(key) ?? EMPTY
    const after = [...without(before, this._names(op.over)), ...puts]
    if (after.length) target.members.set(key, after)
    else target.members.delete(key)
    if (!before.length !== !after.length) this._note(target)
  }

  // The whole document

  /** @param {Op} _op @param {string} name */
  delete(_op, name) {
    if (this._hasEffect) this._document.deletes.add(name)
  }

  /** @param {any} op */
  restore(op) {
    if (this._hasEffect) for (const name of this._names(op.over)) this._document.deletes.delete(name)
  }

  // Making objects

  /**
   * A value as a slot holds it; objects in it are made, in the order in which they are named.
   * @param {any} value
   * @param {any} parent
   * @param {any} place
   */
  _make(value, parent, place) {
    const [kind, content] = openValue(value)
    if (!kind) return value
    const made = this._document.make(kind, names.make(this.event, this._made++), { parent, place })
    this._fill(made, content)
    return made
  }

  /**
   * @param {any} made
   * @param {any} content
   */
  _fill(made, content) {
    const { name } = made
    if (made instanceof MapObject) {
      for (const [key, member] of inOrder(Object.entries(content))) {
        made.set(key, [new Standing(name, name, this._make(member, made, key))])
      }
    } else if (made instanceof List) this._insertValues(made, null, content)
    else if (made instanceof TextObject) {
      this._insertText(made, null, content)
      this._made += sizeOf(content)
    } else if (made instanceof CounterObject) made.plain = BigInt(content)
    else for (const member of content) made.members.set(encode(member), [new Standing(name, name, member)])
  }

  // Names

  /** @param {string} name */
  _full(name) {
    return names.full(name, this.event)
  }

  /**
   * @param {readonly string[] | undefined} over
   * @returns {readonly string[]}
   */
  _names(over) {
    return over ? over.map((name) => this._full(name)) : NONE
  }

  /**
   * The object an op changes.
   * @param {any} op
   */
  _find(op) {
    return this._document.find(this._full(op.in ?? ''))
  }

  /**
   * The place of what this event makes at k.
   * @param {number} k
   */
  _place(k) {
    return this._document.events.index(this.event) * EVENT + k
  }

  /** @param {Obj} target */
  _before(target) {
    this._observer?.before(target)
  }

  /** @param {Obj} target */
  _note(target) {
    if (this._hasEffect && !this.hasChanged) this.hasChanged = this._document.isInPlace(target)
  }
}

/** @type {readonly string[]} */
const NONE = []
