// What replicas create apart is one document.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { create } from '../../../src/core/documents/creation.js'
import { Document } from '../../../src/core/documents/document.js'
import { Editor } from '../../../src/core/documents/edit.js'
import { check } from '../../../src/core/documents/ops.js'
import { markMap } from '../../../src/core/documents/values.js'
import { anEvent, anId, ITEM } from './examples.js'

/** @typedef {import('../../../src/core/events.js').Event} Event */

/**
 * The event of the n-th node.
 * @param {number} n
 * @param {(editor: Editor) => void} act
 * @param {Event[]} seen
 */
function event(n, act, ...seen) {
  const editor = new Editor(folded(...seen), anId(n, `n${n}`))
  act(editor)
  check(editor.ops)
  const made = anEvent(n, editor.ops, `n${n}`)
  assert.deepEqual(folded(...seen, made).value(), editor.document.value())
  return made
}

/** @param {number} n @param {any} members @param {Event[]} seen */
const created = (n, members, ...seen) => event(n, (editor) => create(editor, members), ...seen)

/** @param {Event[]} events */
function folded(...events) {
  const document = new Document(ITEM)
  for (const each of events) document.fold(each)
  return document
}

for (const members of [
  {},
  { a: 1, $b: null, '': {} },
  { tags: { $set: [1] }, body: { $text: 'hi' }, n: { $counter: 3 }, l: [1, [2]], m: { x: { $counter: 0 } } },
]) {
  test(`what is created apart is the same, but for lists and texts: ${JSON.stringify(members)}`, () => {
    const [one, other] = [created(1, members), created(2, members)]
    assert.ok(folded(one).exists)
    assert.deepEqual(folded(one).value(), markMap(members))
    const both = 'l' in members ? { ...members, l: [1, [2], 1, [2]], body: { $text: 'hihi' } } : members
    for (const document of [folded(one, other), folded(other, one)]) {
      assert.deepEqual(document.value(), markMap(both))
      assert.deepEqual(document.conflicts(), [])
    }
  })
}

test('a counter begins once, but is set again by what is added', () => {
  const [one, other] = [created(1, { n: { $counter: 3 } }), created(2, { n: { $counter: 5 } })]
  assert.deepEqual(folded(one, other).value(), { n: { $counter: 3 } })
  assert.deepEqual(folded(one, created(3, { n: { $counter: 5 } }, one)).value(), { n: { $counter: 5 } })
})

test('what was deleted is created anew, without what was there', () => {
  const one = created(1, { a: 1, m: { x: 1, y: 2 } })
  const gone = event(2, (editor) => editor.deleteDocument(), one)
  assert.ok(!folded(one, gone).exists)
  assert.deepEqual(folded(one, gone, created(3, { m: { y: 2 } }, one, gone)).value(), { m: { y: 2 } })
})
