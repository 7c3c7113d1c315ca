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
import { isContainer } from '../patches.js'
import { Fold } from './fold.js'
import { child, compare, MAP, MAX_NAMES, root, short, stretch } from './names.js'
import { isSame, Ref } from './objects.js'
import { size } from './ops.js'
import { ORIGINAL, standingIn } from './sequence.js'
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
    /** Where the last op deleted its last stretch: text, first place, count. */
    this._erasedIn = /** @type {TextObject | null} */ (null)
    this._erased = 0
    this._erasedCount = 0
  }

  /** Whether the document shows something else than before this event. */
  get hasChanged() {
    const { exists } = this.document
    return exists !== this._didExist || (exists && this._fold.hasChanged)
  }

  // Maps

  /**
   * Puts a value (as it travels) under a key, over all that stands there. Fails with bad_op or too_deep.
   * @param {MapObject} target
   * @param {string} key
   * @param {any} value
   */
  put(target, key, value) {
    this._check(target, value)
    this.do({ op: 'put', in: this._in(target), key, over: this._over(target.slots.get(key)), value })
  }

  /**
   * Empties a key.
   * @param {MapObject} target
   * @param {string} key
   */
  delete(target, key) {
    this.do({ op: 'del', in: this._in(target), key, over: this._over(held(target, key)) })
  }

  /**
   * The child that is the same wherever it is made under this key, which shows it.
   * @param {MapObject} target
   * @param {string} key
   * @param {string} kind
   */
  ensure(target, key, kind) {
    const found = this.document.find(child(target.name, key, kind))
    if (!found) fail('too_deep', `Documents nest at most ${MAX_DEPTH} deep.`)
    if (!isSame(target.shows(key), found)) {
      this.do({ op: 'ensure', in: this._in(target), key, kind, over: this._over(target.slots.get(key)) })
    }
    return found
  }

  /**
   * Makes the document a value.
   * @param {any} value
   */
  putRoot(value) {
    const { top } = this.document
    this._check(top, value)
    this.do({ op: 'put', over: this._over(top.slots.get('')), value })
  }

  /**
   * Makes the document a root of this kind, the same wherever it is made.
   * @param {string} kind
   */
  ensureRoot(kind) {
    const { document } = this
    const found = document.find(root(kind))
    if (!isSame(document.root, found)) this.do({ op: 'ensure', kind, over: this._over(document.top.slots.get('')) })
    return found
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
    const after = this._after(target.sequence.before(index))
    this.do({ op: 'insert', after, in: this._in(target), values: [...inserted] })
  }

  /**
   * Puts a value in the place of an element.
   * @param {List} target
   * @param {number} index
   * @param {any} value
   */
  putAt(target, index, value) {
    this._check(target, value)
    const element = target.sequence.contentAt(index)
    const elem = this._place(element.place)
    this.do({ op: 'put', elem, in: this._in(target), over: this._over(element.puts, new Set([elem])), value })
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
    const places = elements.map((element) => element.place)
    const own = new Set(places.map((place) => this._place(place)))
    const over = this._over(elements.flatMap((element) => element.puts), own)
    const elems = this._stretches(places)
    this.do({ op: 'del', elems, in: this._in(target), over })
  }

  /**
   * Moves an element, so that it has the index `to` afterwards.
   * @param {List} target
   * @param {number} index
   * @param {number} to
   */
  move(target, index, to) {
    const { sequence } = target
    const element = sequence.contentAt(index)
    sequence.placeAt(to)
    const after = this._after(sequence.before(to <= index ? to : to + 1))
    const elem = this._place(element.place)
    this.do({ op: 'move', after, elem, in: this._in(target), over: this._over(element.homes, new Set([elem])) })
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
      this.removeCharacters(target, target.sequence.places(position, count).flatMap(([place, many]) => range(place, many)))
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
    const goesOn = this._erasedIn === target
    const [first, length] = [this._erased, this._erasedCount]
    if (!goesOn) {
      this._append({ elems: [], in: this._in(target), op: 'del' })
      this._fold.k++
    }
    const { elems } = /** @type {any} */ (this.ops[this.ops.length - 1])
    if (goesOn && (place === first + length || place === first - count)) {
      elems.pop()
      place = Math.min(place, first)
      count += length
    }
    elems.push(stretch(this._place(place), count))
    this._erasedIn = target
    this._erased = place
    this._erasedCount = count
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
      const where = this._in(target)
      this._append(after === null ? { in: where, op: 'insert', text } : { after: this._place(after), in: where, op: 'insert', text })
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
    this.do({ op: 'inc', by, in: this._in(target), once: once ?? undefined })
  }

  /**
   * Adds a plain JSON value to a set; one that is there is added again, and so outlives a concurrent discard.
   * @param {SetObject} target
   * @param {any} member
   */
  add(target, member) {
    this.do({ op: 'add', in: this._in(target), over: this._over(target.members.get(encode(member))), value: member })
  }

  /**
   * Takes a value from a set, as far as it was seen to be there.
   * @param {SetObject} target
   * @param {any} member
   */
  discard(target, member) {
    const over = this._over(target.members.get(encode(member)))
    if (over) this.do({ op: 'discard', in: this._in(target), over, value: member })
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
    const over = this._named(this.document.deletes)
    if (over) this.do({ op: 'restore', over })
  }

  // Back to what was there before: see undo.js

  /**
   * Empties a key, or the slot of the document itself.
   * @param {MapObject} target
   * @param {string} key
   */
  clear(target, key) {
    this.do({ op: 'del', ...this._where(target, key), over: this._over(held(target, key)) })
  }

  /**
   * Puts what an earlier put of this slot had put there, with its rank.
   * @param {MapObject} target
   * @param {string} key
   * @param {Standing} put
   */
  putBack(target, key, put) {
    this.do({ op: 'put', ...this._where(target, key), ...this._again(put), over: this._over(target.slots.get(key)) })
  }

  /**
   * The same for an element of a list.
   * @param {List} target
   * @param {Element} element
   * @param {Standing} put
   */
  putBackAt(target, element, put) {
    const elem = this._place(element.place)
    this.do({ op: 'put', elem, in: this._in(target), ...this._again(put), over: this._over(element.puts) })
  }

  /**
   * Moves an element to where an earlier insertion or move put it.
   * @param {List} target
   * @param {Element} element
   * @param {Standing} home
   */
  moveBack(target, element, home) {
    const again = short(home.origin, this.event)
    const elem = this._place(element.place)
    this.do({ op: 'move', again, elem, in: this._in(target), over: this._over(element.homes) })
  }

  /**
   * Removes an element, wherever it is.
   * @param {List} target
   * @param {Element} element
   */
  removeElement(target, element) {
    const elems = [this._place(element.place)]
    this.do({ op: 'del', elems, in: this._in(target), over: this._over(element.puts) })
  }

  /**
   * Removes characters, wherever they are.
   * @param {TextObject} target
   * @param {number[]} places
   */
  removeCharacters(target, places) {
    if (!places.length) return
    const states = new Set(places.map((place) => target.sequence.stateOf(place)))
    const over = this._named(new Set([...states].flatMap(standingIn).filter(Boolean)))
    this.do({ op: 'del', elems: this._stretches(places), in: this._in(target), over })
  }

  /**
   * Puts characters back where they were.
   * @param {TextObject} target
   * @param {number[]} places
   */
  putBackCharacters(target, places) {
    if (places.length) this.do({ op: 'put', elems: this._stretches(places), in: this._in(target) })
  }

  /** @param {MapObject} target @param {string} key */
  _where(target, key) {
    return target === this.document.top ? {} : { in: this._in(target), key }
  }

  /** @param {Standing} put */
  _again({ value, origin }) {
    const again = short(origin, this.event)
    return value instanceof Ref ? { again, object: short(value.name, this.event) } : { again, value }
  }

  // Drafting

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
    this._erasedIn = null
  }

  /** @param {Obj} target @param {any} value */
  _check(target, value) {
    if (!isContainer(value)) return
    check(value)
    if (target.depth + depthOf(value) > MAX_DEPTH) fail('too_deep', `Documents nest at most ${MAX_DEPTH} deep.`)
  }

  /** @param {Obj} target */
  _in(target) {
    return target.name ? short(target.name, this.event) : undefined
  }

  /** @param {number} place */
  _place(place) {
    return short(this.document.events.name(place), this.event)
  }

  /** @param {number | null} place */
  _after(place) {
    return place === null ? undefined : this._place(place)
  }

  /** @param {Slot | undefined} slot @param {Set<string>} [own] names that go without saying */
  _over(slot, own) {
    const over = slot?.map((put) => short(put.name, this.event)).filter((name) => !own?.has(name))
    return over?.length ? over : undefined
  }

  /** @param {Set<string>} names */
  _named(names) {
    return names.size ? [...names].sort(compare).map((name) => short(name, this.event)) : undefined
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

/** The members of ops, in canonical order. @type {(keyof Op)[]} */
const MEMBERS = [
  'after', 'again', 'by', 'elem', 'elems', 'in', 'key', 'kind', 'object', 'once', 'op', 'over', 'text', 'value', 'values',
]

/**
 * The slot of a key that is there.
 * @param {MapObject} target
 * @param {string} key
 */
function held(target, key) {
  const slot = target.slots.get(key)
  if (!slot) throw new RangeError('There is no such key.')
  return slot
}

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
