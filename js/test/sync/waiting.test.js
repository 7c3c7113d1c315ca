// How long a manager waits: what the server asks for is kept, and the rest is chance. Time is the test's.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { DocumentReplica } from '../../src/replica/documents/index.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { SyncManager } from '../../src/sync/manager.js'
import { MemoryTransport } from '../../src/transports/memory.js'

const WELCOME = { type: 'welcome', epoch: '0'.repeat(32), head: 0, time: 0, user: 'ann' }
const PAGE = { type: 'page', entries: [], cursor: 'c' }

/** @param {string} code @param {number} [seconds] */
const refusal = (code, seconds) => ({
  type: 'error', code, message: 'Later.', retryable: true, details: seconds ? { retry_after: seconds } : {},
})

/** Lets everything happen that waits for no time. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

/**
 * A manager of a replica whose server answers so, one after the other; and what it was asked.
 * @param {import('node:test').TestContext} t
 * @param {any[]} answers
 * @param {any} [options]
 */
function place(t, answers, options) {
  /** @type {string[]} */
  const asked = []
  const answer = async (/** @type {string} */ request) => {
    asked.push(JSON.parse(request).type)
    return JSON.stringify(answers.shift())
  }
  const replica = new DocumentReplica(new MemoryStore())
  t.after(() => replica.close())
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const follow = async function* () {}
  const manager = new SyncManager(replica, new MemoryTransport({ answer, follow }), { random: () => 0.5, ...options })
  return { manager, asked }
}

test('after rate_limited the same is asked again in the same conversation, not before the server wants it', async (t) => {
  const { manager, asked } = place(t, [WELCOME, refusal('rate_limited', 5), refusal('rate_limited'), PAGE])
  const result = manager.sync()
  await settled()
  assert.deepEqual(asked, ['hello', 'pull'])
  t.mock.timers.tick(4_999)
  await settled()
  assert.equal(asked.length, 2)
  t.mock.timers.tick(1)
  await settled()
  assert.equal(asked.length, 3)
  t.mock.timers.tick(1_000)
  await settled()
  assert.deepEqual(asked, ['hello', 'pull', 'pull', 'pull'])
  assert.equal((await result).failure, null)
})

test('a server that refuses again and again is left alone for a while', async (t) => {
  const answers = [WELCOME, ...Array(3).fill(refusal('rate_limited', 1)), WELCOME, PAGE]
  const { manager, asked } = place(t, answers, { attempts: 2 })
  const result = manager.sync()
  for (let second = 0; second < 9; second++) {
    await settled()
    t.mock.timers.tick(1_000)
  }
  assert.equal((await result).failure, null)
  assert.deepEqual(asked, ['hello', 'pull', 'pull', 'pull', 'hello', 'pull'])
})

test('the bound of a pause doubles, and chance takes a part of it', async (t) => {
  const { manager, asked } = place(t, Array(4).fill(refusal('overloaded')), { attempts: 4, backoffSeconds: 2, maxBackoffSeconds: 6 })
  const result = manager.sync()
  for (const [count, ms] of [[1, 1_000], [2, 2_000], [3, 3_000]]) {
    await settled()
    assert.equal(asked.length, count)
    t.mock.timers.tick(ms - 1)
    await settled()
    assert.equal(asked.length, count)
    t.mock.timers.tick(1)
  }
  assert.equal((await result).failure?.code, 'overloaded')
  assert.equal(asked.length, 4)
})

test('what the server asks for comes on top, and whoever called does not wait for long', async (t) => {
  const answers = [refusal('overloaded', 7), refusal('overloaded', 31)]
  const { manager, asked } = place(t, answers, { backoffSeconds: 2 })
  const result = manager.sync()
  await settled()
  t.mock.timers.tick(7_999)
  await settled()
  assert.equal(asked.length, 1)
  t.mock.timers.tick(1)
  assert.equal((await result).failure?.details.retry_after, 31)
})

test('live, a nudge cuts a pause short, but not what the server asked for', async (t) => {
  const { manager, asked } = place(t, Array(3).fill(refusal('overloaded', 7)), { backoffSeconds: 100, maxBackoffSeconds: 100 })
  manager.start()
  await settled()
  manager.nudge()
  t.mock.timers.tick(6_999)
  await settled()
  manager.nudge()
  await settled()
  assert.equal(asked.length, 1)
  t.mock.timers.tick(1)
  await settled()
  assert.equal(asked.length, 1)
  manager.nudge()
  await settled()
  assert.equal(asked.length, 2)
  await manager.stop()
})

test('what cannot succeed is not tried again', async (t) => {
  const refused = { ...refusal('unknown_space'), retryable: false }
  const { manager, asked } = place(t, [refused, refused])
  assert.equal((await manager.sync()).failure?.code, 'unknown_space')
  manager.start()
  await settled()
  t.mock.timers.tick(1e6)
  await settled()
  assert.equal(asked.length, 2)
})

test('a disk that is full is not waited for', async (t) => {
  const { manager, asked } = place(t, [WELCOME, PAGE])
  manager.replica.saved = () => new Promise(() => {})
  const result = manager.sync()
  await settled()
  assert.deepEqual(asked, [])
  t.mock.timers.tick(2_000)
  assert.equal((await result).failure, null)
  assert.deepEqual(asked, ['hello', 'pull'])
})
