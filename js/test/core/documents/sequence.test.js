// Sequences beside the naive RGA of the paper: long walks of authors who edit apart and hear of each other.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { EVENT, Events } from '../../../src/core/documents/places.js'
import { GONE, ORIGINAL, Run, standingIn, stateOf } from '../../../src/core/documents/runs.js'
import { Sequence } from '../../../src/core/documents/sequence.js'
import { Dice } from '../../dice.js'

const SEEDS = Number(process.env.SEEDS ?? 12)
const AUTHORS = 3
const LETTERS = ['a', 'b', 'c', 'é', '\u0416', '\ud7ff', '\u{1f600}', '\u{10ffff}']

/**
 * @typedef {{event: string, k: number, content: any, state: string}} Place
 * @typedef {{sort: 'insert' | 'change', after: Place | null, event: string, k: number, content: any[], count: number,
 *   gone: string, added: string}} Op
 */

/** RGA as the paper has it: a list of places. */
class Naive {
  /** @type {Place[]} */
  places = []

  get shown() {
    return this.places.filter((place) => place.state)
  }

  /** @param {Op} op */
  insert({ after, event, k, content }) {
    let at = after ? this.places.findIndex((each) => each.event === after.event && each.k === after.k) + 1 : 0
    for (const each of content) {
      while (at < this.places.length && isGreater(this.places[at], event, k)) at++
      this.places.splice(at++, 0, { event, k: k++, content: each, state: ORIGINAL })
    }
  }

  /** @param {Op} op */
  change({ event, k, count, gone, added }) {
    for (const each of this.places) {
      if (each.event === event && each.k >= k && each.k < k + count) each.state = changed(each.state, gone, added)
    }
  }
}

/** @param {Place} place @param {string} event @param {number} k */
const isGreater = (place, event, k) => place.event > event || (place.event === event && place.k > k)

/** @param {string} state @param {string} gone @param {string} added */
const changed = (state, gone, added) =>
  stateOf([...standingIn(state).filter((name) => !standingIn(gone).includes(name)), ...standingIn(added)])

/** @param {Events} events */
const ids = (events) => Array.from({ length: events.size }, (_, number) => events.id(number))

/** For each number, the one that its event would have if they had come in order of their ids. @param {Events} events */
const ranks = (events) => ids(events).map((id) => ids(events).sort().indexOf(id))

class Author {
  /** @param {string} name @param {any} empty */
  constructor(name, empty) {
    this.name = name
    this.empty = empty
    this.events = new Events()
    this.sequence = new Sequence(this.events, empty)
    this.naive = new Naive()
    /** @type {Map<Op, Set<Op>>} */
    this.known = new Map()
    this.stamp = 0
    this.event = ''
    this.k = 0
  }

  /** @param {{event: string, k: number}} name */
  place({ event, k }) {
    return this.events.index(event) * EVENT + k
  }

  /** @param {any[]} content */
  join(content) {
    return this.empty === '' ? content.join('') : content
  }

  /** @param {Partial<Op>} members @returns {Op} */
  record(members) {
    const op = /** @type {any} */ ({ after: null, content: [], count: 0, gone: GONE, added: GONE, ...members })
    this.known.set(op, new Set(this.known.keys()))
    return op
  }

  /** How many units the places before an index take. @param {Place[]} places */
  units(places) {
    return places.reduce((sum, { content }) => sum + (this.empty === '' ? content.length : 1), 0)
  }

  /** @param {number} index @param {any[]} content @param {boolean} isNew */
  write(index, content, isNew) {
    if (isNew || !this.event) {
      this.event = `${String(++this.stamp).padStart(6, '0')}-${this.name}`
      this.k = 0
    }
    const before = this.naive.shown.slice(0, index)
    const after = before.at(-1) ?? null
    const op = this.record({ sort: 'insert', after, event: this.event, k: this.k, content })
    const place = this.place(op)
    const position = this.units(before)
    assert.equal(this.sequence.insertAt(position, place, this.join(content)), after && this.place(after))
    this.naive.insert(op)
    this.k += content.length
  }

  /** @param {number} index @param {number} count */
  erase(index, count) {
    const { shown } = this.naive
    const doomed = shown.slice(index, index + count)
    const position = this.units(shown.slice(0, index))
    const places = this.sequence.places(position, this.units(doomed))
    assert.deepEqual(this.sequence.deleteAt(position, this.units(doomed)), places)
    const gone = stateOf(doomed.flatMap(({ state }) => standingIn(state)))
    assert.deepEqual(places.flatMap(([first, many]) => Array.from({ length: many }, (_, at) => first + at)), doomed.map((each) => this.place(each)))
    for (const [first, many] of places) {
      const [event, k] = [this.events.id(Math.floor(first / EVENT)), first % EVENT]
      this.naive.change(this.record({ sort: 'change', event, k, count: many, gone }))
    }
  }

  /** @param {Place} from @param {number} count */
  putBack({ event, k }, count) {
    const op = this.record({ sort: 'change', event, k, count, added: stateOf([`${this.known.size}-${this.name}`]) })
    this.apply(op)
  }

  /** @param {Op} op */
  apply(op) {
    const place = this.place(op)
    if (op.sort === 'insert') {
      const after = op.after && this.place(op.after)
      assert.ok(this.sequence.insert(after, place, this.join(op.content)))
      assert.ok(!this.sequence.insert(null, place, this.join(op.content)))
      this.naive.insert(op)
    } else {
      const before = this.naive.shown.length
      const shows = this.sequence.change(place, op.count, (state) => changed(state, op.gone, op.added))
      this.naive.change(op)
      assert.equal(shows, before !== this.naive.shown.length)
    }
  }

  /** @param {Author} other */
  hear(other) {
    for (const [op, seen] of other.known) {
      if (this.known.has(op)) continue
      this.apply(op)
      this.known.set(op, seen)
      this.event = ''
    }
    this.stamp = Math.max(this.stamp, other.stamp)
  }

  /** Every question has the answer that the naive sequence gives. */
  check() {
    const { sequence, naive } = this
    const all = naive.places.map((each) => [this.place(each), each.content, each.state])
    assert.deepEqual([...sequence], all)
    assert.deepEqual(sequence.visible(), this.join(naive.shown.map(({ content }) => content)))
    let before = 0
    for (const each of naive.places) {
      const place = this.place(each)
      assert.equal(sequence.position(place), before)
      assert.equal(sequence.stateOf(place), each.state)
      assert.deepEqual(sequence.content(place), each.content)
      if (!each.state) continue
      assert.equal(sequence.placeAt(before), place)
      before += this.units([each])
      assert.equal(sequence.placeAt(before - 1), place)
      assert.equal(sequence.floor(before - 1), before - this.units([each]))
      assert.equal(sequence.ceil(before - 1), before - this.units([each]) + (this.units([each]) - 1) * 2)
    }
    assert.equal(sequence.length, before)
  }

  /** The longest runs, told anew. */
  get runs() {
    return [...this.sequence.runs(ranks(this.events))].map(({ first, stride, content, state, count }) => [first, stride, content, state, count])
  }
}

/** @param {Dice} dice @param {Author[]} authors @param {any} empty */
function step(dice, authors, empty) {
  const author = dice.choose(authors)
  const { places, shown } = author.naive
  const content = () => (empty === '' ? dice.choose(LETTERS) : { is: dice.below(9) })
  const index = dice.below(shown.length + 1)
  const roll = dice.below(10)
  if (roll < 4) author.write(index, Array.from({ length: dice.choose([1, 3, 9, 70, 200]) }, content), roll < 2)
  else if (roll < 5) for (let at = 0; at < 80; at++) author.write(index + at, [content()], true)
  else if (roll < 6) for (let at = 0; at < 9; at++) author.write(index + at, [content()], false)
  else if (roll < 8) author.erase(index, dice.choose([1, 2, 5, 90]))
  else if (roll < 9 && places.length) author.putBack(dice.choose(places), dice.choose([1, 5, 150]))
  else author.hear(dice.choose(authors))
}

/** @param {Author} author @param {Dice} dice */
function retold(author, dice) {
  const other = new Author('new', author.empty)
  const waiting = new Map(author.known)
  while (waiting.size) {
    const ready = [...waiting.keys()].filter((op) => [.../** @type {Set<Op>} */ (waiting.get(op))].every((seen) => other.known.has(seen)))
    const op = dice.choose(ready)
    other.apply(op)
    other.known.set(op, new Set())
    waiting.delete(op)
  }
  return other
}

for (let seed = 0; seed < SEEDS; seed++) {
  const empty = seed % 3 ? '' : []
  test(`authors agree, and with the naive sequence: seed ${seed}`, () => {
    const dice = new Dice(seed)
    const authors = Array.from({ length: AUTHORS }, (_, at) => new Author(`${at}`, empty))
    for (let at = 0; at < 45; at++) step(dice, authors, empty)
    for (const author of [...authors, ...authors]) for (const other of authors) author.hear(other)
    for (const author of [...authors, retold(authors[0], dice)]) {
      author.check()
      assert.deepEqual(author.runs, authors[0].runs)
    }
    const first = authors[0]
    const events = new Events(ids(first.events).sort())
    const again = Sequence.of(events, empty, first.sequence.runs(ranks(first.events)))
    assert.deepEqual(again.visible(), authors[0].sequence.visible())
    assert.deepEqual([...again.runs(ranks(events))].map(({ first, content }) => [first, content]), authors[0].runs.map(([first, , content]) => [first, content]))
  })
}

test('after the same place the greatest name comes first', () => {
  const events = new Events()
  for (const id of ['a', 'c', 'b']) events.index(id)
  const sequence = new Sequence(events, '')
  sequence.insert(null, 0, 'x')
  sequence.insert(0, EVENT, 'later')
  sequence.insert(0, 2 * EVENT, 'between')
  assert.equal(sequence.visible(), 'xlaterbetween')
})

test('what is not there is passed over', () => {
  const sequence = new Sequence(new Events(['a', 'b']), '')
  sequence.insert(null, 0, 'ab')
  assert.ok(!sequence.insert(5 * EVENT, EVENT, 'x'))
  assert.ok(!sequence.insert(null, 1, 'x'))
  assert.ok(!sequence.change(7, 5, () => GONE))
  assert.equal(sequence.visible(), 'ab')
  for (const position of [-1, 2, 99]) assert.throws(() => sequence.placeAt(position), RangeError)
  assert.throws(() => sequence.deleteAt(1, 3), RangeError)
})

test('a position inside a surrogate pair is behind it to insert, and all of it to delete', () => {
  const sequence = new Sequence(new Events(['a', 'b']), '')
  sequence.insert(null, 0, 'a😀b')
  sequence.insertAt(2, EVENT, 'x')
  assert.equal(sequence.visible(), 'a😀xb')
  assert.deepEqual(sequence.deleteAt(2, 2), [[1, 1], [EVENT, 1]])
  assert.equal(sequence.visible(), 'ab')
})

test('keys with an event each are one run', () => {
  const events = new Events()
  const sequence = new Sequence(events, '')
  for (let key = 0; key < 5; key++) sequence.insertAt(key, events.index(`${key}`) * EVENT, 'hello'[key])
  assert.deepEqual([...sequence.runs(ranks(events))], [new Run(0, EVENT, 'hello', ORIGINAL)])
  assert.deepEqual(sequence.deleteAt(1, 2), [[EVENT, 1], [2 * EVENT, 1]])
  assert.equal(sequence.visible(), 'hlo')
})

test('events of a snapshot are known by their order', () => {
  const events = new Events(['a', 'c', 'e'])
  assert.deepEqual([...'aceb0z'].map((id) => events.find(id)), [0, 1, 2, undefined, undefined, undefined])
  assert.deepEqual([...'cbz'].map((id) => events.index(id)), [1, 3, 4])
  assert.deepEqual(ids(events), ['a', 'c', 'e', 'b', 'z'])
  assert.ok(events.less(9, EVENT) && events.less(3 * EVENT, EVENT) && !events.less(4 * EVENT, 2 * EVENT))
  assert.deepEqual(ranks(events), [0, 2, 3, 1, 4])
})
