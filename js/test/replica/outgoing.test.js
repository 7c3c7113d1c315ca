// What a replica may push while it knows events that others have to push.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { mayPassOn } from '../../src/replica/foresight.js'
import { outgoing } from '../../src/replica/outgoing.js'
import { newState } from '../../src/stores/index.js'
import { Author } from '../author.js'

const state = { ...newState('n'), user: 'ann' }

test('what names something heard waits, with what follows on its item and the rest of its transaction', () => {
  const [me, bob] = [new Author('a', 'ann'), new Author('b', 'bob')]
  const heard = bob.event('task.1')
  const first = me.event('task.1')
  const naming = me.event('task.1', { ops: [{ op: 'put', over: [heard.id] }], meta: { tx: 'one' } })
  const together = me.event('task.2', { meta: { tx: 'one' } })
  const after = me.event('task.1')
  const behind = me.event('task.2')
  const free = me.event('task.3', { payload: heard.id }) // which is of another item, and names nothing
  const waiting = [first, naming, together, after, behind, free]
  assert.deepEqual(outgoing(waiting, [heard], state), [first, free])
  assert.deepEqual(outgoing(waiting, [], state), waiting)
})

test("one's own from another device is pushed, in order of ids, and so is what one may give", () => {
  const phone = new Author('phone', 'ann').event('task.1')
  const mine = new Author('a', 'ann').event('task.1')
  const bobs = new Author('b', 'bob').event('task.2')
  assert.deepEqual(outgoing([mine], [phone, bobs], state).map(({ id }) => id), [mine.id, phone.id].sort())
  const rule = { user: 'ann', item: '*', action: '.give', type: 'allow', seq: 1, id: '' }
  assert.equal(outgoing([mine], [phone, bobs], { ...state, rules: [rule] }).length, 3)
})

test('whose an event is only its author knows, and administrators give by credentials made for that', () => {
  const [known, unknown] = [new Author('b', 'ann').event('a'), new Author('c', undefined).event('a')]
  const nobodys = { ...unknown, user: undefined }
  assert.equal(mayPassOn(state, known), true)
  assert.equal(mayPassOn(state, /** @type {any} */ (nobodys)), false)
  assert.equal(mayPassOn({ ...state, user: null }, known), false)
  assert.equal(mayPassOn({ ...state, user: '.root' }, known), false)
  assert.equal(mayPassOn({ ...state, user: '.root', actions: ['.give'], items: ['a*'] }, known), true)
  assert.equal(mayPassOn({ ...state, user: '.root', actions: ['.give'], items: ['b*'] }, known), false)
})
