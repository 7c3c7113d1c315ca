/**
 * Values as they travel: JSON in which mergeable kinds are marked by one key that begins with `$`.
 *
 * A text is `{"$text": "…"}`, a counter `{"$counter": 0}`, a set `{"$set": […]}`, and a plain map one of whose keys
 * begins with `$` is `{"$map": {…}}`. Programs write `Text`, `Counter` and `ORSet` instead.
 */

import { encode } from '../canonical.js'
import { fail } from '../../errors.js'
import { MAX_KEY_LENGTH } from '../limits.js'
import { isContainer } from '../json.js'
import { COUNTER, LIST, MAP, SET, TEXT } from './names.js'
import { sizeOf } from './runs.js'

/** A text that several people may edit at once. */
export class Text {
  /** @param {string} text */
  constructor(text = '') {
    this.text = text
  }

  toString() {
    return this.text
  }
}

/** A number that several people may add to at once: a whole number within ±(2^53−1). */
export class Counter {
  /** @param {number} value */
  constructor(value = 0) {
    this.value = value
  }

  valueOf() {
    return this.value
  }
}

/** A set of plain JSON values that several people may add to and take from at once (observed-remove set). */
export class ORSet {
  /** @param {Iterable<any>} members */
  constructor(members = []) {
    this._members = new Map([...members].map((member) => [encode(member), member]))
  }

  get size() {
    return this._members.size
  }

  /** @param {any} member */
  has(member) {
    return this._members.has(encode(member))
  }

  /** The members, in the order of their canonical bytes. */
  [Symbol.iterator]() {
    return sortedByBytes(this._members)[Symbol.iterator]()
  }
}

/**
 * Compares strings by their UTF-8 bytes, which is the order of code points.
 * @param {string} one
 * @param {string} other
 */
export function byBytes(one, other) {
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  return (one.codePointAt(at) ?? -1) - (other.codePointAt(at) ?? -1)
}

/**
 * The values of a map in the order of its keys' UTF-8 bytes.
 * @template T
 * @param {Map<string, T>} members
 */
export const sortedByBytes = (members) =>
  [...members].sort((one, other) => byBytes(one[0], other[0])).map(([, value]) => value)

/**
 * A program's value as it travels. Fails with invalid_event for undefined, and for an object of another class, such as a
 * `Date` or a `Text` of the page; what else is no JSON is refused later, when the event is encoded.
 * @param {any} value
 * @returns {any}
 */
export function toWire(value) {
  if (value === undefined) fail('invalid_event', 'undefined is no JSON value.')
  if (!isContainer(value)) return value
  if (value instanceof Text) return { $text: value.text }
  if (value instanceof Counter) return { $counter: value.value }
  if (value instanceof ORSet || value instanceof Set) return { $set: [...new ORSet(value)] }
  if (Array.isArray(value)) return value.map(toWire)
  const prototype = Object.getPrototypeOf(value)
  if (prototype && Object.getPrototypeOf(prototype)) fail('invalid_event', `${value.constructor.name} is no JSON value.`)
  return markMap(mapped(value, toWire))
}

/**
 * What travels as a program's value, with `Text`, `Counter` and `ORSet`. Raises bad_op.
 * @param {any} value
 * @returns {any}
 */
export function fromWire(value) {
  const [kind, content] = openValue(value)
  if (kind === MAP) return mapped(content, fromWire)
  if (kind === LIST) return content.map(fromWire)
  if (kind === TEXT) return new Text(content)
  return kind === COUNTER ? new Counter(content) : kind ? new ORSet(content) : content
}

/**
 * What travels as JSON without marks: a text is a string, a counter a number, a set a list. Raises bad_op.
 * @param {any} value
 * @returns {any}
 */
export function toPlain(value) {
  const [kind, content] = openValue(value)
  return kind === MAP ? mapped(content, toPlain) : kind === LIST ? content.map(toPlain) : content
}

/**
 * An object with each member changed; `__proto__` is a key like any other.
 * @param {Record<string, any>} members
 * @param {(member: any) => any} change
 */
const mapped = (members, change) =>
  Object.fromEntries(Object.entries(members).map(([key, member]) => [key, change(member)]))

/**
 * A map as it travels.
 * @param {Record<string, any>} members
 * @returns {any}
 */
export const markMap = (members) => (Object.keys(members).some(isMark) ? { $map: members } : members)

/** @param {string} key */
const isMark = (key) => key[0] === '$'

const SCALAR = 0
const MARKS = new Map([['$map', MAP], ['$text', TEXT], ['$counter', COUNTER], ['$set', SET]])

/**
 * The kind of a value that travels (0: a scalar), and what is inside its mark. Raises bad_op.
 * @param {any} value
 * @returns {[any, any]}
 */
export function openValue(value) {
  if (!isContainer(value)) return [SCALAR, value]
  if (Array.isArray(value)) return [LIST, value]
  const keys = Object.keys(value)
  const mark = keys.find(isMark)
  if (mark === undefined) return [MAP, value]
  const kind = MARKS.get(mark)
  const content = value[mark]
  if (!kind || keys.length > 1 || !fits(kind, content)) fail('bad_op', `${mark.slice(0, 40)} is no such mark.`)
  return [kind, content]
}

/**
 * @param {string} kind
 * @param {any} content
 */
function fits(kind, content) {
  if (kind === TEXT) return typeof content === 'string'
  if (kind === COUNTER) return Number.isSafeInteger(content)
  return isContainer(content) && Array.isArray(content) === (kind === SET)
}

/**
 * How many names a value takes, one for each object and each element in it, and how many objects nest in it. Raises
 * bad_op unless every key and every mark inside is well formed.
 * @param {any} value
 * @returns {[names: number, depth: number]}
 */
export function measure(value) {
  if (!isContainer(value)) return [0, 0]
  const [kind, content] = openValue(value)
  const members = kind === MAP ? Object.values(content) : kind === LIST ? content : []
  let names = 1 + (kind === TEXT ? sizeOf(content) : kind === LIST ? content.length : 0)
  let depth = 0
  if (kind === MAP) Object.keys(content).every(isKey) || fail('bad_op', 'A key is too long.')
  for (const member of members) {
    const [more, below] = measure(member)
    names += more
    depth = Math.max(depth, below)
  }
  return [names, depth + 1]
}

export const check = measure

/** @param {any} value */
export const namesIn = (value) => measure(value)[0]

/** @param {any} value */
export const depthOf = (value) => measure(value)[1]

/** @param {string} key */
export const isKey = (key) => key.length <= MAX_KEY_LENGTH || sizeOf(key) <= MAX_KEY_LENGTH

/**
 * The members of a map in canonical order: by the UTF-16 form of their keys (RFC 8785).
 * @template T
 * @param {Iterable<[string, T]>} members
 */
export const inOrder = (members) => [...members].sort((one, other) => (one[0] < other[0] ? -1 : 1))
