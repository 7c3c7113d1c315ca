/**
 * What an event made, and which slots its ops write: known from the event alone, without folding anything.
 *
 * The walk is the fold's: k counts one for each op, element and nested object, depth first, keys in canonical order.
 * What became of all this in a document is left to the fold. For who judges the events of others.
 *
 * @typedef {import('./ops.js').Op} Op
 *
 * Elements: for each event the k from which and below which there are some, ascending and apart.
 * @typedef {Map<string, [number, number][]>} Reach
 *
 * What an op writes, with full names; null if it only makes elements, or adds to a counter.
 * @typedef {{sort: 'key' | 'member', inside: string, key: string} | {sort: 'top' | 'document'}
 *   | {sort: 'elements', reach: Reach} | {sort: 'place', element: string}} Slot
 *
 * An op, its object, the slot it writes, and what it put there: a scalar, a `Ref`, or undefined for nothing.
 * @typedef {{op: Op, inside: string, slot: Slot | null, value: any}} Step
 *
 * An object inside a value, and what its slots held at first: by key, or by a member's canonical form.
 * @typedef {{name: string, kind: string, slots: Map<string, any>}} Nested
 *
 * An element of a list or a character of a text, and what was inserted there.
 * @typedef {{element: string, inside: string, value: any}} Inserted
 *
 * Elements of one object whose names follow on one another, from k `first` on; of a text, its characters.
 * @typedef {{first: number, inside: string, content: any[]}} Run
 */

import { encode } from '../canonical.js'
import { child, full, LIST, make, MAP, root, SET, stretchOf, TEXT } from './names.js'
import { Ref } from './objects.js'
import { changesOf } from './ops.js'
import { inOrder, openValue } from './values.js'

/** Everything one event made, by k. */
export class Made {
  /**
   * @param {string} event
   * @param {Op[]} ops
   */
  constructor(event, ops) {
    this.event = event
    this._k = 0
    /** @type {Map<number, Step | Nested>} */
    this._things = new Map()
    /** @type {Run[]} */
    this._runs = []
    for (const op of ops) this._step(op)
    this._runs.sort((one, other) => one.first - other.first)
  }

  /**
   * What the event made at k; undefined if it made nothing there.
   * @param {number} k
   * @returns {Step | Nested | Inserted | undefined}
   */
  at(k) {
    const thing = this._things.get(k)
    const run = thing ? undefined : this.run(k)
    return run ? { element: make(this.event, k), inside: run.inside, value: run.content[k - run.first] } : thing
  }

  /**
   * The elements around the one at k; undefined if there is no element.
   * @param {number} k
   */
  run(k) {
    let low = 0
    for (let high = this._runs.length; low < high; ) {
      const middle = (low + high) >> 1
      if (this._runs[middle].first <= k) low = middle + 1
      else high = middle
    }
    const run = this._runs[low - 1]
    return run && k < run.first + run.content.length ? run : undefined
  }

  /** @param {Op} op */
  _step(op) {
    const k = this._k++
    const inside = full(op.in ?? '', this.event)
    this._things.set(k, { op, inside, slot: slotOf(op, this.event), value: this._put(op, inside) })
  }

  /** @param {Op} op @param {string} inside */
  _put(op, inside) {
    if (op.op === 'insert') this._insert(inside, op.text === undefined ? op.values : [...op.text])
    const kind = String(op.kind)
    if (op.op === 'ensure') return new Ref(op.key === undefined ? root(kind) : child(inside, op.key, kind))
    if (op.op !== 'put') return undefined
    return op.object === undefined ? this._held(op.value) : new Ref(full(op.object, this.event))
  }

  /**
   * A value as a slot holds it; the objects in it are made.
   * @param {any} value
   * @returns {any}
   */
  _held(value) {
    if (typeof value !== 'object' || value === null) return value
    const [kind, content] = openValue(value)
    const k = this._k++
    const name = make(this.event, k)
    const slots = new Map()
    if (kind === MAP) for (const [key, member] of inOrder(Object.entries(content))) slots.set(key, this._held(member))
    else if (kind === SET) for (const member of content) slots.set(encode(member), member)
    else if (kind === LIST || kind === TEXT) this._insert(name, [...content])
    this._things.set(k, { name, kind, slots })
    return new Ref(name)
  }

  /** @param {string} inside @param {any} content */
  _insert(inside, content) {
    /** @type {Run} */
    let run = { first: this._k, inside, content: [] }
    for (const value of content) {
      const isNext = this._k === run.first + run.content.length // or else an object has taken the names between
      if (!isNext) run = { first: this._k, inside, content: [] }
      if (!run.content.length) this._runs.push(run)
      this._k++
      run.content.push(this._held(value))
    }
  }
}

/**
 * What an event made; null if it has ops that do not read, which nobody here has admitted.
 * @param {import('../events.js').Event} event
 */
export function madeBy(event) {
  let made = known.get(event)
  if (made === undefined) {
    const ops = changesOf(event)
    made = ops.includes(null) ? null : new Made(event.id, /** @type {Op[]} */ (ops))
    known.set(event, made)
  }
  return made
}

/** @type {WeakMap<object, Made | null>} */
const known = new WeakMap()

// Slots

/**
 * The slot an op of an event writes.
 * @param {Op} op
 * @param {string} event
 * @returns {Slot | null}
 */
export function slotOf(op, event) {
  const inside = full(op.in ?? '', event)
  switch (op.op) {
    case 'insert':
    case 'inc':
      return null
    case 'delete':
    case 'restore':
      return { sort: 'document' }
    case 'move':
      return { sort: 'place', element: full(String(op.elem), event) }
    case 'add':
    case 'discard':
      return { sort: 'member', inside, key: op.value === undefined ? '' : encode(op.value) }
  }
  if (op.key !== undefined) return { sort: 'key', inside, key: op.key }
  const elems = op.elem === undefined ? op.elems : [op.elem]
  return elems ? { sort: 'elements', reach: reachOf(elems, event) } : { sort: 'top' }
}

/** @param {string[]} elems @param {string} event */
function reachOf(elems, event) {
  /** @type {Reach} */
  const reach = new Map()
  const stretches = elems.map((elem) => stretchOf(elem, event))
  for (const [maker, first, count] of stretches.sort((one, other) => one[1] - other[1])) {
    const spans = reach.get(maker) ?? []
    const last = spans[spans.length - 1]
    if (last && first <= last[1]) last[1] = Math.max(last[1], first + count)
    else spans.push([first, first + count])
    reach.set(maker, spans)
  }
  return reach
}

/**
 * Whether something that an event made put into a slot, or emptied it.
 * @param {Step | Nested | Inserted} thing
 * @param {Slot} slot
 */
export function writes(thing, slot) {
  if ('slots' in thing) return 'inside' in slot && slot.inside === thing.name && thing.slots.has(slot.key)
  if (slot.sort === 'elements') {
    if ('element' in thing) return meet(reachOf([thing.element], ''), slot.reach)
    return thing.slot?.sort === 'elements' && meet(thing.slot.reach, slot.reach)
  }
  if ('element' in thing) return slot.sort === 'place' && slot.element === thing.element
  return thing.slot !== null && isSameSlot(thing.slot, slot)
}

/** @param {any} one @param {any} other neither of them elements */
const isSameSlot = (one, other) =>
  one.sort === other.sort && one.inside === other.inside && one.key === other.key && one.element === other.element

/**
 * Whether two reaches have an element in common.
 * @param {Reach} one
 * @param {Reach} other
 */
const meet = (one, other) => [...one].some(([maker, spans]) => overlap(spans, other.get(maker) ?? []))

/**
 * @param {[number, number][]} one
 * @param {[number, number][]} other
 */
function overlap(one, other) {
  let at = 0
  for (const [first, stop] of one) {
    while (at < other.length && other[at][1] <= first) at++
    if (at < other.length && other[at][0] < stop) return true
  }
  return false
}

/**
 * What something that wrote a slot put there: a scalar, a `Ref`, or undefined for nothing.
 * @param {any} thing
 * @param {any} slot
 */
export const putBy = (thing, slot) => ('slots' in thing ? thing.slots.get(slot.key) : thing.value)
