/**
 * A document: the fold of one item's ops, a pure function of the entries.
 *
 * Any order of arrival that keeps causes before effects, and any repetition, leads to the same state. What is here is
 * the state and how to read it; what each op does is `fold`, how a state is written down is `snapshots`.
 *
 * @typedef {import('../events.js').Event} Event
 * @typedef {import('./fold.js').Observer} Observer
 * @typedef {import('./objects.js').Birth} Birth
 * @typedef {typeof import('./objects.js').Obj} Class
 * @typedef {import('./objects.js').Slot} Slot
 * @typedef {import('./ops.js').Op} Op
 *
 * A slot with several values: its path, the put that shows, and the others by name and value, best first.
 * @typedef {{path: (string | number)[], shown: string, others: [string, any][]}} Conflict
 */

import { MAX_DEPTH } from '../limits.js'
import { Fold } from './fold.js'
import * as names from './names.js'
import { CLASSES, inOrderOfRank, isSame, List, MapObject, Ref, Standing, TextObject, Top, winner } from './objects.js'
import { changesOf } from './ops.js'
import { contradicts, MERGE, SERVER_WINS } from './policies.js'
import { EVENT, Events } from './places.js'
import { inOrder, markMap } from './values.js'

/** The state of one item. Reading it costs what is read; folding an event costs its ops. */
export class Document {
  /**
   * @param {string} item
   * @param {Events} [events]
   */
  constructor(item, events = new Events()) {
    this.item = item
    /** The last n of each node that has written here. @type {Map<string, number>} */
    this.clock = new Map()
    /** Whether any op has had effect. */
    this.isMade = false
    /** The deletes that stand, by name. @type {Set<string>} */
    this.deletes = new Set()
    /** The events without effect, by id. @type {Set<string>} */
    this.overruled = new Set()
    this.events = events
    this.top = new Top('', null, events)
    /** @type {Map<string, any>} */
    this.objects = new Map()
    this.top.root = this.make(names.MAP, names.ROOT, { parent: this.top, place: '' })
  }

  // Folding

  /**
   * Whether an event was folded already, as far as its n tells: with its author it only rises on an item.
   * @param {Event} event
   */
  hasSeen(event) {
    return event.n <= (this.clock.get(event.node) ?? 0)
  }

  /**
   * Folds one event; whether the document shows something else now. An event that was folded does nothing.
   *
   * `isNext`: it is the next entry of its log, which holds it once; so it counts, even if later ones of its node came
   * first (with a gift, say, of somebody who had only these).
   * @param {Event} event
   * @param {{policy?: string, observer?: Observer | null, isNext?: boolean}} options
   */
  fold(event, { policy = MERGE, observer = null, isNext = false } = {}) {
    if (!isNext && this.hasSeen(event)) return false
    this.clock.set(event.node, Math.max(event.n, this.clock.get(event.node) ?? 0))
    if (!event.ops) return false
    const ops = changesOf(event)
    const isOverruled =
      this._isOverruled(event.id, ops) || (policy === SERVER_WINS && contradicts(this, event.id, ops))
    if (isOverruled) this.overruled.add(event.id)
    return this.run(event.id, ops, { hasEffect: !isOverruled, observer })
  }

  /**
   * Carries out the ops of an event, or, without effect, makes what others may name. `only`: the objects that matter to
   * whoever asks; the others are left as they are. Whether the document shows something else now.
   * @param {string} event
   * @param {readonly (Op | null)[]} ops
   * @param {{hasEffect: boolean, observer?: Observer | null, only?: Set<string> | null}} options
   */
  run(event, ops, { hasEffect, observer = null, only = null }) {
    const didExist = this.exists
    this.isMade ||= hasEffect && ops.length > 0
    const hasChanged = new Fold(this, event, { hasEffect, observer }).run(ops, only)
    return didExist !== this.exists || (didExist && hasChanged)
  }

  /**
   * Whether an event changes what only an overruled event made.
   * @param {string} event
   * @param {readonly (Op | null)[]} ops
   */
  _isOverruled(event, ops) {
    /** @param {string | undefined} name */
    const rests = (name) => name && this.overruled.has(names.eventOf(names.full(name, event)))
    return this.overruled.size > 0 && ops.some((op) => op && (rests(op.in) || rests(op.elem)))
  }

  /**
   * The object of a name, made if it is new.
   * @param {string} kind
   * @param {string} name
   * @param {Birth} birth
   */
  make(kind, name, birth) {
    let found = this.objects.get(name)
    if (!found) {
      found = new /** @type {Class} */ (CLASSES.get(kind))(name, birth, this.events)
      found.kind = kind
      this.objects.set(name, found)
    }
    return found
  }

  /**
   * The object of a full name; children that are named by their place need not be made to be there.
   * @param {string} name
   * @returns {any} undefined if it is not there
   */
  find(name) {
    const found = this.objects.get(name)
    if (found) return found
    const place = names.placeOf(name)
    if (!place) {
      const kind = names.rootKind(name)
      return kind ? this.make(kind, name, { parent: this.top, place: '' }) : undefined
    }
    const parent = this.find(place.parent)
    if (!(parent instanceof MapObject) || parent.depth >= MAX_DEPTH) return undefined
    return this.make(place.kind, name, { parent, place: place.key })
  }

  /**
   * The place that a full name means in sequences; undefined if its event made none.
   * @param {string} name
   */
  place(name) {
    const number = this.events.find(names.eventOf(name))
    return number === undefined ? undefined : number * EVENT + names.kOf(name)
  }

  /**
   * The places of stretches that are written inside an event, as (first, count), where their events made any.
   * @param {readonly string[]} elems
   * @param {string} event
   */
  stretches(elems, event) {
    /** @type {[number, number][]} */
    const found = []
    for (const elem of elems) {
      const [maker, k, count] = names.stretchOf(elem, event)
      const number = this.events.find(maker)
      if (number !== undefined) found.push([number * EVENT + k, count])
    }
    return found
  }

  /**
   * The elements of a list that stretches name, as far as they are there.
   * @param {List} list
   * @param {readonly string[]} elems
   * @param {string} event
   */
  elements(list, elems, event) {
    const found = []
    for (const [first, count] of this.stretches(elems, event)) {
      for (let place = first; place < first + count; place++) {
        const element = list.elements.get(place)
        if (element) found.push(element)
      }
    }
    return found
  }

  /**
   * The full name of a place.
   * @param {number} place
   */
  nameOf(place) {
    return this.events.name(place)
  }

  // Reading

  /** Whether there is a document to show. */
  get exists() {
    return this.isMade && !this.deletes.size
  }

  /** What the document is: its root object, or a scalar. */
  get root() {
    return this.top.shows('')
  }

  /**
   * Whether an object shows in the document.
   * @param {any} target
   */
  isVisible(target) {
    return !this.deletes.size && this.isInPlace(target)
  }

  /**
   * Whether an object shows, or would if the document were not deleted.
   * @param {any} target
   */
  isInPlace(target) {
    for (; target.birth; target = target.birth.parent) {
      if (target.birth.parent.shows(target.birth.place) !== target) return false
    }
    return true
  }

  /** The document as it travels, with marked kinds; null if there is none. */
  value() {
    return this.exists ? this.show(this.root) : null
  }

  /** The document as JSON without marks; null if there is none. */
  plain() {
    return this.exists ? this.show(this.root, { marked: false }) : null
  }

  /**
   * A value of a slot as it travels, or as JSON without marks.
   * @param {any} value
   * @param {{marked?: boolean}} options
   */
  show(value, { marked = true } = {}) {
    return this._show(value, marked)
  }

  /**
   * @param {any} value
   * @param {boolean} marked
   * @returns {any}
   */
  _show(value, marked) {
    if (!(value instanceof Ref)) return value
    const target = this.objects.get(value.name)
    if (target instanceof MapObject) {
      const members = []
      for (const [key, slot] of target.slots) members.push([key, this._show(winner(slot).value, marked)])
      return marked ? markMap(Object.fromEntries(members)) : Object.fromEntries(members)
    }
    if (target instanceof List) return target.visible().map((element) => this._show(element.value, marked))
    const content = target instanceof TextObject ? target.sequence.visible() : (target.shown ?? target.show())
    return marked ? { ['$' + target.kind]: content } : content
  }

  /** The slots that show in the document and hold more than one value: from the root down, keys in order. */
  conflicts() {
    /** @type {Conflict[]} */
    const found = []
    const slot = this.top.slots.get('') ?? [new Standing('', '', this.root)]
    if (this.exists) this._conflictsIn(slot, [], found)
    return found
  }

  /**
   * @param {Slot} slot
   * @param {(string | number)[]} path
   * @param {Conflict[]} found
   */
  _conflictsIn(slot, path, found) {
    const [shown, ...rest] = inOrderOfRank(slot)
    const lost = rest.filter((put) => !isSame(put.value, shown.value))
    if (lost.length) {
      found.push({ path, shown: shown.name, others: lost.map((put) => [put.name, this.show(put.value)]) })
    }
    const target = shown.value
    if (target instanceof MapObject) {
      for (const [key, inner] of inOrder(target.slots)) this._conflictsIn(inner, [...path, key], found)
    } else if (target instanceof List) {
      target.visible().forEach((element, index) => this._conflictsIn(element.puts, [...path, index], found))
    }
  }
}
