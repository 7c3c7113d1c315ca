/**
 * Sequences: what texts and lists are made of.
 *
 * RGA (Roh et al. 2011, Replicated abstract data types): a sequence of *places*, each inserted after another or at
 * the start; of those inserted after the same place the greatest name comes first. A child's name is greater than its
 * parent's, so a new place goes right from its neighbour, past all names greater than its own. Places are never
 * removed; what stands in one is its *state*, which belongs to the caller.
 *
 * Places that go on from each other are one *run* (`runs.js`). A run is found by position in a tree over the runs
 * (`run_tree.js`), and by name in its *cell*. Left out, for size: greater names are passed run by run. They are those of
 * others who wrote at the same spot, later.
 *
 * A *position* is an index as everywhere in JavaScript: it counts elements of a list, UTF-16 code units of a text. A
 * place is an element or a code point. A position inside a surrogate pair means: behind it to insert, all of it to
 * delete.
 *
 * @typedef {import('./places.js').Events} Events
 * @typedef {import('./run_tree.js').Node} Node
 * @typedef {import('./runs.js').Content} Content
 * @typedef {import('./runs.js').State} State
 */

import { EVENT, numberOf } from './places.js'
import { addVisible, adopt, node, visibleBefore } from './run_tree.js'
import {
  CELL, GONE, ORIGINAL, Run, STRIDES, cell, cut, holds, inCells, offset, pointAt, strideTo, unitAt,
} from './runs.js'

/**
 * A sequence of code points (`empty` is `''`) or of anything (`empty` is `[]`). A position that is not there raises
 * RangeError. Ops that name a place that is not there, `insert` and `change`, pass over it.
 */
export class Sequence {
  /**
   * @param {Events} events
   * @param {Content} empty
   */
  constructor(events, empty) {
    this._events = events
    this._empty = empty
    /** The first run of each cell. @type {Map<number, Run>} */
    this._cells = new Map()
    this._head = new Run(-1, 1, empty, GONE) // holds no place: a start, so that every run has one before it
    this._root = node(null, [this._head])
  }

  /**
   * The sequence of these runs, whose events are numbered as in `events`.
   * @param {Events} events
   * @param {Content} empty
   * @param {Iterable<Run>} runs
   */
  static of(events, empty, runs) {
    const sequence = new Sequence(events, empty)
    let last = sequence._head
    for (const run of runs) for (const part of inCells(run)) last = sequence._link(last, part)
    return sequence
  }

  // Reading

  /** What is visible: how many elements, or UTF-16 code units. */
  get length() {
    return this._root.visible
  }

  /** Whether no place was ever made. */
  get isEmpty() {
    return !this._head.next
  }

  /**
   * Every place in order, with its element and its state.
   * @returns {Generator<[place: number, element: any, state: State]>}
   */
  *[Symbol.iterator]() {
    for (const run of this.lines()) {
      let place = run.first
      for (const element of run.content) {
        yield [place, element, run.state]
        place += run.stride
      }
    }
  }

  /**
   * The visible elements of a slice.
   * @returns {any}
   */
  visible(start = 0, stop = this.length) {
    const pieces = this._pieces(start, Math.min(stop, this.length))
    return joined(pieces.map(([run, from, to]) => run.content.slice(from, to)), this._empty)
  }

  /**
   * The element at a position: of a text, the code point.
   * @param {number} position
   */
  contentAt(position) {
    return this.content(this.placeAt(position))
  }

  /**
   * The place at a position.
   * @param {number} position
   */
  placeAt(position) {
    const [run, unit] = this._seek(position)
    return run.first + pointAt(run, unit) * run.stride
  }

  /**
   * The place to insert after, so that the new one comes to a position; null: the start.
   * @param {number} position
   */
  before(position) {
    return position ? this.placeAt(position - 1) : null
  }

  /**
   * The position where what is at a position begins: one less within a surrogate pair.
   * @param {number} position
   */
  floor(position) {
    if (!(position > 0 && position < this.length)) return position
    const [run, unit] = this._seek(position)
    return position - unit + unitAt(run, pointAt(run, unit))
  }

  /**
   * The position behind what would be cut at a position: one more within a surrogate pair.
   * @param {number} position
   */
  ceil(position) {
    return this.floor(position) < position ? position + 1 : position
  }

  /**
   * The places from a position on, for `count` units, as (first place, how many consecutive k).
   * @param {number} position
   * @param {number} count
   */
  places(position, count) {
    /** @type {[number, number][]} */
    const places = []
    for (const [run, from, to] of this._pieces(this.floor(position), this.ceil(position + count))) {
      const stop = pointAt(run, to)
      for (let at = pointAt(run, from), many; at < stop; at += many) {
        many = run.stride === 1 ? stop - at : 1
        const place = run.first + at * run.stride
        const last = places[places.length - 1]
        if (last && last[0] + last[1] === place && place % EVENT) last[1] += many
        else places.push([place, many])
      }
    }
    return places
  }

  /**
   * How much is visible before a place.
   * @param {number} place
   */
  position(place) {
    const run = this._run(place)
    return visibleBefore(run) + (run.state ? unitAt(run, offset(run, place)) : 0)
  }

  /**
   * Whether a place is there, visible or not.
   * @param {number} place
   */
  holds(place) {
    return !!this._find(place)
  }

  /**
   * Whether anything stands in a place.
   * @param {number} place
   */
  isVisible(place) {
    return !!this.stateOf(place)
  }

  /**
   * What stands in a place.
   * @param {number} place
   */
  stateOf(place) {
    return this._run(place).state
  }

  /**
   * What was inserted in a place: of a text, the code point.
   * @param {number} place
   */
  content(place) {
    const run = this._run(place)
    const found = cut(run, offset(run, place), 1)
    return typeof found === 'string' ? found : found[0]
  }

  /** The runs as they are. */
  *lines() {
    for (let run = this._head.next; run; run = run.next) yield run
  }

  /**
   * The longest runs in order; a single place has stride 1.
   *
   * They depend on nothing but names, order and states, because events are numbered anew: number n becomes `ranks[n]`,
   * which must ascend with the ids.
   * @param {ArrayLike<number>} ranks
   * @returns {Generator<Run>}
   */
  *runs(ranks) {
    /** @type {any[]} */
    let elements = []
    let [first, stride, last, state] = [0, 1, 0, GONE]
    const run = () => new Run(first, stride, joined(elements, this._empty, 0), state, elements.length)
    for (const [place, element, now] of this) {
      const at = ranks[numberOf(place)] * EVENT + (place % EVENT)
      const step = now === state && elements.length ? strideTo(last, at) : 0
      if (step && (step === stride || elements.length === 1)) stride = step
      else {
        if (elements.length) yield run()
        ;[first, stride, state, elements] = [at, 1, now, []]
      }
      elements.push(element)
      last = at
    }
    if (elements.length) yield run()
  }

  // Editing at a position

  /**
   * Inserts new places, `first` and the following k, at a position; the place they are inserted after, or null. They
   * come exactly there when `first` is greater than all names here, as in a local edit.
   * @param {number} position
   * @param {number} first
   * @param {Content} content
   */
  insertAt(position, first, content) {
    const after = this.before(position)
    this.insert(after, first, content)
    return after
  }

  /**
   * The states from a position on, for `count` units.
   * @param {number} position
   * @param {number} count
   */
  statesAt(position, count) {
    return new Set(this._pieces(position, position + count).map(([run]) => run.state))
  }

  /**
   * Leaves nothing standing from a position on, for `count` units; the places that were there, as `places` gives them.
   * @param {number} position
   * @param {number} count
   */
  deleteAt(position, count) {
    const places = this.places(position, count)
    for (const [place, many] of places) this.change(place, many, () => GONE)
    return places
  }

  // Editing by name

  /**
   * Inserts new places, `first` and the following k, after a place, or null: at the start; whether it did. It does not
   * when `after` is unknown, or `first` is there already.
   * @param {number | null} after
   * @param {number} first
   * @param {Content} content
   * @param {State} [state]
   */
  insert(after, first, content, state = ORIGINAL) {
    let run = after === null ? this._head : this._find(after)
    if (!run || this.holds(first)) return false
    const behind = after === null ? 0 : offset(run, after) + 1
    if (behind < run.count && this._events.less(run.first + behind * run.stride, first)) this._split(run, behind)
    else while (run.next && !this._events.less(run.next.first, first)) run = run.next
    for (const part of inCells(new Run(first, 1, content, state))) run = this._append(run, part)
    return true
  }

  /**
   * Gives `count` places of one event, k by k, a state made from the one they have; whether that shows.
   * @param {number} place
   * @param {number} count
   * @param {(state: State) => State} newState
   */
  change(place, count, newState) {
    let shows = false
    const end = Math.min(place + count, (numberOf(place) + 1) * EVENT)
    for (let many = 1; place < end; place += many) {
      const run = this._find(place)
      many = 1
      if (run) {
        const start = offset(run, place)
        if (run.stride === 1) many = Math.min(end - place, run.count - start)
        const state = newState(run.state)
        shows ||= !state !== !run.state
        if (state !== run.state) this._set(run, start, start + many, state)
      } else if (!STRIDES.some((stride) => this._cells.has(cell(place, stride)))) many = CELL - (place % CELL)
    }
    return shows
  }

  // Finding

  /** @param {number} place */
  _run(place) {
    return this._find(place) ?? notThere(place)
  }

  /**
   * The run of a place.
   * @param {number} place
   */
  _find(place) {
    for (const stride of STRIDES) {
      let run = this._cells.get(cell(place, stride))
      while (run && !holds(run, place)) run = run.peer
      if (run) return run
    }
  }

  /**
   * The run of a position, and the unit there.
   * @param {number} position
   * @returns {[Run, number]}
   */
  _seek(position) {
    if (!(position >= 0 && position < this.length)) notThere(position)
    /** @type {any} */
    let found = this._root
    while (found.children) {
      let at = 0
      while (position >= found.children[at].visible) position -= found.children[at++].visible
      found = found.children[at]
    }
    return [found, position]
  }

  /**
   * What is visible between two positions: runs, with units from and to.
   * @param {number} start
   * @param {number} stop
   */
  _pieces(start, stop) {
    /** @type {[Run, number, number][]} */
    const pieces = []
    if (start >= stop) return pieces
    if (stop > this.length) notThere(stop)
    let [run, from] = this._seek(start)
    for (let left = stop - start; left; from = 0) {
      const to = Math.min(run.visible, from + left)
      if (to > from) pieces.push([run, from, to])
      left -= to - from
      run = /** @type {Run} */ (run.next)
    }
    return pieces
  }

  // Changing runs

  /**
   * Puts places of one cell right after a run; the run they are in.
   * @param {Run} run
   * @param {Run} added
   */
  _append(run, added) {
    if (!this._lengthen(run, added)) return this._link(run, added)
    addVisible(run.parent, added.visible)
    return run
  }

  /**
   * Makes one run of a run and what comes after it, if they are in a line, a cell and a state; whether it did.
   * @param {Run} run
   * @param {Run} next
   */
  _lengthen(run, next) {
    const step = strideTo(run.first + (run.count - 1) * run.stride, next.first)
    if (!step || run.state !== next.state || (run.count > 1 && run.stride !== step)) return false
    if (next.count > 1 && next.stride !== step) return false
    if (cell(run.first, step) !== cell(next.first + (next.count - 1) * step, step)) return false
    if (!this._events.less(next.first - step, next.first)) return false
    if (run.stride !== step) {
      this._unfile(run)
      run.stride = step
      this._file(run)
    }
    run.content = typeof run.content === 'string' ? run.content + next.content : run.content.concat(next.content)
    run.count += next.count
    return true
  }

  /**
   * Cuts a run in two; the right one.
   * @param {Run} run
   * @param {number} at
   */
  _split(run, at) {
    const right = new Run(run.first + at * run.stride, run.stride, cut(run, at, run.count), run.state)
    addVisible(run.parent, -right.visible) // which is counted again as it is linked
    run.content = cut(run, 0, at)
    run.count = at
    return this._link(run, right)
  }

  /**
   * Gives a part of a run a state. It is joined to its neighbours in the same leaf, where they continue.
   * @param {Run} run
   * @param {number} start
   * @param {number} stop
   * @param {State} state
   */
  _set(run, start, stop, state) {
    if (stop < run.count) this._split(run, stop)
    if (start) run = this._split(run, start)
    const { visible, parent } = run
    run.state = state
    addVisible(parent, run.visible - visible)
    const { children } = /** @type {Node} */ (parent)
    const at = children.indexOf(run)
    this._join(run, children[at + 1])
    this._join(children[at - 1], run)
  }

  /**
   * @param {Run | undefined} left
   * @param {Run | undefined} right
   */
  _join(left, right) {
    if (!left || !right || !this._lengthen(left, right)) return
    const { children } = /** @type {Node} */ (right.parent)
    children.splice(children.indexOf(right), 1)
    this._unfile(right)
    left.next = right.next
  }

  /** @param {Run} run */
  _file(run) {
    const at = cell(run.first, run.stride)
    run.peer = this._cells.get(at)
    this._cells.set(at, run)
  }

  /** @param {Run} run */
  _unfile(run) {
    const at = cell(run.first, run.stride)
    let other = /** @type {Run} */ (this._cells.get(at))
    if (other !== run) {
      while (other.peer !== run) other = /** @type {Run} */ (other.peer)
      other.peer = run.peer
    } else if (run.peer) this._cells.set(at, run.peer)
    else this._cells.delete(at)
  }

  /**
   * Puts a run after another; itself.
   * @param {Run} run
   * @param {Run} added
   */
  _link(run, added) {
    this._file(added)
    added.next = run.next
    run.next = added
    addVisible(run.parent, added.visible)
    adopt(run, added)
    return added
  }
}

/**
 * @param {number} at
 * @returns {never}
 */
function notThere(at) {
  throw new RangeError(`${at} is not there.`)
}

/**
 * @param {Content[]} parts
 * @param {Content} empty
 */
const joined = (parts, empty, depth = 1) => (typeof empty === 'string' ? parts.join('') : parts.flat(depth))
