// Undo, redo and restore, amid other people's edits and on two devices, against an oracle that folds without.

import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'

import { Event } from '../../../src/core/events.js'
import { Dice } from '../../dice.js'
import { anId, ITEM } from './examples.js'
import { create, Device, foldWithoutUndone, Log, randomEdit } from './people.js'

const SEEDS = Number(process.env.SEEDS ?? 200)

/**
 * A random history. Yields each device before and after it undid or redid something.
 * @param {number} seed
 */
function* play(seed, steps = 16) {
  const dice = new Dice(seed)
  const log = new Log()
  const devices = [new Device(log, 'ann', 'ann1'), new Device(log, 'ann', 'ann2'), new Device(log, 'bob', 'bob1')]
  new Device(log, 'eve', 'eve1').make(create)
  for (const device of devices) device.sync()
  for (; steps; steps--) {
    const device = dice.choose(devices)
    const roll = dice.random()
    if (roll < 0.4) device.edit((editor) => randomEdit(dice, editor))
    else if (roll < 0.75) {
      yield device
      if (roll < 0.62) device.undo()
      else device.redo()
      yield device
    } else device.sync()
  }
  for (const device of [...devices, ...devices]) device.sync()
  for (const device of devices) assert.deepEqual(device.document.value(), devices[0].document.value(), `seed ${seed}`)
}

/** @param {Device} device */
const isAsOracle = (device) => same(device.document.value(), foldWithoutUndone(device.events).value())

/** @param {any} one @param {any} other */
function same(one, other) {
  try {
    assert.deepEqual(one, other)
    return true
  } catch {
    return false
  }
}

test('undo and redo show what a fold without them shows', () => {
  // a document differs from the oracle only where somebody emptied a slot while another one undid there
  let differed = 0
  let steps = 0
  for (let seed = 0; seed < SEEDS; seed++) {
    const game = play(seed)
    for (let before = game.next(); !before.done; before = game.next()) {
      const wasAsOracle = isAsOracle(before.value)
      const device = /** @type {Device} */ (game.next().value)
      steps++
      if (!wasAsOracle) differed++
      else assert.ok(isAsOracle(device), `seed ${seed}`)
    }
  }
  assert.ok(steps > SEEDS)
  assert.ok(differed <= steps / 10, `${differed} of ${steps}`)
})

test('undo and restore show what was shown where nobody else wrote', () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const dice = new Dice(seed)
    const device = new Device(new Log(), 'ann', 'ann')
    device.edit(create)
    const values = [device.document.value()]
    for (let step = 0; step < 12; step++) {
      const edit = device.edit((editor) => randomEdit(dice, editor))
      values.push(device.document.value())
      if (edit.ops?.length && dice.random() < 0.3) {
        const [before, after] = values.slice(-2)
        assert.ok(device.undo(), `seed ${seed}`)
        assert.deepEqual(device.document.value(), before, `seed ${seed}`)
        assert.ok(device.redo(), `seed ${seed}`)
        assert.deepEqual(device.document.value(), after, `seed ${seed}`)
        values.push(before, after)
      }
      if (dice.random() < 0.2) {
        const seq = 1 + dice.below(values.length)
        device.restore(seq)
        values.push(device.document.value())
        assert.deepEqual(device.document.value(), values[seq - 1], `seed ${seed}`)
      }
    }
  }
})

// What is easy to get wrong

/** @type {Device} */
let ann
beforeEach(() => {
  ann = new Device(new Log(), 'ann', 'ann')
  ann.edit(create)
})

/** @param {{document: any}} of */
const root = ({ document }) => document.find('')
/** @param {{document: any}} of @param {string} key */
const child = (of, key) => root(of).shows(key)

test('undoing the creation deletes, and redoing it restores', () => {
  const value = ann.document.value()
  assert.ok(ann.undo())
  assert.ok(!ann.document.exists)
  assert.ok(!ann.undo())
  assert.ok(ann.redo())
  assert.deepEqual(ann.document.value(), value)
})

test('a group is undone together', () => {
  const before = ann.document.value()
  ann.edit((editor) => editor.put(root(editor), 'title', 'a'), { group: 'g' })
  ann.edit((editor) => editor.increment(child(editor, 'count'), 3), { group: 'g' })
  assert.ok(ann.undo())
  assert.deepEqual(ann.document.value(), before)
})

test('an undo that finds nothing to change is an undo nevertheless', () => {
  ann.edit((editor) => editor.put(root(editor), 'x', 1))
  const other = new Device(ann.log, 'bob', 'bob')
  ann.sync()
  other.sync()
  other.make((editor) => editor.put(root(editor), 'x', 2))
  ann.sync()
  assert.ok(ann.undo())
  assert.equal(root(ann).shows('x'), 2)
  assert.ok(ann.undo()) // the creation, so the edit is not undone again
  assert.deepEqual(ann.document.value(), { x: 2 })
})

test('who overwrote an edit had seen what that overwrote', () => {
  ann.sync()
  ann.make((editor) => editor.put(root(editor), 'title', 'a'))
  const other = new Device(ann.log, 'bob', 'bob')
  other.sync()
  other.make((editor) => editor.delete(root(editor), 'title'))
  ann.sync()
  assert.ok(ann.undo())
  assert.ok(!('title' in ann.document.value())) // it does not come back, though without the edit it would show
})

test('undoing a delete and a restore of the document', () => {
  const value = ann.document.value()
  ann.edit((editor) => editor.deleteDocument())
  assert.ok(ann.undo())
  assert.deepEqual(ann.document.value(), value)
  assert.ok(ann.redo())
  assert.ok(!ann.document.exists)
  ann.edit((editor) => editor.restoreDocument())
  assert.ok(ann.undo())
  assert.ok(!ann.document.exists)
})

test('restoring another root', () => {
  ann.edit((editor) => editor.putRoot(['a', { $text: 'b' }]))
  ann.edit((editor) => editor.ensureRoot('counter'))
  ann.edit((editor) => editor.increment(editor.document.find(':counter'), 5))
  ann.restore(2)
  assert.deepEqual(ann.document.value(), ['a', { $text: 'b' }])
  ann.restore(4)
  assert.deepEqual(ann.document.value(), { $counter: 5 })
  ann.edit((editor) => editor.putRoot('scalar'))
  ann.restore(1)
  ann.restore(ann.events.length - 1)
  assert.equal(ann.document.value(), 'scalar')
  ann.restore(1)
  assert.equal(ann.document.value().title, 'Milk')
})

test('a counter that went far comes back', () => {
  for (let n = 0; n < 3; n++) {
    ann.edit((editor) => editor.increment(child(editor, 'count'), Number.MAX_SAFE_INTEGER), { group: 'far' })
  }
  assert.ok(ann.undo())
  assert.deepEqual(ann.document.value().count, { $counter: 2 })
})

test('nobody undoes what others did', () => {
  const other = new Device(ann.log, 'bob', 'bob')
  ann.sync()
  other.sync()
  assert.ok(!other.undo())
  assert.ok(!other.redo())
  assert.ok(!new Device(new Log(), 'eve', 'eve').undo())
})

test('an edit that fitted nothing is undone by nothing', () => {
  const nowhere = '018bcfe5-6800-7000-8000-000000000000'
  const value = ann.document.value()
  const ops = [
    { op: 'put', in: `${nowhere}:1`, key: 'a', value: 1 },
    { op: 'del', in: child(ann, 'steps').name, elems: [`${nowhere}:2`] },
    { op: 'del', in: child(ann, 'body').name, elems: [`${nowhere}:2`] },
    { op: 'what' },
  ]
  const made = new Event({ action: 'edit', clock: { odd: 1 }, id: anId(9, 'odd'), item: ITEM, node: 'odd', ops, user: 'ann' })
  ann.document.fold(made)
  ann.pending.push(made)
  assert.ok(ann.undo())
  assert.deepEqual(ann.events[ann.events.length - 1].ops, [])
  assert.deepEqual(ann.document.value(), value)
})

for (const steps of [1, 2, 3, 5]) {
  test(`redo goes forward as far as undo went back: ${steps}`, () => {
    const values = [ann.document.value()]
    for (let n = 0; n < 5; n++) {
      ann.edit((editor) => editor.put(root(editor), 'title', n))
      values.push(ann.document.value())
    }
    for (let time = 0; time < 2; time++) {
      for (let step = 0; step < steps; step++) {
        assert.ok(ann.undo())
        assert.deepEqual(ann.document.value(), values[4 - step])
      }
      for (let step = 0; step < steps; step++) {
        assert.ok(ann.redo())
        assert.deepEqual(ann.document.value(), values[6 - steps + step])
      }
      assert.ok(!ann.redo())
    }
  })
}
