/**
 * Sequences: what texts and lists are made of.
 *
 * RGA (Roh et al. 2011, Replicated abstract data types): a sequence of *places*, each inserted after another or at
 * the start; of those inserted after the same place the greatest name comes first. A child's name is greater than its
 * parent's, so a new place goes right from its neighbour, past all names greater than its own. Places are never
 * removed; what stands in one is its *state*, which belongs to the caller.
 *
 * A place is one number, `event number * 65536 + k`. Neighbours with equal states whose places lie in a line, along one
 * event or down consecutive events (a key an event), are one *run*. Three things find a place, and none of them looks
 * at more than a few runs: by position a B+-tree over the runs, and a cursor at the last edit; by name *cells*, 64 k of
 * one event or 64 by 64 for runs that go down, which no run leaves; past greater names the least name below each node.
 *
 * A *position* is an index as everywhere in JavaScript: it counts elements of a list, UTF-16 code units of a text. A
 * place is an element or a code point. A position inside a surrogate pair means: behind it to insert, all of it to
 * delete.
 *
 * @typedef {any} Content a string, or an array of anything
 * @typedef {string} State names of the puts that stand in a place (see `stateOf`); '' if there are none
 */

import { make } from './names.js'

/** The insertion itself stands, and nothing else. @type {State} */
export const ORIGINAL = ';'

/** Nothing stands. @type {State} */
export const GONE = ''

/** From a place to the one with the same k in the next event: the stride of a run down the events. */
export const EVENT = 65_536

const CELL = 64
const FANOUT = 32

/** How many runs a cursor goes on by itself before the tree is asked. */
const STEPS = 4

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

/**
 * The number of the event of a place.
 * @param {number} place
 */
export const numberOf = (place) => Math.floor(place / EVENT)

/** The events of one document, numbered as they come, so that a name is one number: `number * 65536 + k`. */
export class Events {
  /** @param {{length: number, at: (number: number) => any}} known the first of them, ascending, each read when needed */
  constructor(known = []) {
    this._known = known
    /** @type {(string | undefined)[]} */
    this._ids = new Array(known.length)
    /** How many of the first have ascending ids. They are searched for, which takes less memory than a table. */
    this._ascending = known.length
    /** The numbers of the others. @type {Map<string, number>} */
    this._others = new Map()
  }

  /** All ids, by number. */
  get ids() {
    return Array.from(this._ids, (_, number) => this.id(number))
  }

  /**
   * The number of an event; a new one if it has none.
   * @param {string} id
   */
  index(id) {
    const known = this.find(id)
    if (known !== undefined) return known
    const number = this._ids.length
    if (this._ascending === number && (!number || this.id(number - 1) < id)) this._ascending++
    else this._others.set(id, number)
    this._ids.push(id)
    return number
  }

  /**
   * The number of an event; undefined if it has none.
   * @param {string} id
   */
  find(id) {
    let high = this._ascending - 1
    let low = 0
    if (high < 0 || this.id(high) < id) return this._others.get(id)
    if (this.id(high) === id) return high
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.id(middle) < id) low = middle + 1
      else high = middle
    }
    return this.id(low) === id ? low : this._others.get(id)
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
   * Whether the name of one place is less than that of another. A place below 0 is less than all.
   * @param {number} one
   * @param {number} other
   */
  less(one, other) {
    const limit = this._ascending * EVENT
    if ((one < limit && other < limit) || one < 0 || other < 0) return one < other
    const [number, otherNumber] = [numberOf(one), numberOf(other)]
    return number === otherNumber ? one < other : this.id(number) < this.id(otherNumber)
  }

  /** For each number, the number that its event would have if they had come in order of their ids. */
  ranks() {
    const ids = this.ids
    const ranks = ids.map((_, number) => number)
    if (this._ascending === ids.length) return ranks
    const sorted = [...ranks].sort((one, other) => (ids[one] < ids[other] ? -1 : 1))
    sorted.forEach((number, rank) => (ranks[number] = rank))
    return ranks
  }
}

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
    /** @type {number} */
    this.visible = state ? content.length : 0
    /** @type {Run | null} */
    this.next = null
    /** The next in the same cell. @type {Run | undefined} */
    this.peer = undefined
    this.parent = /** @type {Node} */ (/** @type {unknown} */ (null))
  }
}

/**
 * A node of the tree: its children (runs or nodes), what is visible below it, and the least place there. Where the tree
 * begins, the least place means nothing, and nobody asks: one looks only at what comes after a run.
 */
class Node {
  /**
   * @param {any[]} children
   * @param {number} first
   */
  constructor(children, first) {
    /** @type {Node | null} */
    this.parent = null
    this.children = children
    this.first = first
    this.visible = 0
    for (const child of children) {
      this.visible += child.visible
      child.parent = this
    }
  }
}

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
    this._root = new Node([this._head], -1)
    this._near = this._head // the cursor: a run, and how much is visible before it
    this._before = 0
    this._isWide = false // whether any code point takes two units
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
    /** @type {any[]} */
    let children = [last]
    for (const run of runs) {
      for (const part of inCells(run)) {
        children.push((last = last.next = part))
        sequence._file(part)
      }
      sequence._isWide ||= run.content.length !== run.count
    }
    const filled = (FANOUT * 3) / 4 // a little room is left in each
    while (children.length > FANOUT) {
      const parents = []
      for (let at = 0; at < children.length; at += filled) {
        const part = children.slice(at, at + filled)
        parents.push(new Node(part, sequence._least(part)))
      }
      children = parents
    }
    sequence._root = new Node(children, -1)
    return sequence
  }

  // Reading

  /** What is visible: how many elements, or UTF-16 code units. */
  get length() {
    return this._root.visible
  }

  /**
   * Every place in order, with its element and whether it is visible.
   * @returns {Generator<[place: number, element: any, isVisible: boolean]>}
   */
  *[Symbol.iterator]() {
    for (const run of this.lines()) {
      let place = run.first
      for (const element of run.content) {
        yield [place, element, Boolean(run.state)]
        place += run.stride
      }
    }
  }

  /**
   * The visible elements of a slice.
   * @returns {any}
   */
  visible(start = 0, stop = this.length) {
    const parts = []
    for (const [run, from, to] of this._pieces(start, Math.min(stop, this.length))) parts.push(run.content.slice(from, to))
    return joined(parts, this._empty)
  }

  /**
   * The element at a position: of a text, the code point.
   * @param {number} position
   */
  contentAt(position) {
    const run = this._seek(position)
    return one(run, this._point(run, position))
  }

  /**
   * The place at a position.
   * @param {number} position
   */
  placeAt(position) {
    const run = this._seek(position)
    return run.first + this._point(run, position) * run.stride
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
    if (!this._isWide || position <= 0 || position >= this.length) return position
    const run = this._seek(position)
    return this._before + unitAt(run.content, this._point(run, position))
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
      const start = pointAt(run, from)
      addPlaces(places, run, start, pointAt(run, to) - start)
    }
    return places
  }

  /**
   * How much is visible before a place.
   * @param {number} place
   */
  position(place) {
    const run = this._run(place)
    return visibleBefore(run) + (run.state ? unitOf(run, offset(run, place)) : 0)
  }

  /**
   * Whether a place is there, visible or not.
   * @param {number} place
   */
  holds(place) {
    return this._find(place) !== undefined
  }

  /**
   * Whether anything stands in a place.
   * @param {number} place
   */
  isVisible(place) {
    return this.stateOf(place) !== GONE
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
    return one(run, offset(run, place))
  }

  /** Whether no place was ever made. */
  get isEmpty() {
    return this._head.next === null
  }

  /**
   * The longest runs in order; a single place has stride 1.
   *
   * They depend on nothing but names, order and states, because events are numbered anew: number n becomes `ranks[n]`,
   * which must ascend with the ids.
   * @param {ArrayLike<number>} [ranks]
   * @returns {Generator<Run>}
   */
  *runs(ranks = this._events.ranks()) {
    let [first, stride, count, state] = [-1, 1, 0, GONE]
    let parts = [this._empty]
    for (let next of this._ranked(ranks)) {
      const step = state === next.state && count ? commonStride(first, stride, count, next.first, 1, 1) : 0
      if (step) {
        const taken = next.stride === step ? next.count : 1
        stride = step
        count += taken
        parts.push(cut(next, 0, taken))
        if (taken === next.count) continue
        next = part(next, taken, next.count - taken)
      }
      if (count) yield new Run(first, stride, joined(parts, this._empty), state, count)
      ;({ first, count, state } = next)
      stride = count > 1 ? next.stride : 1
      parts = [next.content]
    }
    if (count) yield new Run(first, stride, joined(parts, this._empty), state, count)
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
    let run = this._head
    let behind = 0
    let after = null
    if (position) {
      run = this._seek(position - 1)
      behind = this._point(run, position - 1) + 1
      after = run.first + (behind - 1) * run.stride
    }
    run = this._insert(run, behind, new Run(first, 1, content, ORIGINAL))
    if (run !== this._near) this._go(run, visibleBefore(run))
    return after
  }

  /**
   * What `insertAt` does, if the cursor is where these places continue its run; whether it did. A shortcut.
   * @param {number} position
   * @param {number} first
   * @param {Content} content
   */
  typeAt(position, first, content, count = sizeOf(content)) {
    const run = this._near
    if (run.first + run.count !== first || run.stride !== 1 || run.state !== ORIGINAL) return false
    if (this._before + run.visible !== position || first % CELL === 0 || (first % CELL) + count > CELL) return false
    lengthen(run, content, count)
    if (content.length !== count) this._isWide = true
    addVisible(run.parent, content.length)
    return true
  }

  /**
   * The states from a position on, for `count` units.
   * @param {number} position
   * @param {number} count
   */
  statesAt(position, count) {
    const states = new Set()
    for (const [run] of this._pieces(position, position + count)) states.add(run.state)
    return states
  }

  /**
   * Leaves nothing standing from a position on, for `count` units; the places that were there, as `places` gives them.
   * @param {number} position
   * @param {number} count
   */
  deleteAt(position, count) {
    const start = this.floor(position)
    let left = this.ceil(position + count) - start
    if (start < 0 || left < 0 || start + left > this.length) throw new RangeError(`There are ${this.length} characters.`)
    /** @type {[number, number][]} */
    const deleted = []
    while (left > 0) {
      const run = this._seek(start)
      const from = start - this._before
      const to = Math.min(from + left, run.visible)
      const [one, other] = [pointAt(run, from), pointAt(run, to)]
      addPlaces(deleted, run, one, other - one)
      this._set(run, one, other, GONE)
      left -= to - from
    }
    return deleted
  }

  // Editing by name

  /**
   * Inserts a run's places (names ascend) after a place, or null: at the start; whether it did. It does not when
   * `after` is unknown, or the first is there already.
   * @param {number | null} after
   * @param {number} first
   * @param {Content} content
   * @param {State} [state]
   * @param {number} [stride]
   */
  insert(after, first, content, state = ORIGINAL, stride = 1) {
    const run = after === null ? this._head : this._find(after)
    if (!run || this._find(first)) return false
    this._go(this._head, 0)
    this._insert(run, after === null ? 0 : offset(run, after) + 1, new Run(first, stride, content, state))
    return true
  }

  /**
   * Gives `count` places of one event, k by k, a state made from the one they have; whether that shows.
   * @param {number} place
   * @param {number} count
   * @param {(state: State) => State} newState
   */
  change(place, count, newState) {
    this._go(this._head, 0)
    let shows = false
    const end = Math.min(place + count, (numberOf(place) + 1) * EVENT)
    while (place < end) {
      const run = this._find(place)
      let many = 1
      if (run) {
        const start = offset(run, place)
        if (run.stride === 1) many = Math.min(end - place, run.count - start)
        const state = newState(run.state)
        shows ||= !state !== !run.state
        if (state !== run.state) this._set(run, start, start + many, state)
      } else if (!this._cells.has(cell(place, 1)) && !this._cells.has(cell(place, EVENT))) {
        many = CELL - (place % CELL)
      }
      place += many
    }
    return shows
  }

  // Finding

  /** @param {number} place */
  _run(place) {
    const run = this._find(place)
    if (!run) throw new RangeError(`There is no place ${place}.`)
    return run
  }

  /**
   * The run of a place.
   * @param {number} place
   */
  _find(place) {
    let run = this._cells.get(cell(place, 1))
    while (run && !(place >= run.first && place - run.first < run.count)) run = run.peer
    if (run) return run
    run = this._cells.get(cell(place, EVENT))
    while (run) {
      const apart = place - run.first
      if (apart >= 0 && apart % EVENT === 0 && apart < run.count * EVENT) return run
      run = run.peer
    }
    return undefined
  }

  /**
   * Moves the cursor.
   * @param {Run} run
   * @param {number} before
   */
  _go(run, before) {
    this._near = run
    this._before = before
  }

  /**
   * The run of a position. The cursor moves there.
   * @param {number} position
   */
  _seek(position) {
    let run = this._near
    let before = this._before
    for (let steps = before <= position ? STEPS : 0; steps; steps--) {
      if (position < before + run.visible) {
        this._go(run, before)
        return run
      }
      if (!run.next) break
      before += run.visible
      run = run.next
    }
    return this._descend(position)
  }

  /** @param {number} position */
  _descend(position) {
    if (!(position >= 0 && position < this.length)) throw new RangeError(`There is no position ${position}.`)
    /** @type {any} */
    let node = this._root
    let left = position
    while (node instanceof Node) {
      const children = node.children
      let at = 0
      while (left >= children[at].visible) left -= children[at++].visible
      node = children[at]
    }
    this._go(node, position - left)
    return /** @type {Run} */ (node)
  }

  /**
   * The offset, in places, of a position in the run that `_seek` found.
   * @param {Run} run
   * @param {number} position
   */
  _point(run, position) {
    return pointAt(run, position - this._before)
  }

  /**
   * What is visible between two positions: runs, with units from and to.
   * @param {number} start
   * @param {number} stop
   * @returns {Generator<[Run, number, number]>}
   */
  *_pieces(start, stop) {
    if (start >= stop) return
    let run = this._seek(start)
    let from = start - this._before
    for (let left = stop - start; left > 0; from = 0) {
      const to = Math.min(run.visible, from + left)
      if (to > from) yield [run, from, to]
      left -= to - from
      if (left) run = following(run, stop)
    }
  }

  /** The runs as they are. */
  *lines() {
    for (let run = this._head.next; run; run = run.next) yield run
  }

  /**
   * The runs, their events numbered by rank; a run down events that are not consecutive then comes in places.
   * @param {ArrayLike<number>} ranks
   */
  *_ranked(ranks) {
    for (const run of this.lines()) {
      const number = numberOf(run.first)
      const k = run.first % EVENT
      if (run.stride === 1 || ranks[number + run.count - 1] - ranks[number] === run.count - 1) {
        yield new Run(ranks[number] * EVENT + k, run.stride, run.content, run.state, run.count)
        continue
      }
      for (let at = 0; at < run.count; at++) yield new Run(ranks[number + at] * EVENT + k, 1, cut(run, at, 1), run.state, 1)
    }
  }

  // Changing runs

  /**
   * Inserts after the first `behind` places of a run, by RGA's rule; the last run it is in.
   * @param {Run} run
   * @param {number} behind
   * @param {Run} added
   */
  _insert(run, behind, added) {
    if (added.content.length !== added.count) this._isWide = true
    if (behind < run.count && this._events.less(run.first + behind * run.stride, added.first)) this._split(run, behind)
    else run = this._lastGreater(run, added.first)
    for (const part of inCells(added)) run = this._append(run, part)
    return run
  }

  /**
   * The last run before the first name, after this run, that is less.
   * @param {Run} run
   * @param {number} first
   */
  _lastGreater(run, first) {
    if (!run.next || this._events.less(run.next.first, first)) return run
    /** @type {any} */
    let last = run
    for (let node = /** @type {any} */ (run); node.parent; node = node.parent) {
      const siblings = node.parent.children
      for (let at = siblings.indexOf(node) + 1; at < siblings.length; at++) {
        if (this._events.less(siblings[at].first, first)) return this._skip(siblings[at], first, last)
        last = siblings[at]
      }
    }
    return lastRun(last)
  }

  /**
   * The last run before the first name that is less, which is below a node, or else `last`.
   * @param {any} node
   * @param {number} first
   * @param {any} last
   * @returns {Run}
   */
  _skip(node, first, last) {
    while (node instanceof Node) {
      let at = 0
      while (!this._events.less(node.children[at].first, first)) last = node.children[at++]
      node = node.children[at]
    }
    return lastRun(last)
  }

  /**
   * Puts places of one cell right after a run; the run they are in.
   * @param {Run} run
   * @param {Run} added
   */
  _append(run, added) {
    addVisible(run.parent, added.visible)
    const step = this._joint(run, added)
    if (!step) return this._link(run, added)
    this._lengthen(run, step, added)
    return run
  }

  /**
   * The stride of the one run that this run and the next would make; 0: they make none.
   * @param {Run} run
   * @param {Run} next
   */
  _joint(run, next) {
    if (run.state !== next.state || !run.count) return 0
    const step = commonStride(run.first, run.stride, run.count, next.first, next.stride, next.count)
    const size = step * CELL
    if (!step || Math.floor(run.first / size) !== Math.floor((next.first + (next.count - 1) * step) / size)) return 0
    return step === 1 || this._events.less(next.first - step, next.first) ? step : 0
  }

  /**
   * @param {Run} run
   * @param {number} stride
   * @param {Run} added
   */
  _lengthen(run, stride, added) {
    if (run.stride !== stride) {
      this._unfile(run)
      run.stride = stride
      this._file(run)
    }
    lengthen(run, added.content, added.count)
  }

  /**
   * Cuts a run in two; the right one.
   * @param {Run} run
   * @param {number} at
   */
  _split(run, at) {
    const right = part(run, at, run.count - at)
    run.content = cut(run, 0, at)
    run.count = at
    run.visible -= right.visible
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
    if (start && stop === run.count && this._passOn(run, start, state)) return
    if (stop < run.count) this._split(run, stop)
    if (start) run = this._split(run, start)
    const before = run.visible
    run.state = state
    run.visible = state ? run.content.length : 0
    addVisible(run.parent, run.visible - before)
    const siblings = run.parent.children
    const index = siblings.indexOf(run)
    if (index + 1 < siblings.length) this._join(run, siblings[index + 1])
    if (index) this._join(siblings[index - 1], run)
  }

  /**
   * Gives the end of a run to the next, if that continues it in this state; whether it did. Backspace does so.
   * @param {Run} run
   * @param {number} start
   * @param {State} state
   */
  _passOn(run, start, state) {
    const right = run.next
    const first = run.first + start
    if (!right || right.parent !== run.parent || right.state !== state || run.stride !== 1 || right.stride !== 1) return false
    if (right.first !== run.first + run.count || Math.floor(right.first / CELL) !== Math.floor(first / CELL)) return false
    const before = run.visible + right.visible
    right.first = first
    right.content = plus(cut(run, start, run.count - start), right.content)
    right.count += run.count - start
    run.content = cut(run, 0, start)
    run.count = start
    for (const each of [run, right]) each.visible = each.state ? each.content.length : 0
    addVisible(run.parent, run.visible + right.visible - before)
    return true
  }

  /**
   * @param {Run} left
   * @param {Run} right
   */
  _join(left, right) {
    const step = this._joint(left, right)
    if (!step) return
    if (this._near === right) this._near = left // the cursor is here only in deleteAt: nothing of either is visible
    this._lengthen(left, step, right)
    this._unfile(right)
    const siblings = right.parent.children
    siblings.splice(siblings.indexOf(right), 1)
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
   * Puts a run after another. What the nodes count is the caller's to correct, before.
   * @param {Run} run
   * @param {Run} added
   */
  _link(run, added) {
    this._file(added)
    added.next = run.next
    run.next = added
    const leaf = (added.parent = run.parent)
    leaf.children.splice(leaf.children.indexOf(run) + 1, 0, added)
    for (let node = /** @type {Node | null} */ (leaf); node && this._events.less(added.first, node.first); node = node.parent) {
      node.first = added.first
    }
    if (leaf.children.length > FANOUT) this._halve(leaf)
    return added
  }

  /** @param {Node} node */
  _halve(node) {
    const children = node.children.splice(FANOUT / 2)
    const right = new Node(children, this._least(children))
    node.visible -= right.visible
    node.first = this._least(node.children)
    const parent = (right.parent = node.parent)
    if (!parent) {
      this._root = new Node([node, right], -1)
      return
    }
    parent.children.splice(parent.children.indexOf(node) + 1, 0, right)
    if (parent.children.length > FANOUT) this._halve(parent)
  }

  /** @param {any[]} nodes */
  _least(nodes) {
    let least = nodes[0].first
    for (const { first } of nodes) if (this._events.less(first, least)) least = first
    return least
  }
}

// Places

/**
 * The stride of the one line that two lines of places make; 0: they make none.
 * @param {number} first
 * @param {number} stride
 * @param {number} count
 * @param {number} nextFirst
 * @param {number} nextStride
 * @param {number} nextCount
 */
function commonStride(first, stride, count, nextFirst, nextStride, nextCount) {
  const step = count > 1 ? stride : nextFirst - first
  if (first + count * step !== nextFirst || (nextCount > 1 && nextStride !== step)) return 0
  return step === EVENT || (step === 1 && nextFirst % EVENT) ? step : 0
}

/**
 * The cell of a place in a run of this stride; those of runs down the events are negative.
 * @param {number} place
 * @param {number} stride
 */
const cell = (place, stride) =>
  stride === 1
    ? Math.floor(place / CELL)
    : -1 - Math.floor(place / (EVENT * CELL)) * EVENT - Math.floor((place % EVENT) / CELL)

/**
 * The parts of a run that lie in a cell each.
 * @param {Run} run
 */
function inCells(run) {
  let room = CELL - (Math.floor(run.first / run.stride) % CELL)
  if (run.count <= room) return [run]
  const parts = []
  for (let start = 0, unit = 0; start < run.count; start += room, room = CELL) {
    const count = Math.min(room, run.count - start)
    const end = run.count === run.content.length ? unit + count : unitAt(run.content, count, unit)
    parts.push(new Run(run.first + start * run.stride, run.stride, run.content.slice(unit, end), run.state, count))
    unit = end
  }
  return parts
}

/**
 * @param {Run} run
 * @param {number} place
 */
const offset = (run, place) => (place - run.first) / run.stride

/**
 * Adds places of a run to a list of (first place, how many consecutive k).
 * @param {[number, number][]} places
 * @param {Run} run
 * @param {number} start
 * @param {number} count
 */
function addPlaces(places, run, start, count) {
  const many = run.stride === 1 ? count : 1
  for (let at = start; at < start + count; at += many) {
    const place = run.first + at * run.stride
    const last = places[places.length - 1]
    if (last && last[0] + last[1] === place && place % EVENT) last[1] += many
    else places.push([place, many])
  }
}

// The tree

/**
 * Adds to what is visible below a node and those above it.
 * @param {Node | null} node
 * @param {number} change
 */
function addVisible(node, change) {
  for (; change && node; node = node.parent) node.visible += change
}

/** @param {Run} run */
function visibleBefore(run) {
  let before = 0
  for (let node = /** @type {any} */ (run); node.parent; node = node.parent) {
    for (const sibling of node.parent.children) {
      if (sibling === node) break
      before += sibling.visible
    }
  }
  return before
}

/** @param {any} node */
function lastRun(node) {
  while (node instanceof Node) node = node.children[node.children.length - 1]
  return /** @type {Run} */ (node)
}

/**
 * @param {Run} run
 * @param {number} stop
 */
function following(run, stop) {
  if (!run.next) throw new RangeError(`There is no position ${stop - 1}.`)
  return run.next
}

// Content

/**
 * How many places a content takes: elements, or code points.
 * @param {Content} content
 */
export function sizeOf(content) {
  let size = content.length
  if (typeof content === 'string') for (let at = 1; at < content.length; at++) if (isPair(content, at - 1)) size--
  return size
}

/**
 * Whether a surrogate pair begins here.
 * @param {string} text
 * @param {number} at
 */
const isPair = (text, at) => (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00

/**
 * The unit where a code point begins, counted from that which begins at unit `from`.
 * @param {string} text
 * @param {number} point
 */
export function unitAt(text, point, from = 0) {
  for (; point; point--) from += isPair(text, from) ? 2 : 1
  return from
}

/**
 * The unit where a place of a run begins.
 * @param {Run} run
 * @param {number} point
 */
const unitOf = (run, point) => (run.count === run.content.length ? point : unitAt(run.content, point))

/**
 * Which place of a run a unit belongs to.
 * @param {Run} run
 * @param {number} unit
 */
function pointAt(run, unit) {
  if (run.count === run.content.length) return unit
  let point = 0
  for (let at = unitAt(run.content, 1); at <= unit; at = unitAt(run.content, 1, at)) point++
  return point
}

/**
 * What is in places of a run.
 * @param {Run} run
 * @param {number} start
 * @param {number} count
 */
const cut = (run, start, count) => run.content.slice(unitOf(run, start), unitOf(run, start + count))

/**
 * The element or the code point in a place of a run.
 * @param {Run} run
 * @param {number} point
 */
function one(run, point) {
  const found = cut(run, point, 1)
  return typeof found === 'string' ? found : found[0]
}

/**
 * @param {Run} run
 * @param {number} start
 * @param {number} count
 */
const part = (run, start, count) =>
  new Run(run.first + start * run.stride, run.stride, cut(run, start, count), run.state, count)

/**
 * @param {Content} one
 * @param {Content} other
 */
const plus = (one, other) => (typeof one === 'string' ? one + other : one.concat(other))

/**
 * @param {Run} run
 * @param {Content} content
 * @param {number} count
 */
function lengthen(run, content, count) {
  run.content = plus(run.content, content)
  run.count += count
  if (run.state) run.visible = run.content.length
}

/**
 * @param {Content[]} parts
 * @param {Content} empty
 */
const joined = (parts, empty) => (typeof empty === 'string' ? parts.join('') : parts.flat())
