/**
 * Sequences: what texts and lists are made of.
 *
 * RGA (Roh et al. 2011, Replicated abstract data types): a sequence of *places*, each inserted after another or at
 * the start; of those inserted after the same place the greatest name comes first. A child's name is greater than its
 * parent's, so a new place goes right from its neighbour, past all names greater than its own. Places are never
 * removed; what stands in one is its *state*, which belongs to the caller.
 *
 * A place is one number, `event number * 65536 + k`. Neighbours with equal states whose places lie in a line, along one
 * event or down consecutive events (a key an event), are one *run*. A run is found by position in a B+-tree over the
 * runs, and by name in *cells*, 64 k of one event or 64 by 64 for runs that go down, which no run leaves. Left out, for
 * size: greater names are passed run by run. They are those of others who wrote at the same spot, later.
 *
 * A *position* is an index as everywhere in JavaScript: it counts elements of a list, UTF-16 code units of a text. A
 * place is an element or a code point. A position inside a surrogate pair means: behind it to insert, all of it to
 * delete.
 *
 * @typedef {any} Content a string, or an array of anything
 * @typedef {string} State names of the puts that stand in a place (see `stateOf`); '' if there are none
 * @typedef {{parent: Node | null, children: any[], visible: number}} Node
 *   of the tree: its children, which are runs or nodes, and how much is visible below it
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

// Places

const STRIDES = [1, EVENT]

/**
 * The stride of a run in which a place follows on another; 0 if it does in none.
 * @param {number} last
 * @param {number} place
 */
const strideTo = (last, place) => (place - last === EVENT ? EVENT : place - last === 1 && place % EVENT ? 1 : 0)

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
 * @param {Run} run
 * @param {number} place
 */
const offset = (run, place) => (place - run.first) / run.stride

/**
 * @param {Run} run
 * @param {number} place
 */
function holds(run, place) {
  const at = offset(run, place)
  return at >= 0 && at < run.count && at % 1 === 0
}

/**
 * The parts of a run that lie in a cell each.
 * @param {Run} run
 */
function inCells({ first, stride, content, state, count }) {
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

/**
 * @param {number} at
 * @returns {never}
 */
function notThere(at) {
  throw new RangeError(`${at} is not there.`)
}

// The tree

/**
 * A node with these children.
 * @param {Node | null} parent
 * @param {any[]} children
 * @returns {Node}
 */
function node(parent, children) {
  const made = { parent, children, visible: 0 }
  for (const child of children) {
    made.visible += child.visible
    child.parent = made
  }
  return made
}

/**
 * Makes something a run's, or a node's, next sibling. It is counted already.
 * @param {any} sibling
 * @param {any} added
 */
function adopt(sibling, added) {
  const parent = (added.parent = sibling.parent)
  const { children } = parent
  children.splice(children.indexOf(sibling) + 1, 0, added)
  if (children.length <= FANOUT) return
  let left = parent
  if (!left.parent) parent.children = [(left = node(parent, children))] // the root stays, and what it had goes down
  const right = node(null, children.splice(FANOUT / 2))
  left.visible -= right.visible
  adopt(left, right)
}

/**
 * Adds to what is visible below a node and those above it.
 * @param {Node | null} node
 * @param {number} change
 */
function addVisible(node, change) {
  for (; node; node = node.parent) node.visible += change
}

/** @param {Run} run */
function visibleBefore(run) {
  let before = 0
  for (let found = /** @type {any} */ (run); found.parent; found = found.parent) {
    for (const sibling of found.parent.children) {
      if (sibling === found) break
      before += sibling.visible
    }
  }
  return before
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
const unitAt = ({ content, count }, point) => (count === content.length ? point : unitsTo(content, point, 0))

/**
 * Which place of a run a unit belongs to.
 * @param {Run} run
 * @param {number} unit
 */
function pointAt({ content, count }, unit) {
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
const cut = (run, start, count) => run.content.slice(unitAt(run, start), unitAt(run, start + count))

/**
 * @param {Content[]} parts
 * @param {Content} empty
 */
const joined = (parts, empty, depth = 1) => (typeof empty === 'string' ? parts.join('') : parts.flat(depth))
