// The order in which a replica gives back what a log has lost.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { inOrder, voucherOf } from '../../src/core/gifts.js'
import { Author, entry } from '../author.js'

/** @param {[seq: number, event: import('../../src/core/events.js').Event][]} placed */
const order = (...placed) =>
  inOrder(placed.map(([seq, event]) => ({ event, voucher: voucherOf('e', entry(seq, event)) }))).map(({ event }) => event)

const [ann, bob, root] = ['ann', 'bob', 'root'].map((name) => new Author(name))

test('what the system wrote is first, the rest as it stood in the log', () => {
  const [a1, b1, a2] = [ann.event('x'), bob.event('x'), ann.event('y')]
  const [policy, rule] = [root.event('.policies'), root.event('.acl')]
  assert.deepEqual(order([5, rule], [3, a2], [1, b1], [2, a1], [4, policy]), [policy, rule, b1, a1, a2])
})

test('of a log that was put back twice, what an event has seen goes before it', () => {
  const [first, second, third] = ann.events(3, 'x')
  bob.events(9) // its ids are above those that it has seen
  const other = bob.event('x', { clock: { ann: second.n, bob: 11 } })
  const elsewhere = bob.event('y')
  // the first came back at 12 before the others did, and was lost again
  assert.deepEqual(order([12, first], [9, third], [10, other], [11, second], [8, elsewhere]), [elsewhere, first, second, third, other])
  assert.deepEqual(order([12, first], [13, second], [9, other]), [first, second, other])
})
