// Revisions: forward and reverse patches of every change, by random editing and by what is easy to get wrong.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { Document } from '../../../src/core/documents/document.js'
import { Editor } from '../../../src/core/documents/edit.js'
import { List, MapObject, Standing } from '../../../src/core/documents/objects.js'
import { MERGE, SERVER_WINS } from '../../../src/core/documents/policies.js'
import { Recorder } from '../../../src/core/documents/recorder.js'
import { blame, record, replay } from '../../../src/core/documents/revisions.js'
import { Event } from '../../../src/core/events.js'
import { MAX_PATCH_OPERATIONS } from '../../../src/core/limits.js'
import { apply } from '../../../src/core/patches.js'
import { Dice } from '../../dice.js'
import { anId, ITEM, NOW } from './examples.js'
import { create, Device, Log, objects, randomEdit } from './people.js'

/** @typedef {import('../../../src/core/documents/recorder.js').Change} Change */
/** @typedef {(editor: Editor) => any} Act */

const SEEDS = Number(process.env.SEEDS ?? 200)
const LOOKBACK = 128

// Every patch leads there and back

/**
 * What `randomEdit` leaves out: marked maps, whole roots, the whole document, values put back, nested values.
 * @param {Dice} dice
 * @param {Editor} editor
 */
function oddEdit(dice, editor) {
  const shown = objects(editor.document)
  const maps = shown.filter((each) => each instanceof MapObject)
  const lists = shown.filter((each) => each instanceof List && each.sequence.length)
  const roll = dice.random()
  if (roll < 0.15) editor.deleteDocument()
  else if (roll < 0.4) editor.restoreDocument()
  else if (roll < 0.45) editor.putRoot(dice.choose([null, 7, { $text: 'all' }, ['a', ['b']], { $map: { $a: 1 } }]))
  else if (roll < 0.48) editor.ensureRoot(dice.choose(['map', 'list', 'set']))
  else if (roll < 0.7 && maps.length) {
    const target = dice.choose(maps)
    const key = dice.choose(['$a', '$text', 'a/b~', '', '__proto__'])
    if (target.slots.has(key) && dice.random() < 0.7) editor.delete(target, key)
    else editor.put(target, key, dice.choose([1, { $map: { $b: [1] } }, { deep: [{ $text: 't' }, { m: {} }] }]))
  } else if (roll < 0.85 && lists.length) {
    const target = dice.choose(lists)
    const { length } = target.sequence
    for (let count = 1 + dice.below(5); count; count--) editor.move(target, dice.below(length), dice.below(length))
  } else putBack(dice, editor)
}

/**
 * Puts back an object that was replaced, as undo does.
 * @param {Dice} dice
 * @param {Editor} editor
 */
function putBack(dice, editor) {
  const hidden = [...editor.document.objects.values()].filter(
    ({ birth, name }) => birth?.parent instanceof MapObject && birth.parent.shows(birth.place)?.name !== name,
  )
  if (!hidden.length) return
  const target = dice.choose(hidden)
  const origin = `${editor.event}:0`
  editor.putBack(target.birth.parent, target.birth.place, new Standing(origin, origin, target))
}

/**
 * The log of a random history on three devices, some of it in groups.
 * @param {number} seed
 */
function play(seed, steps = 14) {
  const dice = new Dice(seed)
  const log = new Log()
  const devices = [new Device(log, 'ann', 'ann1'), new Device(log, 'ann', 'ann2'), new Device(log, 'bob', 'bob1')]
  new Device(log, 'eve', 'eve1').make(create)
  for (const device of devices) device.sync()
  for (let step = 0; step < steps; step++) {
    const device = dice.choose(devices)
    const roll = dice.random()
    const meta = dice.random() < 0.3 ? { group: `g${Math.floor(step / 4)}` } : undefined
    if (roll < 0.3) device.edit((editor) => randomEdit(dice, editor), meta)
    else if (roll < 0.65) {
      device.edit((editor) => [0, 1, 2, 3].forEach(() => dice.choose([randomEdit, oddEdit])(dice, editor)), meta)
    } else if (roll < 0.7) device.undo()
    else if (roll < 0.75) device.redo()
    else device.sync()
  }
  for (const device of devices) device.sync()
  return log.events
}

/**
 * The two properties, of what a patch says when it is sent and read as JSON.
 * @param {Change} change
 * @param {any} before
 * @param {any} after
 */
function checkChange(change, before, after) {
  const { kind, forward, reverse } = JSON.parse(JSON.stringify(change))
  if (kind === 'update') {
    assert.deepEqual(apply(before, forward), after)
    assert.deepEqual(apply(after, reverse), before)
    assert.equal(forward.length, reverse.length)
  } else if (kind === 'create') assert.deepEqual([forward, reverse], [after, null])
  else assert.deepEqual([forward, reverse], [null, before])
}

describe('every patch leads there and back', () => {
  for (const policy of [MERGE, SERVER_WINS]) {
    test(`of random editing under ${policy}`, () => {
      for (let seed = 0; seed < SEEDS; seed++) {
        const document = new Document(ITEM)
        for (const event of play(seed)) {
          const [before, didExist] = [document.value(), document.exists]
          const observer = new Recorder(document)
          const hasChanged = document.fold(event, { policy, observer })
          const change = observer.change()
          if (!change) {
            assert.deepEqual([document.value(), document.exists], [before, didExist], `seed ${seed}`)
            continue
          }
          assert.ok(hasChanged, `seed ${seed}`)
          checkChange(change, before, document.value())
          assert.deepEqual([didExist, document.exists], [change.kind !== 'create', change.kind !== 'delete'], `seed ${seed}`)
        }
      }
    })
  }

  test('revisions lead through a document', () => {
    let count = 0
    for (let seed = 0; seed < SEEDS; seed++) {
      const events = play(seed)
      const [document, plain] = [new Document(ITEM), new Document(ITEM)]
      const values = new Map(events.map((event) => [event.id, plain.fold(event) ? plain.value() : plain.value()]))
      let value = null
      let number = 5
      for (const revision of replay(document, events.map((event) => ({ event, seq: 0, at: 0 })), 5)) {
        assert.equal(revision.number, number++, `seed ${seed}`)
        const after = values.get(revision.ids[revision.ids.length - 1])
        checkChange(revision, value, after)
        value = after
        count++
      }
      assert.deepEqual(value, plain.value(), `seed ${seed}`)
      assert.deepEqual(document.value(), plain.value(), `seed ${seed}`)
    }
    assert.ok(count > SEEDS * 3)
  })

  test('steps of a list are joined to one for each element', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = new Dice(seed)
      const { editor, recorder } = anEditor([...'abcdefgh'])
      const target = at(editor)
      const before = editor.document.value()
      const old = new Set(target.visible())
      for (let step = 0; step < 30; step++) changeList(dice, editor, target)
      const change = recorder.change()
      if (!change) continue
      checkChange(change, before, editor.document.value())
      const now = new Set(target.visible())
      const ops = change.forward.map((/** @type {any} */ operation) => operation.op)
      const count = (/** @type {string} */ kind) => ops.filter((/** @type {string} */ each) => each === kind).length
      assert.ok(ops.length <= 2 * new Set([...old, ...now]).size, `seed ${seed}`)
      assert.equal(count('remove'), [...old].filter((each) => !now.has(each)).length, `seed ${seed}`)
      assert.equal(count('add'), [...now].filter((each) => !old.has(each)).length, `seed ${seed}`)
    }
  })
})

/** @param {Dice} dice @param {Editor} editor @param {List} target */
function changeList(dice, editor, target) {
  const { length } = target.sequence
  const choice = dice.below(4)
  if (choice === 0) editor.insert(target, dice.below(length + 1), [dice.below(9), [dice.below(9)]])
  else if (choice === 1 && length > 2) editor.remove(target, dice.below(length - 1), 2)
  else if (choice === 2 && length) editor.putAt(target, dice.below(length), 'new')
  else if (choice === 3 && length) editor.move(target, dice.below(length), dice.below(length))
}

// One change, one operation

/** A document on which each edit is an event of its own. */
class Desk {
  document = new Document(ITEM)
  /** @type {Event[]} */
  events = []

  /** @param {any} value */
  constructor(value) {
    this.edit((editor) => editor.putRoot(value))
  }

  /**
   * The event of an edit that is made in a copy.
   * @param {Act} act
   * @param {Record<string, any>} [meta]
   */
  event(act, meta) {
    const copy = new Document(ITEM)
    for (const event of this.events) copy.fold(event)
    const n = this.events.length + 1
    const editor = new Editor(copy, anId(n))
    act(editor)
    const fields = { id: editor.event, item: ITEM, action: `act${n}`, node: 'n', clock: { n }, meta }
    const event = Event.of({ ...fields, ops: editor.ops })
    this.events.push(event)
    return event
  }

  /**
   * What an edit changed; checked, too.
   * @param {Act} act
   * @param {Record<string, any>} [meta]
   */
  edit(act, meta) {
    const before = this.document.value()
    const change = record(this.document, this.event(act, meta))
    if (change) checkChange(change, before, this.document.value())
    return change
  }
}

/**
 * The object at a path.
 * @param {{document: Document}} of
 * @param {(string | number)[]} path
 */
function at({ document }, ...path) {
  let target = document.root
  for (const step of path) target = target instanceof MapObject ? target.shows(String(step)) : target.sequence.contentAt(step).value
  return target
}

/**
 * An editor that is about to edit a document, and what records it.
 * @param {any} value
 */
function anEditor(value) {
  const document = new Document(ITEM)
  new Editor(document, anId(1)).putRoot(value)
  const recorder = new Recorder(document)
  return { editor: new Editor(document, anId(2), { observer: recorder }), recorder }
}

const START = {
  a: 1,
  b: { c: { d: 1 } },
  list: ['x', 'y', { z: 1 }],
  text: { $text: 'one' },
  count: { $counter: 1 },
  set: { $set: ['k', 'm'] },
  odd: { $map: { $y: 1 } },
}

/** @param {string} kind @param {string} path @param {Record<string, any>} members */
const op = (kind, path, members = {}) => ({ op: kind, path, ...members })
/** @param {string} path @param {any} value */
const add = (path, value) => op('add', path, { value })
/** @param {string} path @param {any} value */
const replace = (path, value) => op('replace', path, { value })
/** @param {string} path */
const remove = (path) => op('remove', path)
/** @param {string} from @param {string} path */
const move = (from, path) => op('move', path, { from })

describe('one change is one operation', () => {
  for (const [name, act, expected] of /** @type {[string, Act, any[]][]} */ ([
    ['a key put', (e) => e.put(at(e), 'a', 2), [replace('/a', 2)]],
    ['a key added', (e) => e.put(at(e), 'new', { $text: '' }), [add('/new', { $text: '' })]],
    ['a key removed', (e) => e.delete(at(e), 'b'), [remove('/b')]],
    ['a key deep down', (e) => e.put(at(e, 'b', 'c'), 'd', 2), [replace('/b/c/d', 2)]],
    ['an odd key', (e) => e.put(at(e, 'b'), '~/', 2), [add('/b/~0~1', 2)]],
    ['a marked map', (e) => e.put(at(e, 'odd'), '$z', 2), [add('/odd/$map/$z', 2)]],
    ['a mark that came', (e) => e.put(at(e, 'b', 'c'), '$', 1), [replace('/b/c', { $map: { d: 1, $: 1 } })]],
    ['a mark that went', (e) => e.delete(at(e, 'odd'), '$y'), [replace('/odd', {})]],
    ['an insertion', (e) => e.insert(at(e, 'list'), 1, [0, 1]), [add('/list/1', 0), add('/list/2', 1)]],
    ['a removal', (e) => e.remove(at(e, 'list'), 0, 2), [remove('/list/0'), remove('/list/0')]],
    ['an element put', (e) => e.putAt(at(e, 'list'), 1, 0), [replace('/list/1', 0)]],
    ['a move up', (e) => e.move(at(e, 'list'), 0, 2), [move('/list/0', '/list/2')]],
    ['a move down', (e) => e.move(at(e, 'list'), 2, 1), [move('/list/2', '/list/1')]],
    ['inside an element', (e) => e.put(at(e, 'list', 2), 'z', 2), [replace('/list/2/z', 2)]],
    ['a text', (e) => e.splice(at(e, 'text'), 1, 1, 'h'), [replace('/text/$text', 'ohe')]],
    ['a counter', (e) => e.increment(at(e, 'count'), 2), [replace('/count/$counter', 3)]],
    ['a member added', (e) => e.add(at(e, 'set'), 'l'), [add('/set/$set/1', 'l')]],
    ['a member gone', (e) => e.discard(at(e, 'set'), 'm'), [remove('/set/$set/1')]],
    ['the root', (e) => e.putRoot(7), [replace('', 7)]],
    ['true is not 1', (e) => e.put(at(e), 'a', true), [replace('/a', true)]],
  ])) {
    test(name, () => assert.deepEqual(new Desk(START).edit(act)?.forward, expected))
  }

  for (const [name, act] of /** @type {[string, Act][]} */ ([
    ['an equal scalar', (e) => e.put(at(e), 'a', 1)],
    ['an equal object', (e) => e.put(at(e), 'b', { c: { d: 1 } })],
    ['an equal element', (e) => e.putAt(at(e, 'list'), 0, 'x')],
    ['a key that came and went', (e) => [e.put(at(e), 'new', 1), e.delete(at(e), 'new')]],
    ['a mark that came and went', (e) => [e.put(at(e, 'b'), '$', 1), e.delete(at(e, 'b'), '$')]],
    [
      'elements that came and went',
      (e) => [
        e.insert(at(e, 'list'), 1, [1, 2]),
        e.move(at(e, 'list'), 0, 3),
        e.remove(at(e, 'list'), 0),
        e.move(at(e, 'list'), 2, 0),
        e.remove(at(e, 'list'), 1),
      ],
    ],
    ['a move there and back', (e) => [e.move(at(e, 'list'), 0, 2), e.move(at(e, 'list'), 2, 0)]],
    ['characters that came and went', (e) => [e.splice(at(e, 'text'), 0, 0, 'a'), e.splice(at(e, 'text'), 0, 1)]],
    ['a member that is there', (e) => e.add(at(e, 'set'), 'k')],
    ['nothing counted', (e) => e.increment(at(e, 'count'), 0)],
    ['a document deleted and restored', (e) => [e.deleteDocument(), e.restoreDocument()]],
  ])) {
    test(`what shows the same makes no revision: ${name}`, () => assert.equal(new Desk(START).edit(act), null))
  }

  test('one event says what is there in the end', () => {
    const change = new Desk(START).edit((editor) => {
      editor.put(at(editor), 'a', 2)
      editor.put(at(editor), 'new', { $text: '' })
      editor.splice(at(editor, 'new'), 0, 0, 'abc')
      editor.put(at(editor), 'a', 3)
      editor.insert(at(editor, 'list'), 0, [{}])
      editor.put(at(editor, 'list', 0), 'k', 1)
    })
    assert.deepEqual(change?.forward, [replace('/a', 3), add('/new', { $text: 'abc' }), add('/list/0', { k: 1 })])
  })

  test('what changed inside what goes comes back as it was', () => {
    const change = new Desk([START]).edit((editor) => {
      editor.splice(at(editor, 0, 'text'), 0, 3, 'gone')
      editor.add(at(editor, 0, 'set'), 7)
      editor.increment(at(editor, 0, 'count'), 7)
      editor.move(at(editor, 0, 'list'), 0, 1)
      editor.insert(at(editor, 0, 'list'), 0, [7])
      editor.remove(at(editor, 0, 'list'), 1)
      editor.put(at(editor, 0, 'list', 2), 'z', 7)
      editor.delete(at(editor, 0, 'odd'), '$y')
      editor.remove(at(editor), 0)
    })
    assert.deepEqual(change, { kind: 'update', forward: [remove('/0')], reverse: [add('/0', START)] })
  })

  test('paths are those after elements came and went', () => {
    const change = new Desk([0, 1, { a: 1 }]).edit((editor) => {
      editor.put(at(editor, 2), 'a', 2)
      editor.insert(at(editor), 0, ['new'])
      editor.remove(at(editor), 1)
      editor.put(at(editor, 2), 'b', 3)
    })
    assert.deepEqual(change?.forward, [add('/0', 'new'), remove('/1'), replace('/2/a', 2), add('/2/b', 3)])
  })

  test('a map whose mark changes inside one is replaced from where it does', () => {
    const change = new Desk({ m: { $map: { $in: {} } } }).edit((editor) => {
      editor.put(at(editor, 'm', '$in'), 'x', 1)
      editor.put(at(editor, 'm'), 'y', 1)
      editor.put(at(editor), '$z', 1)
    })
    const whole = { $map: { m: { $map: { $in: { x: 1 }, y: 1 } }, $z: 1 } }
    assert.deepEqual(change?.forward, [replace('', whole)])
    assert.deepEqual(change?.reverse, [replace('', { m: { $map: { $in: {} } } })])
  })

  test('a document comes, goes and comes back', () => {
    const desk = new Desk({ a: 1 })
    const gone = desk.edit((editor) => [editor.put(at(editor), 'a', 2), editor.deleteDocument()])
    assert.deepEqual(gone, { kind: 'delete', forward: null, reverse: { a: 1 } })
    assert.equal(desk.edit((editor) => editor.put(at(editor), 'b', 1)), null)
    const back = desk.edit((editor) => editor.restoreDocument())
    assert.deepEqual(back, { kind: 'create', forward: { a: 2, b: 1 }, reverse: null })
  })

  test('an edit between a delete and a restore is a change', () => {
    const desk = new Desk({ a: 1 })
    const event = desk.event((e) => [e.deleteDocument(), e.put(at(e), 'a', 2), e.restoreDocument()])
    const observer = new Recorder(desk.document)
    assert.ok(desk.document.fold(event, { observer }))
    assert.deepEqual(observer.change()?.forward, [replace('/a', 2)])
  })

  test('an editor knows whether anything changed', () => {
    const { editor } = anEditor({ a: 1 })
    editor.deleteDocument()
    assert.ok(editor.hasChanged)
    editor.restoreDocument()
    assert.ok(!editor.hasChanged)
    editor.put(at(editor), 'a', 2)
    assert.ok(editor.hasChanged)
  })

  test('a root that nobody made is there before it is replaced', () => {
    const document = new Document(ITEM)
    new Editor(document, anId(1)).put(document.find(''), 'a', 1)
    const observer = new Recorder(document)
    new Editor(document, anId(2), { observer }).putRoot([1])
    assert.deepEqual(observer.change()?.reverse, [replace('', { a: 1 })])
  })

  test('a patch that apply would not take replaces more', () => {
    const [one, other] = ['k'.repeat(1000), 'l'.repeat(21)]
    const long = new Desk({ o: { [one]: { [other]: {} } } }).edit((e) => e.put(at(e, 'o', one, other), 'm', 1))
    assert.deepEqual(long?.forward, [replace(`/o/${one}`, { [other]: { m: 1 } })])
    const zeros = Array(MAX_PATCH_OPERATIONS + 1).fill(0)
    const many = new Desk({ a: [], b: 1 }).edit((e) => e.insert(at(e, 'a'), 0, zeros))
    assert.deepEqual(many?.forward, [replace('/a', zeros)])
    const members = zeros.map((_, n) => n)
    const { editor, recorder } = anEditor({ $set: [] })
    for (const member of members) editor.add(at(editor), member)
    assert.deepEqual(recorder.change()?.forward, [replace('', { $set: members.sort() })])
  })

  test('a list in which too much came and went is replaced', () => {
    const { editor, recorder } = anEditor(['x', 'y'])
    const target = at(editor)
    const many = Array.from({ length: LOOKBACK + 2 }, (_, n) => n)
    editor.insert(target, 0, many)
    editor.remove(target, 0)
    editor.putAt(target, LOOKBACK + 2, 'z')
    editor.remove(target, LOOKBACK + 1)
    const forward = [replace('', [...many.slice(1), 'z'])]
    assert.deepEqual(recorder.change(), { kind: 'update', forward, reverse: [replace('', ['x', 'y'])] })
  })
})

describe('revisions', () => {
  test('say who did what when', () => {
    const desk = new Desk({ a: 1 })
    desk.event((e) => e.put(at(e), 'a', 1))
    desk.event((e) => e.put(at(e), 'a', 2), { undoes: 'that' })
    const [first, second, third] = desk.events
    const placed = [{ event: first, seq: 7, at: 111 }, { event: second, seq: 8, at: 112 }, { event: third, seq: 0, at: 0 }]
    /** @type {any[]} */
    const asked = []
    const revisions = [...replay(new Document(ITEM), placed, 1, (seq) => (asked.push(seq), MERGE))]
    assert.deepEqual(asked, [7, 8, undefined])
    assert.deepEqual(revisions, [
      {
        number: 1, seq: 7, at: 111, ids: [first.id], user: null, node: 'n', action: 'act1',
        kind: 'create', forward: { a: 1 }, reverse: null, undoes: null,
      },
      {
        number: 2, seq: null, at: NOW + 3, ids: [third.id], user: null, node: 'n', action: 'act3',
        kind: 'update', forward: [replace('/a', 2)], reverse: [replace('/a', 1)], undoes: 'that',
      },
    ])
  })

  /** @param {Event[]} events */
  const replayed = (events) => [...replay(new Document(ITEM), events.map((event) => ({ event, seq: 0, at: 0 })))]

  test('neighbours of a group are one', () => {
    const desk = new Desk({ a: 1 })
    for (const [n, group] of ['g', 'g', 'h', undefined, 'g'].entries()) {
      desk.event((e) => e.put(at(e), 'a', n + 2), group ? { group } : undefined)
    }
    const revisions = replayed(desk.events)
    assert.deepEqual(revisions.map(({ ids }) => ids.length), [1, 2, 1, 1, 1])
    assert.deepEqual(revisions[1].forward, [replace('/a', 3)])
    assert.deepEqual(revisions[1].reverse, [replace('/a', 1)])
  })

  test('a group of two nodes is two', () => {
    const desk = new Desk({ a: 1 })
    desk.event((e) => e.put(at(e), 'a', 2), { group: 'g' })
    const event = desk.event((e) => e.put(at(e), 'a', 3), { group: 'g' })
    const other = new Event({ ...event.value, node: 'm', clock: { m: 1 } })
    assert.equal(replayed([...desk.events.slice(0, 2), other]).length, 3)
  })

  test('an erased event, which tells no user, stays in its group', () => {
    const desk = new Desk({ a: 1 })
    for (const n of [2, 3]) desk.event((e) => e.put(at(e), 'a', n), { group: 'g' })
    for (const gone of [1, 2]) {
      const events = desk.events.map((event, n) => (n === gone ? event : new Event({ ...event.value, user: 'ann' })))
      assert.deepEqual(replayed(events).map(({ ids }) => ids.length), [1, 2])
    }
  })

  test('an event that was folded makes none', () => {
    const desk = new Desk({ a: 1 })
    assert.equal(record(desk.document, desk.events[0]), null)
  })
})

describe('blame', () => {
  /** @param {string} event */
  const by = (event, start = 0, length = 1) => ({ event, start, length })

  test('is who put what shows', () => {
    const desk = new Desk(START)
    for (const act of /** @type {Act[]} */ ([
      (e) => e.put(at(e), 'a', 2),
      (e) => e.putAt(at(e, 'list'), 1, 0),
      (e) => e.splice(at(e, 'text'), 1, 1, 'a😀'),
      (e) => e.add(at(e, 'set'), 'l'),
      (e) => e.increment(at(e, 'count'), 1),
      (e) => e.increment(at(e, 'count'), 1, 'undo'),
    ])) {
      desk.edit(act)
    }
    const [first, put, element, text, member, , once] = desk.events.map(({ id }) => id)
    for (const [path, expected] of /** @type {[any[], any[]][]} */ ([
      [[], [by(first)]],
      [['b', 'c', 'd'], [by(first)]],
      [['a'], [by(put)]],
      [['list', 1], [by(element)]],
      [['list', 2, 'z'], [by(first)]],
      [['list'], [by(first)]],
      [['text'], [by(first), by(text, 1, 3), by(first, 4)]],
      [['set'], [by(first), by(member, 1), by(first, 2)]],
      [['set', 1], [by(member)]],
      [['count'], [by(first), by(once)]],
    ])) {
      assert.deepEqual(blame(desk.document, path), expected, path.join('/'))
    }
  })

  test('joins neighbours of one event', () => {
    const desk = new Desk({ $text: 'abcd' })
    desk.edit((e) => e.splice(at(e), 1, 2))
    assert.deepEqual(blame(desk.document, []), [by(desk.events[0].id, 0, 2)])
  })

  test('goes to who put it first, not to who put it back', () => {
    const ann = new Device(new Log(), 'ann', 'ann1')
    const put = (/** @type {any} */ value) => ann.edit((e) => e.put(at(e), 'a', value))
    put(1)
    const { id } = put(2)
    put(3)
    ann.undo()
    assert.deepEqual(blame(ann.document, ['a']), [by(id)])
    assert.deepEqual(blame(ann.document, []), [])
  })

  test('is for nobody where nothing is', () => {
    const desk = new Desk(START)
    for (const path of [['no'], ['toString'], ['list', 9], ['list', '0'], ['a', 'b'], ['text', 0], ['set', 5], ['set', 0, 0]]) {
      assert.throws(() => blame(desk.document, path), RangeError, path.join('/'))
    }
    desk.edit((e) => e.deleteDocument())
    assert.throws(() => blame(desk.document, []), RangeError)
  })
})
