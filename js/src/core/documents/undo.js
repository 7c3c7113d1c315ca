/**
 * Undo: the document as it would be without an event, and the ops that lead there.
 *
 * What is undone is folded again without it, and only the slots it touched are compared; so undo leaves alone what
 * others changed since, and works for every kind. The difference is written with `again`, which gives back a value with
 * its old rank, and with `once`, so that undoing on two devices undoes once. Redo undoes the undo.
 *
 * An event that is left out is still walked, because others may name its objects and elements. Whoever overwrote
 * one of its puts had seen what that put overwrote, and is taken to have overwritten that.
 *
 * @typedef {import('../events.js').Event} Event
 * @typedef {import('./document.js').Document} Document
 * @typedef {import('./edit.js').Editor} Editor
 * @typedef {import('./ops.js').Op} Op
 */

import { encode } from '../canonical.js'
import { count } from './assign.js'
import { compare, full, make, maker, stretchOf } from './names.js'
import { CounterObject, isSame, List, MapObject, Ref, SetObject, TextObject, winner } from './objects.js'
import { changesOf, size } from './ops.js'
import { EVENT, numberOf } from './places.js'
import { byBytes } from './values.js'

/**
 * `base` after the later events, as if some of them had no effect. What was overruled stays so.
 * `about`: the events whose slots matter, if not all do; objects they do not touch are left as they are.
 *
 * @param {Document} base
 * @param {Event[]} later
 * @param {Set<string>} leftOut
 * @param {Set<string>} overruled
 * @param {{about?: Event[]}} [options]
 */
export function foldWithout(base, later, leftOut, overruled, { about = [] } = {}) {
  const only = about.length ? touchedObjects(about, later) : null
  /** @type {Map<string, Set<string>>} */
  const hidden = new Map()
  for (const event of later) {
    base.clock.set(event.node, event.n)
    const ops = changesOf(event).map((op) => op && seenThrough(op, event.id, hidden))
    const isLeftOut = leftOut.has(event.id)
    if (isLeftOut) hide(event.id, ops, hidden)
    base.run(event.id, ops, { hasEffect: !isLeftOut && !overruled.has(event.id), only })
  }
  return base
}

/**
 * The objects in which events changed something, and those whose changes made these.
 * @param {Event[]} about
 * @param {Event[]} later
 */
function touchedObjects(about, later) {
  const events = new Map(later.map((event) => [event.id, event]))
  /** @type {Set<string>} */
  const found = new Set()
  const waiting = [...about]
  for (let event = waiting.pop(); event; event = waiting.pop()) {
    for (const op of changesOf(event)) {
      const name = full(op?.in ?? '', event.id)
      if (!op || found.has(name)) continue
      found.add(name)
      const before = events.get(maker(name) ?? '')
      if (before && before !== event) waiting.push(before)
    }
  }
  return found
}

/**
 * An op whose `over` names, instead of puts that are left out, what those had overwritten.
 * @param {Op} op
 * @param {string} event
 * @param {Map<string, Set<string>>} hidden
 */
function seenThrough(op, event, hidden) {
  const named = hidden.size && op.over ? op.over.map((name) => full(name, event)) : []
  if (!named.some((name) => hidden.has(name))) return op
  const over = new Set(named.flatMap((name) => [...(hidden.get(name) ?? [name])]))
  return { ...op, over: [...over].sort(compare) }
}

/**
 * Notes what each put of an event stands for while the event is left out: what it overwrote, or put back.
 * @param {string} event
 * @param {(Op | null)[]} ops
 * @param {Map<string, Set<string>>} hidden
 */
function hide(event, ops, hidden) {
  let k = 0
  for (const op of ops) {
    if (!op) continue
    const seen = new Set(op.over?.map((name) => full(name, event)))
    if (op.again) seen.add(full(op.again, event))
    for (const elem of (op.op === 'put' && op.elems) || []) {
      const [of, first, many] = stretchOf(elem, event)
      for (let at = first; at < first + many; at++) seen.add(make(of, at))
    }
    hidden.set(make(event, k), seen)
    k += size(op)
  }
}

/**
 * Writes, slot by slot, the ops that make a document show what another one shows.
 * Both know the same objects and elements, because one was folded from a part of the other's events.
 */
export class Difference {
  /**
   * @param {Editor} editor
   * @param {Document} target
   * @param {string | null} [once]
   */
  constructor(editor, target, once = null) {
    this._editor = editor
    this._now = editor.document
    this._target = target
    this._once = once
  }

  /**
   * The slots that some events touched.
   * @param {Iterable<Event>} events
   */
  touched(events) {
    if (this._now.exists && !this._target.isMade) return this._editor.deleteDocument()
    /** @type {Set<string>} */
    const counted = new Set()
    for (const event of events) {
      let k = 0
      for (const op of changesOf(event)) {
        if (!op) continue
        this._compare(op, event.id, k, counted)
        k += size(op)
      }
    }
  }

  /** Everything the target shows. */
  whole() {
    this._document()
    this._key(this._now.top, this._target.top, '')
    this._below(this._target.root)
  }

  /** @param {any} wanted a value of the target */
  _below(wanted) {
    if (!(wanted instanceof Ref)) return
    const now = this._now.find(wanted.name)
    if (wanted instanceof MapObject) {
      for (const key of union(now.slots, wanted.slots)) this._key(now, wanted, key)
      for (const slot of wanted.slots.values()) this._below(winner(slot).value)
    } else if (wanted instanceof List) {
      for (const place of [...now.elements.keys()]) this._element(now, wanted, place)
      for (const element of wanted.visible()) this._below(element.value)
    } else if (wanted instanceof TextObject) {
      this._text(now, wanted, Array.from(now.sequence, ([place]) => place))
    } else if (wanted instanceof SetObject) {
      for (const member of union(now.members, wanted.members)) this._member(now, wanted, member)
    } else this._counter(now, /** @type {any} */ (wanted))
  }

  /**
   * The slots an op touched.
   * @param {Op} op
   * @param {string} event
   * @param {number} k
   * @param {Set<string>} counted the counters that were compared: one is not compared twice
   */
  _compare(op, event, k, counted) {
    const name = full(op.in ?? '', event)
    const now = this._now.find(name)
    const wanted = this._target.find(name)
    const elems = op.op === 'insert' ? [`:${k + 1}+${size(op) - 1}`] : (op.elems ?? (op.elem && [op.elem]))
    if (op.op === 'delete' || op.op === 'restore') this._document()
    else if (op.op === 'add' || op.op === 'discard') {
      if (op.value !== undefined) this._member(now, wanted, encode(op.value)) // otherwise nothing knows what it was
    }
    else if (op.op === 'inc') {
      if (!counted.has(name)) this._counter(now, wanted)
      counted.add(name)
    } else if (elems) this._elements(now, wanted, this._places(elems, event))
    else if (op.key === undefined) this._key(this._now.top, this._target.top, '')
    else this._key(now, wanted, op.key)
  }

  /**
   * The places that stretches name.
   * @param {string[]} elems
   * @param {string} event
   */
  _places(elems, event) {
    return elems.flatMap((elem) => {
      const [of, first, many] = stretchOf(elem, event)
      const number = this._now.events.find(of)
      return number === undefined ? [] : Array.from({ length: many }, (_, at) => number * EVENT + first + at)
    })
  }

  /**
   * The same place in the target; -1 if it is not there.
   * @param {any} wanted a text or list
   * @param {number} place
   */
  _there(wanted, place) {
    const number = this._target.events.find(this._now.events.id(numberOf(place)))
    const there = number === undefined ? -1 : number * EVENT + (place % EVENT)
    return wanted?.sequence.holds(there) ? there : -1
  }

  _document() {
    const [now, wanted] = [this._now.deletes.size, this._target.deletes.size]
    if (now && !wanted) this._editor.restoreDocument()
    else if (wanted && !now) this._editor.deleteDocument()
  }

  /**
   * @param {any} now
   * @param {MapObject | undefined} wanted
   * @param {string} key
   */
  _key(now, wanted, key) {
    if (!(now instanceof MapObject)) return
    const before = now.slots.get(key)
    const after = wanted?.slots.get(key)
    if (after) {
      const shown = winner(after)
      if (!before || !isSame(winner(before).value, shown.value)) this._editor.putBack(now, key, shown)
    } else if (before) this._editor.delete(now, key)
  }

  /**
   * @param {any} now a text or list
   * @param {any} wanted
   * @param {number[]} places
   */
  _elements(now, wanted, places) {
    if (now instanceof TextObject) this._text(now, wanted, places)
    else if (now instanceof List) for (const place of places) this._element(now, wanted, place)
  }

  /**
   * @param {List} now
   * @param {List | undefined} wanted
   * @param {number} place
   */
  _element(now, wanted, place) {
    const element = now.elements.get(place)
    const target = wanted?.elements.get(this._there(wanted, place))
    if (!element) return
    if (!target?.puts.length) {
      if (element.puts.length) this._editor.removeElement(now, element)
      return
    }
    const shown = winner(target.puts)
    if (!element.puts.length || !isSame(element.value, shown.value)) this._editor.putBackAt(now, element, shown)
    const home = winner(target.homes)
    if (winner(element.homes).origin !== home.origin) this._editor.moveBack(now, element, home)
  }

  /**
   * @param {TextObject} now
   * @param {TextObject | undefined} wanted
   * @param {number[]} places
   */
  _text(now, wanted, places) {
    const held = places.filter((place) => now.sequence.holds(place))
    const isWanted = held.map((place) => {
      const there = this._there(wanted, place)
      return there >= 0 && /** @type {TextObject} */ (wanted).sequence.isVisible(there)
    })
    const changed = held.map((place, at) => isWanted[at] !== now.sequence.isVisible(place))
    this._editor.removeCharacters(now, held.filter((_, at) => changed[at] && !isWanted[at]))
    this._editor.putBackCharacters(now, held.filter((_, at) => changed[at] && isWanted[at]))
  }

  /**
   * @param {any} now
   * @param {CounterObject | undefined} wanted
   */
  _counter(now, wanted) {
    if (now instanceof CounterObject) count(this._editor, now, (wanted?.total ?? 0n) - now.total, this._once)
  }

  /**
   * @param {any} now
   * @param {SetObject | undefined} wanted
   * @param {string} member
   */
  _member(now, wanted, member) {
    if (!(now instanceof SetObject)) return
    const before = now.members.get(member)
    const after = wanted?.members.get(member)
    if (after && !before) this._editor.add(now, after[0].value)
    else if (before && !after) this._editor.discard(now, before[0].value)
  }
}

/**
 * The keys of either map, in the order of code points.
 * @param {Map<string, any>} one
 * @param {Map<string, any>} other
 */
const union = (one, other) => [...new Set([...one.keys(), ...other.keys()])].sort(byBytes)
