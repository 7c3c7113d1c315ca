/**
 * Places of sequences: a name is an event and k, and a place is both as one number, `event number * 65536 + k`.
 */

import { make } from './names.js'

/** From a place to the one with the same k in the next event: the stride of a run down the events. */
export const EVENT = 65_536

/**
 * The number of the event of a place.
 * @param {number} place
 */
export const numberOf = (place) => Math.floor(place / EVENT)

/** The events of one document, numbered as they come, so that a name is one number: `number * 65536 + k`. */
export class Events {
  /** @param {{length: number, at: (number: number) => any}} known the first, ascending, each read when it is needed */
  constructor(known = []) {
    this._known = known
    /** @type {(string | undefined)[]} */
    this._ids = new Array(known.length)
    /** How many of the first have ascending ids. They are searched for, which takes less memory than a table. */
    this._ascending = known.length
    /** The numbers of the others. @type {Map<string, number>} */
    this._others = new Map()
  }

  /** How many there are. */
  get size() {
    return this._ids.length
  }

  /**
   * The number of an event; a new one if it has none.
   * @param {string} id
   */
  index(id) {
    const known = this.find(id)
    if (known !== undefined) return known
    const number = this._ids.push(id) - 1
    if (this._ascending === number && !(number && this.id(number - 1) > id)) this._ascending++
    else this._others.set(id, number)
    return number
  }

  /**
   * The number of an event; undefined if it has none.
   * @param {string} id
   */
  find(id) {
    let high = this._ascending
    let low = high && this.id(high - 1) <= id ? high - 1 : 0 // most are new, or the last
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.id(middle) < id) low = middle + 1
      else high = middle
    }
    return low < this._ascending && this.id(low) === id ? low : this._others.get(id)
  }

  /**
   * The id of an event.
   * @param {number} number
   * @returns {string}
   */
  id(number) {
    return (this._ids[number] ??= this._known.at(number))
  }

  /**
   * The full name of a place.
   * @param {number} place
   */
  name(place) {
    return make(this.id(numberOf(place)), place % EVENT)
  }

  /**
   * Whether the name of one place is less than that of another.
   * @param {number} one
   * @param {number} other
   */
  less(one, other) {
    const limit = this._ascending * EVENT
    const [number, otherNumber] = [numberOf(one), numberOf(other)]
    if (number === otherNumber || (one < limit && other < limit)) return one < other
    return this.id(number) < this.id(otherNumber)
  }
}
