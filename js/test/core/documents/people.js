// People who edit one document on several devices: a small model of replicas for the tests of undo.

import { assign } from '../../../src/core/documents/assign.js'
import { Document } from '../../../src/core/documents/document.js'
import { Editor } from '../../../src/core/documents/edit.js'
import { History } from '../../../src/core/documents/history.js'
import { CounterObject, List, MapObject, SetObject, TextObject } from '../../../src/core/documents/objects.js'
import { Difference, foldWithout } from '../../../src/core/documents/undo.js'
import { Event } from '../../../src/core/events.js'
import { StampClock } from '../../../src/core/stamps.js'
import { ITEM, NOW } from './examples.js'

/** @typedef {import('../../dice.js').Dice} Dice */

const FIRST = {
  title: 'Milk',
  tags: { $set: ['shop', 'urgent'] },
  body: { $text: 'two litres' },
  count: { $counter: 2 },
  steps: ['go', 'pay', { and: ['back'] }],
  inner: { a: 1, b: { c: true } },
}

/** The log all devices push to and pull from. */
export class Log {
  /** @type {Event[]} */
  events = []
  now = NOW
}

/** One replica of one person: what it has seen of the log, and what it has not pushed yet. */
export class Device {
  /**
   * @param {Log} log
   * @param {string} user
   * @param {string} node
   */
  constructor(log, user, node) {
    this.log = log
    this.user = user
    this.node = node
    this.n = 0
    this.stamps = new StampClock(node)
    this.seen = 0
    /** @type {Event[]} */
    this.pending = []
    this.document = new Document(ITEM)
  }

  get events() {
    return [...this.log.events.slice(0, this.seen), ...this.pending]
  }

  /**
   * One event.
   * @param {(editor: Editor) => void} act
   * @param {Record<string, any>} [meta]
   */
  edit(act, meta) {
    const editor = new Editor(this.document, this.stamps.next(++this.log.now, this.n))
    act(editor)
    this.n++
    this.document.clock.set(this.node, this.n)
    const clock = Object.fromEntries([...this.document.clock].sort())
    const fields = { id: editor.event, item: ITEM, action: 'edit', node: this.node, user: this.user, clock, meta }
    const event = Event.of({ ...fields, ops: structuredClone(editor.ops) })
    this.pending.push(event)
    return event
  }

  /**
   * An edit that is in the log at once.
   * @param {(editor: Editor) => void} act
   */
  make(act) {
    this.edit(act)
    this.sync()
  }

  /** Pulls, then pushes. */
  sync() {
    for (const event of this.log.events.slice(this.seen)) {
      this.stamps.receive(event.id)
      this.document.fold(event)
    }
    this.log.events.push(...this.pending)
    this.pending = []
    this.seen = this.log.events.length
  }

  undo() {
    return this._step(new History(this.events).undo(this.user))
  }

  redo() {
    return this._step(new History(this.events).redo(this.user))
  }

  /** @param {import('../../../src/core/documents/history.js').Step | null} step */
  _step(step) {
    if (!step) return false
    const { undoes, once, leftOut, touched } = step
    const target = foldWithout(new Document(ITEM), this.events, leftOut, this.document.overruled, { about: touched })
    this.edit((editor) => new Difference(editor, target, once).touched(touched), { undoes })
    return true
  }

  /**
   * Back to what the first `seq` events this device knows made.
   * @param {number} seq
   */
  restore(seq) {
    const target = new Document(ITEM)
    for (const event of this.events.slice(0, seq)) target.fold(event)
    if (target.isMade) this.edit((editor) => new Difference(editor, target).whole())
  }
}

/**
 * The objects that show.
 * @param {Document} document
 */
export const objects = (document) => [...document.objects.values()].filter((each) => document.isVisible(each))

/** @param {Editor} editor */
export function create(editor) {
  for (const [key, value] of Object.entries(FIRST)) editor.put(editor.document.find(''), key, value)
}

/**
 * The oracle: what shows when what is undone, and every undo and redo, is left out of the fold.
 * @param {Event[]} events
 */
export function foldWithoutUndone(events) {
  const history = /** @type {any} */ (new History(events))
  const leftOut = new Set()
  for (const [root, chain] of history._chains) {
    for (const key of history._standing(root).length ? chain : [root, ...chain]) {
      for (const event of history._of(key)) leftOut.add(event.id)
    }
  }
  return foldWithout(new Document(ITEM), events, leftOut, new Set())
}

// Edits

const SCALARS = [null, true, false, 0, 1, -2.5, 1e300, '', 'x', '$x', '/a:map', 'é😀']
const KEYS = ['a', 'b', 'a/~1', '', '$c', '😀', '\ue000', '__proto__']
const MEMBERS = [1, true, '1', null, [1], { $text: 't' }, { b: 1, a: 2 }]

/**
 * A value as it travels.
 * @param {Dice} dice
 * @returns {any}
 */
export function aValue(dice, depth = 0) {
  const roll = dice.random()
  if (roll < 0.4 || depth > 2) return dice.choose(SCALARS)
  if (roll < 0.55) {
    const members = Object.fromEntries(dice.several(KEYS, dice.below(3)).map((key) => [key, aValue(dice, depth + 1)]))
    return '$c' in members ? { $map: members } : members
  }
  if (roll < 0.7) return Array.from({ length: dice.below(3) }, () => aValue(dice, depth + 1))
  if (roll < 0.85) return { $text: aText(dice) }
  return roll < 0.93 ? { $counter: dice.below(19) - 9 } : { $set: dice.several(MEMBERS, dice.below(3)) }
}

/** @param {Dice} dice */
export const aText = (dice) => dice.several([...'aé€😀\u{10ffff}\n'], dice.choose([0, 1, 2, 5])).join('')

/** @param {Dice} dice @returns {any} */
const aSmallValue = (dice) =>
  dice.choose([1, 2, 'x', null, true, ['n'], { m: 1 }, { $text: 'new' }, { $counter: 1 }, { $set: [1] }])

/**
 * One to three changes of whatever shows.
 * @param {Dice} dice
 * @param {Editor} editor
 */
export function randomEdit(dice, editor) {
  for (let count = 1 + dice.below(3); count; count--) {
    const shown = objects(editor.document)
    if (shown.length) change(dice, editor, dice.choose(shown))
  }
}

/** @param {Dice} dice @param {Editor} editor @param {any} target */
function change(dice, editor, target) {
  if (target instanceof MapObject) changeMap(dice, editor, target)
  else if (target instanceof List) changeList(dice, editor, target)
  else if (target instanceof TextObject) {
    const { length } = target.sequence
    const position = dice.below(length + 1)
    const deleted = Math.min(length - position, dice.choose([0, 0, 1, 3]))
    editor.splice(target, position, deleted, dice.choose(['', 'a', 'bc', '😀']))
  } else if (target instanceof CounterObject) editor.increment(target, dice.below(7) - 3)
  else if (target instanceof SetObject) {
    const member = dice.choose(['shop', 'urgent', 'x', 1])
    if (dice.random() < 0.5) editor.add(target, member)
    else editor.discard(target, member)
  }
}

/** @param {Dice} dice @param {Editor} editor @param {MapObject} target */
function changeMap(dice, editor, target) {
  const keys = dice.random() < 0.3 || !target.slots.size ? ['a', 'b', 'c'] : [...target.slots.keys()]
  const key = dice.choose(keys)
  const roll = dice.random()
  if (roll < 0.2 && target.slots.has(key)) editor.delete(target, key)
  else if (roll < 0.3) editor.ensure(target, key, dice.choose(['set', 'map', 'text', 'counter', 'list']))
  else if (roll < 0.4) assign(editor, target, key, aSmallValue(dice))
  else editor.put(target, key, aSmallValue(dice))
}

/** @param {Dice} dice @param {Editor} editor @param {List} target */
function changeList(dice, editor, target) {
  const { length } = target.sequence
  const roll = dice.random()
  if (!length || roll < 0.4) {
    editor.insert(target, dice.below(length + 1), Array.from({ length: 1 + dice.below(2) }, () => aSmallValue(dice)))
  } else if (roll < 0.6) editor.remove(target, dice.below(length))
  else if (roll < 0.8) editor.move(target, dice.below(length), dice.below(length))
  else editor.putAt(target, dice.below(length), aSmallValue(dice))
}
