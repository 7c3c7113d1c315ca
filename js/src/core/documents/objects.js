/**
 * What a document is made of: objects, and slots that hold the puts no op has named.
 *
 * A slot is an array of standing puts, replaced and never changed. The greatest origin wins and shows; the others are
 * the slot's conflicts. An element of a list has two slots: what it is, and where it stands; so concurrent moves
 * neither double nor lose it. A slot's value that is an object is that object.
 *
 * @typedef {readonly Standing[]} Slot
 * @typedef {import('./places.js').Events} Events
 * @typedef {import('./runs.js').Run} Run
 * @typedef {{parent: Ref & Record<string, any>, place: any}} Birth
 */

import { compare, COUNTER, LIST, MAP, SET, TEXT } from './names.js'
import { GONE, ORIGINAL } from './runs.js'
import { Sequence } from './sequence.js'
import { sortedByBytes } from './values.js'

/** @type {Slot} */
export const EMPTY = []

/** An object as a value: its full name. */
export class Ref {
  /** @param {string} name */
  constructor(name) {
    this.name = name
  }
}

/** A put that no op has named: its name, its origin (what it ranks by), and what it put. */
export class Standing {
  /**
   * @param {string} name
   * @param {string} origin
   * @param {any} value
   */
  constructor(name, origin, value) {
    this.name = name
    this.origin = origin
    this.value = value
  }
}

/**
 * Compares puts: the one that shows comes first.
 * @param {Standing} one
 * @param {Standing} other
 */
const byRank = (one, other) => compare(other.origin, one.origin) || compare(other.name, one.name)

/**
 * The puts of a slot, the one that shows first.
 * @param {Slot} slot
 */
export const inOrderOfRank = (slot) => [...slot].sort(byRank)

/**
 * The put of a slot that shows; the slot must not be empty.
 * @param {Slot} slot
 */
export const winner = (slot) => (slot.length === 1 ? slot[0] : inOrderOfRank(slot)[0])

/**
 * Whether two values of slots are the same, of one document or of two.
 * @param {any} one
 * @param {any} other
 */
export const isSame = (one, other) =>
  one === other || (one instanceof Ref && other instanceof Ref && one.name === other.name)

/**
 * Whether a slot shows after a change what it showed before.
 * @param {Slot} before
 * @param {Slot} after
 */
export const showsSame = (before, after) =>
  before.length && after.length ? isSame(winner(before).value, winner(after).value) : before.length === after.length

/**
 * A slot after an op that names these puts; the slot itself if none of them stands in it.
 * @param {Slot} slot
 * @param {readonly string[]} over
 */
export const without = (slot, over) =>
  slot.some((put) => over.includes(put.name)) ? slot.filter((put) => !over.includes(put.name)) : slot

/** An object's name, its kind, and the slot of its birth (null: the document's top), the only place where it shows. */
export class Obj extends Ref {
  /**
   * @param {string} name
   * @param {Birth | null} birth
   * @param {Events} _events
   */
  constructor(name, birth, _events) {
    super(name)
    this.birth = birth
    this.kind = ''
    /** @type {number} */
    this.depth = birth ? birth.parent.depth + 1 : 0
  }
}

/** A map: a slot for each key. Slots are written by `set`. */
export class MapObject extends Obj {
  /** @type {Map<string, Slot>} */
  slots = new Map()
  /** How many keys begin with `$`: if any, it travels as `{"$map": …}`. */
  marks = 0

  /**
   * Gives a key its slot; an empty one is no slot.
   * @param {string} key
   * @param {Slot} slot
   */
  set(key, slot) {
    if (key[0] === '$') this.marks += +(slot.length > 0) - +this.slots.has(key)
    if (slot.length) this.slots.set(key, slot)
    else this.slots.delete(key)
  }

  /**
   * What shows under a key; null for nothing (and for null).
   * @param {string} key
   */
  shows(key) {
    const slot = this.slots.get(key)
    return slot ? winner(slot).value : null
  }
}

/** The slot of the document itself, which shows the root map unless something was put there. */
export class Top extends MapObject {
  /** @type {any} */
  root = null

  /** @param {string} key */
  shows(key) {
    return this.slots.size ? super.shows(key) : this.root
  }
}

/** An element of a list: its place, where it is now, what it is, and where it stands (homes: values are places). */
export class Element {
  /**
   * @param {number} place
   * @param {string} name
   */
  constructor(place, name) {
    this.place = place
    this.at = place
    /** @type {Slot} */
    this.puts = EMPTY
    /** @type {Slot} */
    this.homes = [new Standing(name, name, place)]
  }

  /** What shows; only for elements that are there. */
  get value() {
    return winner(this.puts).value
  }
}

/** A list: elements in a sequence of places, each of which shows its element if that stands there. */
export class List extends Obj {
  /**
   * @param {string} name
   * @param {Birth | null} birth
   * @param {Events} events
   */
  constructor(name, birth, events) {
    super(name, birth, events)
    /** Its elements are `Element`s. */
    this.sequence = new Sequence(events, [])
    /** By the place of their insertion. @type {Map<number, Element>} */
    this.elements = new Map()
  }

  /** @param {Element} element */
  shows(element) {
    return element.puts.length ? element.value : null
  }

  /** The elements that are there, in order. @returns {Element[]} */
  visible() {
    return this.sequence.visible()
  }

  /**
   * Where an element is and what it shows; null if it is not there.
   * @param {Element} element
   * @returns {[number, any] | null}
   */
  index(element) {
    return element.puts.length ? [this.sequence.position(element.at), element.value] : null
  }

  /**
   * Gives an element its slots, and shows it where it stands now.
   * @param {Element} element
   * @param {Slot} homes
   * @param {Slot} puts
   */
  set(element, homes, puts) {
    const home = homes.length ? winner(homes).value : element.at
    if (element.at !== home || !puts.length !== !element.puts.length) {
      this.sequence.change(element.at, 1, () => GONE)
      if (puts.length) this.sequence.change(home, 1, () => ORIGINAL)
    }
    element.at = home
    element.homes = homes
    element.puts = puts
  }
}

const nothing = () => []

/** A text: its characters in a sequence, which is built of a snapshot's runs when it is looked at. */
export class TextObject extends Obj {
  /**
   * @param {string} name
   * @param {Birth | null} birth
   * @param {Events} events
   */
  constructor(name, birth, events) {
    super(name, birth, events)
    this._events = events
    /** @type {Sequence | null} */
    this._sequence = null
    /** @type {() => Iterable<Run>} */
    this._runs = nothing
  }

  /** The characters, deleted ones included. */
  get sequence() {
    if (!this._sequence) {
      this._sequence = Sequence.of(this._events, '', this._runs())
      this._runs = nothing
    }
    return this._sequence
  }

  /**
   * The runs of which the text is made, asked for when somebody looks at it.
   * @param {() => Iterable<Run>} runs
   */
  layOut(runs) {
    this._runs = runs
  }
}

/** A counter: the exact sum of what was added; of additions with equal `once` the least name counts. */
export class CounterObject extends Obj {
  plain = 0n
  /** @type {Map<string, {name: string, by: number}>} */
  once = new Map()

  /** The exact sum, however large. */
  get total() {
    let total = this.plain
    for (const { by } of this.once.values()) total += BigInt(by)
    return total
  }

  /** The sum within ±(2^53−1). */
  get shown() {
    return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(this.total)))
  }
}

/** A set: for each member, by its canonical form, the adds that stand (whose values are the member). */
export class SetObject extends Obj {
  /** @type {Map<string, Slot>} */
  members = new Map()

  /** The members in the order of their canonical bytes. */
  show() {
    return sortedByBytes(this.members).map((slot) => slot[0].value)
  }
}

/** @type {Map<string, typeof Obj>} */
export const CLASSES = new Map(/** @type {any} */ ([
  [MAP, MapObject], [LIST, List], [TEXT, TextObject], [COUNTER, CounterObject], [SET, SetObject],
]))
