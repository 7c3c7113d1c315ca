/**
 * Writing a snapshot: what of a document is kept, in which order. The form is described in `snapshots`.
 *
 * @typedef {import('./document.js').Document} Document
 * @typedef {import('./objects.js').Slot} Slot
 * @typedef {import('./sequence.js').Sequence} Sequence
 */

import { encode } from '../canonical.js'
import { VERSION, writeIds, writeRuns } from './columns.js'
import * as names from './names.js'
import { CounterObject, Element, EMPTY, List, MapObject, Ref, SetObject, Standing, TextObject } from './objects.js'
import { numberOf } from './places.js'
import { GONE, ORIGINAL, standingIn } from './runs.js'
import { inOrder } from './values.js'

/** Writes one document, twice: which ids are named, and so their numbers, is known from the first time. */
export class Writer {
  /** @param {Document} document */
  constructor(document) {
    const kept = [...document.objects.values()].filter(isKept)
    this._document = document
    this._made = kept.filter(isByEvent).sort(byName)
    /** @type {[string, any][]} */
    this._placed = kept.filter((each) => !isByEvent(each)).map((each) => [each.name, each])
    /** @type {Map<string, number>} */
    this._rows = new Map(this._made.map((each, row) => [each.name, row]))
    /** What is written for the number of an event: at first 0 if anything names it. @type {number[]} */
    this._ranks = Array(document.events.size)
    /** The same for events that made no place. @type {Map<string, number>} */
    this._others = new Map()
    this._isNumbered = false
  }

  /** The canonical text. */
  write() {
    const { clock, isMade } = this._document
    this._rest()
    const ids = this._numbered()
    const rest = encode(this._rest()).slice(1, -1)
    const head = encode([VERSION, table(clock), isMade]).slice(0, -1)
    return `${head},${JSON.stringify(writeIds(ids))},${rest},${JSON.stringify(this._texts)}]`
  }

  /** Gives the ids that are named their numbers; the ids. */
  _numbered() {
    const { events } = this._document
    /** @type {[string, number?][]} */
    const named = [...this._others.keys()].map((id) => [id])
    this._ranks.forEach((_, number) => named.push([events.id(number), number]))
    named.sort((one, other) => (one[0] < other[0] ? -1 : 1))
    named.forEach(([id, number], rank) => {
      if (number === undefined) this._others.set(id, rank)
      else this._ranks[number] = rank
    })
    this._isNumbered = true
    return named.map(([id]) => id)
  }

  /** What stands between the ids and the texts. */
  _rest() {
    const { deletes, overruled, top } = this._document
    /** @type {any[]} */
    this._texts = []
    return [
      [...deletes].sort(names.compare).map((name) => this._name(name)),
      [...overruled].sort().map((id) => this._number(id)),
      this._slot(top.slots.get('') ?? EMPTY, ''),
      this._made.map((each) => this._row(each)),
      table(this._placed, (each) => this._content(each)),
    ]
  }

  /** @param {string} id */
  _number(id) {
    const number = this._document.events.find(id)
    if (number !== undefined) return (this._ranks[number] ??= 0)
    if (!this._others.has(id)) this._others.set(id, 0)
    return this._others.get(id)
  }

  /** @param {string} name */
  _name(name) {
    return [/** @type {number} */ (this._number(names.eventOf(name))), names.kOf(name)]
  }

  /** @param {any} target */
  _row(target) {
    const { parent, place } = target.birth
    const above = parent === this._document.top ? null : (this._rows.get(parent.name) ?? parent.name)
    const where = place instanceof Element ? this._name(this._document.nameOf(place.place)) : place
    return [...this._name(target.name), target.kind, above, where, this._content(target)]
  }

  /** @param {any} target */
  _content(target) {
    const { name } = target
    if (target instanceof MapObject) return table(target.slots, (slot) => this._slot(slot, name))
    if (target instanceof List) return this._list(target)
    if (target instanceof TextObject) return this._text(target)
    if (target instanceof SetObject) {
      return table(target.members, (slot) => this._slot(slot, name).map((put) => put.slice(1)))
    }
    const plain = Number(target.plain)
    const once = table(target.once, (each) => [...this._name(each.name), each.by])
    return [Number.isSafeInteger(plain) ? plain : String(target.plain), once]
  }

  /**
   * @param {Slot} slot
   * @param {string} own the name of what holds the slot
   */
  _slot(slot, own) {
    return [...slot].sort(byName).map((put) => this._put(put, own))
  }

  /**
   * @param {Standing} put
   * @param {string} own
   * @returns {any[]}
   */
  _put({ name, origin, value }, own) {
    const written = value instanceof Ref ? [this._rows.get(value.name) ?? value.name] : value
    if (origin !== name) return [written, ...this._name(name), ...this._name(origin)]
    return name === own ? [written] : [written, ...this._name(name)]
  }

  /**
   * The longest runs, once the numbers of their ids are known.
   * @param {Sequence} sequence
   */
  _runs(sequence) {
    if (this._isNumbered) return [...sequence.runs(this._ranks)]
    for (const { first, stride, count, state } of sequence.lines()) {
      for (let at = 0; at < count; at += stride > 1 ? 1 : count) this._ranks[numberOf(first) + at] ??= 0
      if (state !== ORIGINAL) for (const name of standingIn(state)) if (name) this._name(name)
    }
    return []
  }

  /** @param {TextObject} target */
  _text(target) {
    const states = [ORIGINAL, GONE]
    const runs = this._runs(target.sequence)
    const columns = writeRuns(runs, states)
    /** @param {string} state */
    const named = (state) => standingIn(state).sort(names.compare).map((name) => (name ? this._name(name) : []))
    return this._texts.push([columns, runs.map((run) => run.content).join(''), states.slice(2).map(named)]) - 1
  }

  /** @param {List} target */
  _list(target) {
    const places = [...target.sequence]
    const indexes = new Map(places.map(([place], index) => [place, index]))
    const entries = places.map(([place, element]) =>
      element.place === place ? this._element(element, indexes) : indexes.get(element.place),
    )
    return [writeRuns(this._runs(target.sequence), [ORIGINAL, GONE]), entries]
  }

  /**
   * @param {Element} element
   * @param {Map<number, number>} indexes
   */
  _element({ place, puts, homes }, indexes) {
    const own = this._document.nameOf(place)
    const written = this._slot(puts, own)
    if (homes.length === 1 && homes[0].name === own) return [written]
    const stood = homes.map(({ name, origin, value }) => new Standing(name, origin, indexes.get(value)))
    return [written, this._slot(stood, own)]
  }
}

/**
 * @param {{name: string}} one
 * @param {{name: string}} other
 */
const byName = (one, other) => names.compare(one.name, other.name)

/**
 * An object of a map's members, in canonical order.
 * @template T
 * @param {Iterable<[string, T]>} members
 * @param {(member: T) => any} write
 */
const table = (members, write = (member) => member) =>
  Object.fromEntries(inOrder(members).map(([key, member]) => [key, write(member)]))

/**
 * Whether an object has to be remembered: one that is named by its place and holds nothing may be made anew.
 * @param {any} target
 */
export const isKept = (target) => isByEvent(target) || holdsAnything(target)

/**
 * Whether an object was made by an event, rather than named by its place.
 * @param {any} target
 */
const isByEvent = ({ name }) => names.maker(name) !== null && !name.includes('/')

/** @param {any} target */
function holdsAnything(target) {
  if (target instanceof List || target instanceof TextObject) return !target.sequence.isEmpty
  if (target instanceof CounterObject) return target.plain !== 0n || target.once.size > 0
  return (target.slots ?? target.members).size > 0
}
