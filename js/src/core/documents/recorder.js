/**
 * What events changed, as JSON Patch (RFC 6902): from the slots that changed, never by comparing whole documents.
 *
 * A `Recorder` observes the fold and remembers, of each slot and object that is touched, what it was. What was not
 * touched is as it is now, so the document before can be shown as well as the one after. At the end it goes down from
 * the root to what was touched and still stands where it stood, and says what is different there; so values are
 * written as they are in the end, nothing is said twice, and what happens in hidden objects is never met.
 *
 * Two kinds cost their size: RFC 6902 replaces a string as a whole, and an index into a set's members takes their
 * order. Left out: elements of a list that took the place of equal ones count as a change.
 *
 * @typedef {import('./document.js').Document} Document
 * @typedef {import('./objects.js').Element} Element
 * @typedef {import('./objects.js').Slot} Slot
 * @typedef {import('../patches.js').Operation} Operation
 */

import { isFit } from '../diff.js'
import { equal } from '../json.js'
import { MAX_PATCH_OPERATIONS } from '../limits.js'
import { escape } from '../pointers.js'
import { Journal, NOWHERE } from './journal.js'
import { List, MapObject, Obj, SetObject, winner } from './objects.js'
import { byBytes, markMap } from './values.js'

/** Stands for the old value of a slot that did not change itself; something inside it did. */
const SAME = Symbol()

/**
 * What became of a document: `forward` and `reverse` are patches of its value on the wire. Of a document that came, or
 * came back, `forward` is its whole value and `reverse` null; of one that was deleted it is the other way round.
 *
 * @typedef {{kind: 'update', forward: Operation[], reverse: Operation[]}
 *   | {kind: 'create', forward: any, reverse: null} | {kind: 'delete', forward: null, reverse: any}} Change
 */

/** Observes the fold of one or more events on a document, which it has to see from the beginning. */
export class Recorder {
  /** @param {Document} document */
  constructor(document) {
    this._document = document
    this._didExist = document.exists
    /**
     * The places in which something changed, and what they showed; undefined for nothing.
     * @type {Map<Obj, Map<any, any>>}
     */
    this._places = new Map()
    /** What texts, counters and sets held. @type {Map<Obj, any>} */
    this._contents = new Map()
    /** @type {Map<Obj, Journal>} */
    this._journals = new Map()
    /** What changed, and all that is around it. @type {Set<Obj>} */
    this._touched = new Set()
    /** Operations, each with its inverse. @type {[Operation, Operation][]} */
    this._steps = []
  }

  // What the fold tells

  /**
   * A text, counter or set is about to change.
   * @param {Obj} target
   */
  before(target) {
    if (this._contents.has(target)) return
    this._touch(target)
    this._contents.set(target, target instanceof SetObject ? new Map(target.members) : this._content(target))
  }

  /**
   * A key's slot has changed.
   * @param {MapObject} target
   * @param {string} key
   * @param {Slot} before
   */
  slot(target, key, before) {
    this._note(target, key, this._value(target, before))
  }

  /**
   * An element has changed; `before` is the index and the value it had, null if it was not there.
   * @param {List} target
   * @param {Element} element
   * @param {[number, any] | null} before
   */
  element(target, element, before) {
    const [at, was] = before ?? [NOWHERE, undefined]
    const [now] = target.index(element) ?? [NOWHERE]
    this._note(target, element, was)
    if (at === now) return
    const journal = this._journals.get(target) ?? new Journal(target)
    this._journals.set(target, journal)
    journal.add({ element, at, now })
  }

  /** @param {Obj} target @param {any} place @param {any} was */
  _note(target, place, was) {
    this._touch(target)
    const places = this._placesOf(target)
    if (!places.has(place) || places.get(place) === SAME) places.set(place, was)
  }

  /** @param {Obj} target */
  _touch(target) {
    while (!this._touched.has(target)) {
      this._touched.add(target)
      if (!target.birth) return
      const { parent, place } = target.birth
      target = /** @type {any} */ (parent)
      const places = this._placesOf(target)
      if (!places.has(place)) places.set(place, SAME)
    }
  }

  /** @param {Obj} target */
  _placesOf(target) {
    let places = this._places.get(target)
    if (!places) this._places.set(target, (places = new Map()))
    return places
  }

  // What was, and what is

  /** @param {any} target a map or a list @param {any} place */
  _was(target, place) {
    const places = this._placesOf(target)
    return places.has(place) && places.get(place) !== SAME ? places.get(place) : this._is(target, place)
  }

  /** @param {any} target a map or a list @param {any} place */
  _is(target, place) {
    return this._value(target, target instanceof List ? place.puts : target.slots.get(place))
  }

  /** @param {Obj} target @param {Slot | undefined} slot */
  _value(target, slot) {
    if (slot?.length) return winner(slot).value
    return target === this._document.top ? this._document.top.root : undefined
  }

  /** @param {Obj} target */
  _content(target) {
    return this._document.show(target, { marked: false })
  }

  /**
   * A value as it would have been on the wire.
   * @param {any} value
   * @returns {any}
   */
  _showBefore(value) {
    if (!this._touched.has(value)) return this._document.show(value)
    if (value instanceof MapObject) {
      const keys = new Set([...value.slots.keys(), ...this._placesOf(value).keys()])
      const was = [...keys].map((key) => /** @type {[string, any]} */ ([key, this._was(value, key)]))
      const shown = was.filter(([, each]) => each !== undefined)
      return markMap(Object.fromEntries(shown.map(([key, each]) => [key, this._showBefore(each)])))
    }
    if (value instanceof List) {
      const elements = this._journals.get(value)?.before() ?? value.visible()
      return elements.map((element) => this._showBefore(this._was(value, element)))
    }
    const content = this._contents.get(value)
    const held = value instanceof SetObject ? inOrder(content).map((key) => content.get(key)[0].value) : content
    return { ['$' + value.kind]: held }
  }

  // What is different

  /**
   * What became of the document since this recorder was made; null if it shows what it showed.
   * @returns {Change | null}
   */
  change() {
    const document = this._document
    const was = this._was(document.top, '')
    if (!this._didExist) return document.exists ? { kind: 'create', forward: document.value(), reverse: null } : null
    if (!document.exists) return { kind: 'delete', forward: null, reverse: this._showBefore(was) }
    this._steps = []
    this._compare(was, this._is(document.top, ''), '')
    if (!this._steps.length) return null
    const forward = this._steps.map(([step]) => step)
    return { kind: 'update', forward, reverse: this._steps.map(([, inverse]) => inverse).reverse() }
  }

  /** @param {any} was @param {any} now @param {string} path */
  _compare(was, now, path) {
    if (was === undefined && now === undefined) return
    if (was === undefined) this._add(path, this._document.show(now))
    else if (now === undefined) this._remove(path, this._showBefore(was))
    else if (was === now && now instanceof Obj) this._compareInside(now, path)
    else this._replace(path, this._showBefore(was), this._document.show(now))
  }

  /** @param {string} path @param {any} value */
  _add(path, value) {
    this._steps.push([{ op: 'add', path, value }, { op: 'remove', path }])
  }

  /** @param {string} path @param {any} value */
  _remove(path, value) {
    this._steps.push([{ op: 'remove', path }, { op: 'add', path, value }])
  }

  /** @param {string} path @param {any} was @param {any} now */
  _replace(path, was, now) {
    if (equal(was, now)) return
    this._steps.push([{ op: 'replace', path, value: now }, { op: 'replace', path, value: was }])
  }

  /**
   * Says what changed in an object; replaces it as a whole if that were not a patch that `apply` takes.
   * @param {any} target
   * @param {string} path
   */
  _compareInside(target, path) {
    if (!this._touched.has(target)) return
    const start = this._steps.length
    const isTold =
      target instanceof MapObject
        ? this._compareKeys(target, path)
        : target instanceof List
          ? this._compareElements(target, path)
          : this._compareContent(target, `${path}/$${target.kind}`)
    const told = this._steps.slice(start)
    if (isTold && [0, 1].every((side) => isFit(told.map((step) => step[side])))) return
    this._steps.length = start
    this._replace(path, this._showBefore(target), this._document.show(target))
  }

  /**
   * False if the map's own mark came or went, which changes the path to all that is inside.
   * @param {MapObject} target
   * @param {string} path
   */
  _compareKeys(target, path) {
    const places = this._placesOf(target)
    let { marks } = target
    for (const [key, was] of places) {
      if (key[0] === '$' && was !== SAME) marks += Number(was !== undefined) - Number(target.slots.has(key))
    }
    if (!marks !== !target.marks) return false
    const inside = marks ? path + '/$map' : path
    for (const key of places.keys()) {
      this._compare(this._was(target, key), this._is(target, key), `${inside}/${escape(key)}`)
    }
    return true
  }

  /**
   * False if too much came, went and moved to be told one by one.
   * @param {List} target
   * @param {string} path
   */
  _compareElements(target, path) {
    const journal = this._journals.get(target)
    if (journal?.was) return false
    for (const { element, at, now } of journal?.steps ?? []) {
      const [source, place] = [`${path}/${at}`, `${path}/${now}`]
      if (at === NOWHERE) this._add(place, this._document.show(this._is(target, element)))
      else if (now === NOWHERE) this._remove(source, this._showBefore(this._was(target, element)))
      else this._steps.push([{ op: 'move', from: source, path: place }, { op: 'move', from: place, path: source }])
    }
    for (const element of this._placesOf(target).keys()) {
      const [was, now] = [this._was(target, element), this._is(target, element)]
      if (was === undefined || now === undefined) continue
      this._compare(was, now, `${path}/${target.sequence.position(element.at)}`)
    }
    return true
  }

  /**
   * False if more members came and went than a patch tells.
   * @param {any} target a text, a counter or a set
   * @param {string} path
   */
  _compareContent(target, path) {
    const was = this._contents.get(target)
    if (target instanceof SetObject) return this._compareMembers(target.members, was, path)
    this._replace(path, was, this._content(target))
    return true
  }

  /** @param {Map<string, Slot>} members @param {Map<string, Slot>} was @param {string} path */
  _compareMembers(members, was, path) {
    const gone = inOrder(was).filter((key) => !members.has(key))
    const come = inOrder(members).filter((key) => !was.has(key))
    if (gone.length + come.length > MAX_PATCH_OPERATIONS) return false
    const keys = inOrder(was)
    for (const key of gone) {
      const index = keys.indexOf(key)
      keys.splice(index, 1)
      this._remove(`${path}/${index}`, /** @type {Slot} */ (was.get(key))[0].value)
    }
    for (const key of come) {
      const next = keys.findIndex((other) => byBytes(other, key) > 0)
      const index = next < 0 ? keys.length : next
      keys.splice(index, 0, key)
      this._add(`${path}/${index}`, /** @type {Slot} */ (members.get(key))[0].value)
    }
    return true
  }
}

/** @param {Map<string, Slot>} members */
const inOrder = (members) => [...members.keys()].sort(byBytes)
