import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Policies } from '../../../src/core/documents/settings.js'

/** @param {number} seq @param {any} payload @returns {any} */
const set = (seq, payload) => ({ seq, event: { item: '.policies', action: '.policy.set', payload } })

/** @param {...any} rules */
const policies = (...rules) => new Policies(rules.map(([seq, item, policy]) => set(seq, { item, policy })))

test('the most specific pattern decides, and of one pattern the newest rule before the seq', () => {
  const rules = policies([1, '*', 'manual'], [2, 'task.*', 'server_wins'], [3, 'task.milk', 'last_write_wins'], [5, 'task.*', 'merge'])
  assert.deepEqual(['task.milk', 'task.bread', 'note'].map((item) => rules.of(item)), ['last_write_wins', 'merge', 'manual'])
  assert.deepEqual([1, 2, 3, 5, 6].map((seq) => rules.of('task.bread', seq)), ['merge', 'manual', 'server_wins', 'server_wins', 'merge'])
  assert.ok(rules.hasChanged('task.bread', 4) && !rules.hasChanged('task.bread', 5) && !rules.hasChanged('note', 1))
})

test('a rule without a policy ends that of its pattern', () => {
  const rules = policies([1, '*', 'manual'], [2, 'a', 'server_wins'], [3, 'a', null])
  assert.equal(rules.of('a'), 'manual')
})

test('rules may come in any order, and twice', () => {
  const rules = policies([5, 'a', 'merge'], [1, 'a', 'manual'], [5, 'a', 'merge'])
  assert.deepEqual([rules.of('a', 3), rules.of('a')], ['manual', 'merge'])
})

test('what is no such event does nothing', () => {
  const others = [set(1, null), set(2, ['a']), set(3, { item: 'a', policy: 'mine' }), set(4, { item: 7, policy: 'manual' })]
  const away = { seq: 5, event: { ...set(5, { item: 'a', policy: 'manual' }).event, item: 'a' } }
  assert.equal(new Policies([...others, away]).of('a'), 'merge')
})
