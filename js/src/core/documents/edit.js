/**
 * Editing: what a person wants, as ops against the state they see.
 *
 * An `Editor` drafts the ops of one event and carries each out at once, so that the next one sees it. It names in
 * `over` whatever stands in the slots it writes. What it is asked is about objects and positions; paths, patches and
 * proxies are built on it. Values become the event's: whoever passed them must not change them.
 *
 * @typedef {import('./document.js').Document} Document
 * @typedef {import('./fold.js').Observer} Observer
 * @typedef {import('./objects.js').CounterObject} CounterObject
 * @typedef {import('./objects.js').Element} Element
 * @typedef {import('./objects.js').List} List
 * @typedef {import('./objects.js').MapObject} MapObject
 * @typedef {import('./objects.js').Obj} Obj
 * @typedef {import('./objects.js').SetObject} SetObject
 * @typedef {import('./objects.js').Slot} Slot
 * @typedef {import('./objects.js').Standing} Standing
 * @typedef {import('./objects.js').TextObject} TextObject
 * @typedef {import('./ops.js').Op} Op
 */

import { fail } from '../../errors.js'
import { encode } from '../canonical.js'
import { MAX_DEPTH } from '../limits.js'
import { isContainer } from '../json.js'
import { Fold } from './fold.js'
import { child, compare, MAP, MAX_NAMES, root, short, stretch } from './names.js'
import { Ref } from './objects.js'
import { size } from './ops.js'
import { ORIGINAL, standingIn } from './runs.js'
import { check, depthOf } from './values.js'

/**
 * One event in the making. Positions and keys that are not there raise RangeError, odd values bad_op.
 *
 * A position in a text counts UTF-16 code units. Inside a surrogate pair it means: behind it to insert, all of it to
 * delete. Half a pair is not inserted (bad_json).
 */
export class Editor {
  /**
   * @param {Document} document
   * @param {string} event the id the event will have, greater than all the document has seen
   * @param {{observer?: Observer | null}} [options]
   */
  constructor(document, event, { observer = null } = {}) {
    this.document = document
    this.event = event
    /** The ops as they travel. @type {Op[]} */
    this.ops = []
    this._didExist = document.exists
    this._fold = new Fold(document, event, { observer })
    /** The place of the last character that the last op inserted; -1 if it inserted none. */
    this._typed = -1
    /**
     * Where the last op deleted its last stretch: text, first place, count.
     * @type {[TextObject, number, number] | null}
     */
    this._erased = null
  }

  /** Whether the document shows something else than before this event. */
  get hasChanged() {
    const { exists } = this.document
    return exists !== this._didExist || (exists && this._fold.hasChanged)
  }

  // Maps

  /**
   * Puts a value (as it travels) under a key, over all that stands there. Fails with bad_op or too_deep.
   * @param {MapObject} target like wherever a map is meant: `document.top` with the key '' is the document itself
   * @param {string} key
   * @param {any} value
   */
  put(target, key, value) {
    this._check(target, value)
    this._write('put', target, { key, over: target.slots.get(key), value })
  }

  /**
   * Empties a key.
   * @param {MapObject} target
   * @param {string} key
   */
  delete(target, key) {
    const over = target.slots.get(key)
    if (!over) throw new RangeError('There is no such key.')
    this._write('del', target, { key, over })
  }

  /**
   * The child that is the same wherever it is made under this key, which shows it.
   * @param {MapObject} target
   * @param {string} key
   * @param {string} kind
   */
  ensure(target, key, kind) {
    const isTop = target === this.document.top
    const found = this.document.find(isTop ? root(kind) : child(target.name, key, kind)) ?? tooDeep()
    if (target.shows(key) !== found) this._write('ensure', target, { key, kind, over: target.slots.get(key) })
    return found
  }

  /**
   * Makes the document a value.
   * @param {any} value
   */
  putRoot(value) {
    this.put(this.document.top, '', value)
  }

  /**
   * Makes the document a root of this kind, the same wherever it is made.
   * @param {string} kind
   */
  ensureRoot(kind) {
    return this.ensure(this.document.top, '', kind)
  }

  // Lists

  /**
   * Inserts values before an index.
   * @param {List} target
   * @param {number} index
   * @param {any[]} inserted
   */
  insert(target, index, inserted) {
    for (const value of inserted) this._check(target, value)
    this._write('insert', target, { after: this._place(target.sequence.before(index)), values: [...inserted] })
  }

  /**
   * Puts a value in the place of an element.
   * @param {List} target
   * @param {number} index
   * @param {any} value
   */
  putAt(target, index, value) {
    this._check(target, value)
    const { place, puts } = target.sequence.contentAt(index)
    this._write('put', target, { elem: this._place(place), over: this._others(puts, place), value })
  }

  /**
   * Removes elements.
   * @param {List} target
   * @param {number} index
   * @param {number} [count]
   */
  remove(target, index, count = 1) {
    const elements = /** @type {Element[]} */ (target.sequence.visible(index, index + count))
    if (elements.length < count) throw new RangeError(`There are ${target.sequence.length} elements.`)
    const over = elements.flatMap(({ puts, place }) => this._others(puts, place))
    this._write('del', target, { elems: this._stretches(elements.map(({ place }) => place)), over })
  }

  /**
   * Moves an element, so that it has the index `to` afterwards.
   * @param {List} target
   * @param {number} index
   * @param {number} to
   */
  move(target, index, to) {
    const { sequence } = target
    const { place, homes } = sequence.contentAt(index)
    sequence.placeAt(to)
    const after = this._place(sequence.before(to <= index ? to : to + 1))
    this._write('move', target, { after, elem: this._place(place), over: this._others(homes, place) })
  }

  // Texts

  /**
   * Deletes what is after a position, and inserts something there.
   * @param {TextObject} target
   * @param {number} position
   * @param {number} [deleted] how many UTF-16 code units
   * @param {string} [inserted]
   */
  splice(target, position, deleted = 0, inserted = '') {
    const { sequence } = target
    if (!(position >= 0 && deleted >= 0 && position + deleted <= sequence.length)) {
      throw new RangeError(`The text has ${sequence.length} UTF-16 code units.`)
    }
    const count = countOf(inserted)
    const start = deleted ? sequence.floor(position) : sequence.ceil(position)
    if (deleted) this._deleteCharacters(target, start, sequence.ceil(position + deleted) - start)
    if (count) this._insertCharacters(target, start, inserted, count)
  }

  /**
   * @param {TextObject} target
   * @param {number} position
   * @param {number} count
   */
  _deleteCharacters(target, position, count) {
    const states = target.sequence.statesAt(position, count)
    if (states.size > 1 || !states.has(ORIGINAL)) {
      const places = target.sequence.places(position, count).flatMap(([place, many]) => range(place, many))
      this.removeCharacters(target, places)
      return
    }
    for (const [place, many] of this._fold.deleteAt(target, position, count)) this._noteErased(target, place, many)
  }

  /**
   * Deleting goes on in the last op, if that deleted here, and in its last stretch, forwards or backwards.
   * @param {TextObject} target
   * @param {number} place
   * @param {number} count
   */
  _noteErased(target, place, count) {
    const [text, first, length] = this._erased ?? [null, 0, 0]
    if (text !== target) {
      this._append({ elems: [], in: short(target.name, this.event), op: 'del' })
      this._fold.k++
    }
    const { elems } = /** @type {any} */ (this.ops[this.ops.length - 1])
    if (text === target && (place === first + length || place === first - count)) {
      elems.pop()
      place = Math.min(place, first)
      count += length
    }
    elems.push(stretch(this._place(place), count))
    this._erased = [target, place, count]
  }

  /**
   * Typing goes on in the last op, if that inserted the character before.
   * @param {TextObject} target
   * @param {number} position
   * @param {string} text
   * @param {number} count
   */
  _insertCharacters(target, position, text, count) {
    this._checkRoom(count)
    const after = target.sequence.before(position)
    if (after !== null && after === this._typed) /** @type {any} */ (this.ops[this.ops.length - 1]).text += text
    else {
      const where = short(target.name, this.event)
      if (after === null) this._append({ in: where, op: 'insert', text })
      else this._append({ after: this._place(after), in: where, op: 'insert', text })
      this._fold.k++
    }
    this._typed = this._fold.insertAt(target, position, text)
  }

  // Counters and sets

  /**
   * Adds to a counter. Fails with bad_op unless `by` is a whole number within ±(2^53−1).
   * @param {CounterObject} target
   * @param {number} by
   * @param {string | null} [once]
   */
  increment(target, by, once) {
    if (!Number.isSafeInteger(by)) fail('bad_op', 'A counter takes whole numbers within ±(2^53−1).')
    this._write('inc', target, { by, once: once ?? undefined })
  }

  /**
   * Adds a plain JSON value to a set; one that is there is added again, and so outlives a concurrent discard.
   * @param {SetObject} target
   * @param {any} member
   */
  add(target, member) {
    this._write('add', target, { over: target.members.get(encode(member)), value: member })
  }

  /**
   * Takes a value from a set, as far as it was seen to be there.
   * @param {SetObject} target
   * @param {any} member
   */
  discard(target, member) {
    const over = target.members.get(encode(member))
    if (over) this._write('discard', target, { over, value: member })
  }

  // The whole document

  /** Deletes the document; its content stays underneath. */
  deleteDocument() {
    this.do({ op: 'delete' })
  }

  /** Makes the document exist, unless some op did: as an empty map nothing else may have to be said of it. */
  createDocument() {
    if (!this.document.isMade) this.do({ op: 'ensure', kind: MAP })
  }

  /** Ends the deletes that stand. */
  restoreDocument() {
    const over = [...this.document.deletes].sort(compare)
    if (over.length) this._write('restore', this.document.top, { over })
  }

  // Back to what was there before: see undo.js

  /**
   * Puts what an earlier put of this slot had put there, with its rank.
   * @param {MapObject} target
   * @param {string} key
   * @param {Standing} put
   */
  putBack(target, key, put) {
    this._write('put', target, { key, over: target.slots.get(key), ...this._again(put) })
  }

  /**
   * The same for an element of a list.
   * @param {List} target
   * @param {Element} element
   * @param {Standing} put
   */
  putBackAt(target, element, put) {
    this._write('put', target, { elem: this._place(element.place), over: element.puts, ...this._again(put) })
  }

  /**
   * Moves an element to where an earlier insertion or move put it.
   * @param {List} target
   * @param {Element} element
   * @param {Standing} home
   */
  moveBack(target, element, home) {
    const again = short(home.origin, this.event)
    this._write('move', target, { again, elem: this._place(element.place), over: element.homes })
  }

  /**
   * Removes an element, wherever it is.
   * @param {List} target
   * @param {Element} element
   */
  removeElement(target, element) {
    this._write('del', target, { elems: [this._place(element.place)], over: element.puts })
  }

  /**
   * Removes characters, wherever they are.
   * @param {TextObject} target
   * @param {number[]} places
   */
  removeCharacters(target, places) {
    if (!places.length) return
    const states = new Set(places.map((place) => target.sequence.stateOf(place)))
    const over = [...new Set([...states].flatMap(standingIn))].filter(Boolean).sort(compare)
    this._write('del', target, { elems: this._stretches(places), over })
  }

  /**
   * Puts characters back where they were.
   * @param {TextObject} target
   * @param {number[]} places
   */
  putBackCharacters(target, places) {
    if (places.length) this._write('put', target, { elems: this._stretches(places) })
  }

  /** @param {Standing} put */
  _again({ value, origin }) {
    const again = short(origin, this.event)
    return value instanceof Ref ? { again, object: short(value.name, this.event) } : { again, value }
  }

  // Drafting

  /**
   * Drafts an op on an object, `over` what stands there: puts, or their names.
   * @param {string} op
   * @param {Obj} target
   * @param {Omit<Partial<Op>, 'over'> & {over?: readonly any[]}} members
   */
  _write(op, target, { over, ...members }) {
    const isTop = target === this.document.top
    this.do({
      ...members,
      op,
      in: short(target.name, this.event) || undefined,
      key: isTop ? undefined : members.key,
      over: over?.length ? over.map((put) => short(put.name ?? put, this.event)) : undefined,
    })
  }

  /**
   * Carries out an op that fits this very state, and takes it into the event; undefined members are absent.
   * @param {Op} op
   */
  do(op) {
    const made = /** @type {any} */ ({})
    for (const member of MEMBERS) if (op[member] !== undefined) made[member] = op[member]
    this._checkRoom(size(made))
    this._append(made)
    this._fold.do(made)
  }

  /** @param {number} count */
  _checkRoom(count) {
    if (this._fold.k + count >= MAX_NAMES - 1) fail('event_too_large', `One event makes fewer than ${MAX_NAMES} names.`)
  }

  /** @param {Op} op */
  _append(op) {
    this.document.isMade = true
    this.ops.push(op)
    this._typed = -1
    this._erased = null
  }

  /** @param {Obj} target @param {any} value */
  _check(target, value) {
    if (!isContainer(value)) return
    check(value)
    if (target.depth + depthOf(value) > MAX_DEPTH) tooDeep()
  }

  /**
   * @template {number | null} T
   * @param {T} place
   * @returns {T extends null ? undefined : string}
   */
  _place(place) {
    return /** @type {any} */ (place === null ? undefined : short(this.document.nameOf(place), this.event))
  }

  /**
   * The puts of an element's slot but for its insertion, which goes without saying.
   * @param {Slot} slot
   * @param {number} place
   */
  _others(slot, place) {
    const own = this.document.nameOf(place)
    return slot.filter((put) => put.name !== own)
  }

  /** @param {number[]} places */
  _stretches(places) {
    /** @type {[number, number][]} */
    const found = []
    for (const place of places) {
      const last = found[found.length - 1]
      if (last && last[0] + last[1] === place) last[1]++
      else found.push([place, 1])
    }
    return found.map(([first, count]) => stretch(this._place(first), count))
  }
}

/** The members of ops, in canonical order. */
const MEMBERS = /** @type {(keyof Op)[]} */ (
  'after again by elem elems in key kind object once op over text value values'.split(' ')
)

/** @returns {never} */
const tooDeep = () => fail('too_deep', `Documents nest at most ${MAX_DEPTH} deep.`)

/**
 * @param {number} first
 * @param {number} count
 */
const range = (first, count) => Array.from({ length: count }, (_, at) => first + at)

/**
 * How many code points a text has.
 * @param {string} text
 */
function countOf(text) {
  let count = 0
  for (let at = 0; at < text.length; at++, count++) {
    const point = /** @type {number} */ (text.codePointAt(at))
    if (point > 0xffff) at++
    else if (point >> 11 === 0xd800 >> 11) fail('bad_json', 'A text holds a lone surrogate.')
  }
  return count
}
