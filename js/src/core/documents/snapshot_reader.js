/**
 * Reading a snapshot that this replica or its server has written: it is not searched for contradictions. The form is
 * described in `snapshots`.
 *
 * @typedef {import('./objects.js').Slot} Slot
 */

import { Ids, readRuns } from './columns.js'
import { Document } from './document.js'
import * as names from './names.js'
import { CounterObject, Element, EMPTY, List, MapObject, Standing, TextObject, winner } from './objects.js'
import { Events } from './places.js'
import { GONE, ORIGINAL, Run, stateOf } from './runs.js'
import { Sequence } from './sequence.js'

/** Reads one document. */
export class Reader {
  /**
   * @param {string} item
   * @param {any[]} snapshot
   */
  constructor(item, snapshot) {
    this._snapshot = snapshot
    this._document = new Document(item, new Events(new Ids(snapshot[3])))
    /** @type {any[]} */
    this._made = []
  }

  read() {
    const document = this._document
    const [, clock, isMade, , deletes, overruled, top, made, placed] = this._snapshot
    document.clock = new Map(Object.entries(clock))
    document.isMade = isMade
    for (const [event, k] of deletes) document.deletes.add(this._name(event, k))
    for (const number of overruled) document.overruled.add(document.events.id(number))
    for (const row of made) this._make(row)
    if (top.length) document.top.set('', this._slot(top, ''))
    this._made.forEach((target, row) => this._fill(target, made[row][5]))
    for (const [name, content] of Object.entries(placed)) this._fill(document.find(name), content)
    for (const { birth } of this._made) this._join(birth)
    return document
  }

  /**
   * @param {number} event
   * @param {number} k
   */
  _name(event, k) {
    return names.make(this._document.events.id(event), k)
  }

  // Objects

  /** @param {any[]} row */
  _make([event, k, kind, above, where]) {
    const parent = above === null ? this._document.top : this._object(above)
    const place = Array.isArray(where) ? this._name(where[0], where[1]) : where
    this._made.push(this._document.make(kind, this._name(event, k), { parent, place }))
  }

  /** @param {number | string} which its row, or its name */
  _object(which) {
    return typeof which === 'number' ? this._made[which] : this._document.find(which)
  }

  /**
   * Ties an object in a list to its element.
   * @param {import('./objects.js').Birth} birth
   */
  _join(birth) {
    if (birth.parent instanceof List) birth.place = birth.parent.elements.get(this._document.place(birth.place) ?? -1)
  }

  // Contents

  /**
   * @param {any} target
   * @param {any} content
   */
  _fill(target, content) {
    if (target instanceof MapObject) {
      for (const [key, slot] of Object.entries(content)) target.set(key, this._slot(slot, target.name))
    } else if (target instanceof List) this._fillList(target, content)
    else if (target instanceof TextObject) target.layOut(() => this._runs(this._snapshot[9][content]))
    else if (target instanceof CounterObject) this._fillCounter(target, content)
    else {
      for (const [key, adds] of Object.entries(content)) {
        const value = JSON.parse(key)
        target.members.set(key, adds.map((/** @type {number[]} */ name) => this._standing(target.name, value, name)))
      }
    }
  }

  /**
   * @param {any[][]} puts
   * @param {string} own
   * @returns {Slot}
   */
  _slot(puts, own) {
    return puts.map(([value, ...name]) => {
      return this._standing(own, Array.isArray(value) ? this._object(value[0]) : value, name)
    })
  }

  /**
   * @param {string} own
   * @param {any} value
   * @param {number[]} numbers
   */
  _standing(own, value, numbers) {
    const name = numbers.length ? this._name(numbers[0], numbers[1]) : own
    return new Standing(name, numbers.length > 2 ? this._name(numbers[2], numbers[3]) : name, value)
  }

  /** @param {CounterObject} target @param {[number | string, Record<string, number[]>]} content */
  _fillCounter(target, [plain, once]) {
    target.plain = BigInt(plain)
    for (const [key, [event, k, by]] of Object.entries(once)) target.once.set(key, { name: this._name(event, k), by })
  }

  /** @param {any[]} text */
  _runs([columns, characters, states]) {
    /** @param {number[]} name none is the insertion */
    const named = ([event, k]) => (event === undefined ? '' : this._name(event, k))
    const others = states.map((/** @type {number[][]} */ state) => stateOf(state.map(named)))
    return readRuns(columns, characters, [ORIGINAL, GONE, ...others])
  }

  /** @param {List} target @param {any[]} content */
  _fillList(target, [columns, entries]) {
    const runs = [...readRuns(columns, entries, [ORIGINAL, GONE])]
    const places = runs.flatMap(({ first, stride, count }) => {
      return Array.from({ length: count }, (_, at) => first + at * stride)
    })
    places.forEach((place, at) => {
      if (Array.isArray(entries[at])) target.elements.set(place, this._element(place, places, entries[at]))
    })
    /** @param {any} entry @param {number} at */
    const elementOf = (entry, at) => target.elements.get(places[Array.isArray(entry) ? at : entry])
    const elements = entries.map(elementOf)
    let at = 0
    const lines = runs.map((run) => new Run(run.first, run.stride, elements.slice(at, (at += run.count)), run.state))
    target.sequence = Sequence.of(this._document.events, [], lines)
  }

  /**
   * @param {number} place
   * @param {number[]} places
   * @param {any[]} entry
   */
  _element(place, places, [puts, homes]) {
    const own = this._document.nameOf(place)
    const element = new Element(place, own)
    if (homes) {
      element.homes = homes.map((/** @type {number[]} */ [index, ...name]) => this._standing(own, places[index], name))
      element.at = winner(element.homes).value
    }
    element.puts = puts.length ? this._slot(puts, own) : EMPTY
    return element
  }
}
