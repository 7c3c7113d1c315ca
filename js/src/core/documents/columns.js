/**
 * Columns: how a snapshot writes down its two long tables, the ids of events and the runs of a sequence.
 *
 * Ids are sorted and taken apart, so that what is alike stands together: milliseconds as differences, counters, nodes
 * as indexes of a short list, and the random rest in one string. A run is where its first name stands relative to the
 * last of the run before it, how long it is (negative: down consecutive events, a key an event), and its state.
 */

import { EVENT } from './places.js'
import { Run, unitsTo } from './runs.js'

/** Of the form of a snapshot. */
export const VERSION = 1

/**
 * Ascending ids as [milliseconds, counters, node indexes, nodes, randoms].
 * @param {string[]} ids
 */
export function writeIds(ids) {
  const ms = ids.map((id) => parseInt(id.slice(0, 8) + id.slice(9, 13), 16))
  const nodes = ids.map((id) => id.slice(19, 23) + id.slice(24, 28))
  const index = new Map([...new Set(nodes)].map((node, number) => [node, number]))
  return [
    ms.map((time, at) => (at ? time - ms[at - 1] : time)),
    ids.map((id) => parseInt(id.slice(15, 18), 16)),
    nodes.map((node) => index.get(node)),
    [...index.keys()].join(''),
    ids.map((id) => id.slice(28)).join(''),
  ]
}

/** Ascending ids in columns, each made when it is asked for: a document is opened to look at a part of it. */
export class Ids {
  /** @param {any[]} columns */
  constructor([ms, counters, node, nodes, randoms]) {
    let time = 0
    this._ms = ms.map((/** @type {number} */ later) => (time += later))
    this._counters = counters
    this._node = node
    this._nodes = nodes
    this._randoms = randoms
  }

  get length() {
    return this._ms.length
  }

  /** @param {number} at */
  at(at) {
    const time = hex(this._ms[at], 12)
    const node = this._nodes.slice(8 * this._node[at], 8 * this._node[at] + 8)
    const rest = node.slice(4) + this._randoms.slice(8 * at, 8 * at + 8)
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(this._counters[at], 3)}-${node.slice(0, 4)}-${rest}`
  }
}

/**
 * @param {number} value
 * @param {number} digits
 */
const hex = (value, digits) => value.toString(16).padStart(digits, '0')

/**
 * Runs whose events are numbered in order of their ids, as [events, ks, counts, states].
 * @param {Run[]} runs
 * @param {string[]} states grows with those that it meets
 */
export function writeRuns(runs, states) {
  /** @type {number[][]} */
  const columns = [[], [], [], []]
  const numbers = new Map(states.map((state, number) => [state, number]))
  let last = 0
  let k = 0
  for (const { first, stride, count, state } of runs) {
    const event = Math.floor(first / EVENT)
    if (!numbers.has(state)) numbers.set(state, states.push(state) - 1)
    columns[0].push(event - last)
    columns[1].push((first % EVENT) - (event === last ? k : 0))
    columns[2].push(stride === 1 ? count : -count)
    columns[3].push(/** @type {number} */ (numbers.get(state)))
    const end = first + (count - 1) * stride
    last = Math.floor(end / EVENT)
    k = (end % EVENT) + 1
  }
  return columns
}

/**
 * The runs of a content.
 * @param {number[][]} columns
 * @param {any} content
 * @param {string[]} states
 * @returns {Generator<Run>}
 */
export function* readRuns([events, ks, counts, states_], content, states) {
  const isWide = counts.reduce((sum, count) => sum + Math.abs(count), 0) !== content.length
  let last = 0
  let k = 0
  let unit = 0
  for (let at = 0; at < events.length; at++) {
    const count = Math.abs(counts[at])
    last += events[at]
    k = ks[at] + (events[at] ? 0 : k)
    const end = isWide ? unitsTo(content, count, unit) : unit + count
    const stride = counts[at] < 0 ? EVENT : 1
    yield new Run(last * EVENT + k, stride, content.slice(unit, end), states[states_[at]], count)
    last += stride === 1 ? 0 : count - 1
    k += stride === 1 ? count : 1
    unit = end
  }
}
