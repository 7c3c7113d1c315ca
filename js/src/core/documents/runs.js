/**
 * Runs of a sequence: neighbours with equal states whose places lie in a line, along one event or down consecutive events
 * (a key an event). No run leaves its *cell*, 64 k of one event or 64 by 64 for runs that go down.
 *
 * @typedef {import('./run_tree.js').Node} Node
 * @typedef {any} Content a string, or an array of anything
 * @typedef {string} State names of the puts that stand in a place (see `stateOf`); '' if there are none
 */

import { EVENT } from './places.js'

export const CELL = 64

/** The insertion itself stands, and nothing else. @type {State} */
export const ORIGINAL = ';'

/** Nothing stands. @type {State} */
export const GONE = ''

/**
 * The state in which these puts stand; '' is the insertion itself.
 * @param {Iterable<string>} names
 */
export const stateOf = (names) => [...new Set(names)].sort().map((name) => name + ';').join('')

/**
 * The puts that stand in a state.
 * @param {State} state
 */
export const standingIn = (state) => state.split(';').slice(0, -1)

/** Neighbours in one state: `count` places `first`, `first + stride`, …, in ascending order of names. */
export class Run {
  /**
   * @param {number} first
   * @param {number} stride
   * @param {Content} content
   * @param {State} state
   */
  constructor(first, stride, content, state, count = sizeOf(content)) {
    this.first = first
    this.stride = stride
    this.content = content
    this.state = state
    this.count = count
    /** @type {Run | null} */
    this.next = null
    /** The next in the same cell. @type {Run | undefined} */
    this.peer = undefined
    /** @type {Node | null} */
    this.parent = null
  }

  get visible() {
    return this.state ? this.content.length : 0
  }
}

// Places

export const STRIDES = [1, EVENT]

/**
 * The stride of a run in which a place follows on another; 0 if it does in none.
 * @param {number} last
 * @param {number} place
 */
export const strideTo = (last, place) => (place - last === EVENT ? EVENT : place - last === 1 && place % EVENT ? 1 : 0)

/**
 * The cell of a place in a run of this stride; those of runs down the events are negative.
 * @param {number} place
 * @param {number} stride
 */
export const cell = (place, stride) =>
  stride === 1
    ? Math.floor(place / CELL)
    : -1 - Math.floor(place / (EVENT * CELL)) * EVENT - Math.floor((place % EVENT) / CELL)

/**
 * @param {Run} run
 * @param {number} place
 */
export const offset = (run, place) => (place - run.first) / run.stride

/**
 * @param {Run} run
 * @param {number} place
 */
export function holds(run, place) {
  const at = offset(run, place)
  return at >= 0 && at < run.count && at % 1 === 0
}

/**
 * The parts of a run that lie in a cell each.
 * @param {Run} run
 */
export function inCells({ first, stride, content, state, count }) {
  const parts = []
  for (let at = 0, unit = 0; at < count; ) {
    const many = Math.min(count - at, CELL - (Math.floor(first / stride) % CELL))
    const end = count === content.length ? unit + many : unitsTo(content, many, unit)
    parts.push(new Run(first, stride, content.slice(unit, end), state, many))
    first += many * stride
    at += many
    unit = end
  }
  return parts
}

// Content

/**
 * How many places a content takes: elements, or code points.
 * @param {Content} content
 */
export function sizeOf(content) {
  let size = content.length
  if (typeof content === 'string') for (let at = content.length; at--; ) if (isPair(content, at)) size--
  return size
}

/**
 * Whether a surrogate pair begins here.
 * @param {string} text
 * @param {number} at
 */
const isPair = (text, at) => (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00

/**
 * The unit where the code point begins that is so many behind the one at unit `from`.
 * @param {string} text
 * @param {number} points
 * @param {number} from
 */
export function unitsTo(text, points, from) {
  for (; points && from < text.length; points--) from += isPair(text, from) ? 2 : 1
  return from
}

/**
 * The unit where a place of a run begins.
 * @param {Run} run
 * @param {number} point
 */
export const unitAt = ({ content, count }, point) => (count === content.length ? point : unitsTo(content, point, 0))

/**
 * Which place of a run a unit belongs to.
 * @param {Run} run
 * @param {number} unit
 */
export function pointAt({ content, count }, unit) {
  if (count === content.length) return unit
  let point = -1
  for (let at = 0; at <= unit; point++) at = at < content.length ? unitsTo(content, 1, at) : at + 1
  return point
}

/**
 * What is in places of a run.
 * @param {Run} run
 * @param {number} start
 * @param {number} count
 */
export const cut = (run, start, count) => run.content.slice(unitAt(run, start), unitAt(run, start + count))
