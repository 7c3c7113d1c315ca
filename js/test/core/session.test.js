// The replica's half of a session, alone: what no vector tells.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { DEFAULT_LIMITS } from '../../src/core/messages.js'
import { ClientSession } from '../../src/core/session.js'
import { START_MS, Author } from '../author.js'

test('what names an event that gets another id waits for that', () => {
  const session = new ClientSession({ space: 'home' })
  const events = new Author().events(4)
  const local = { node: 'author', cursor: null, copied: false, pending: events, offers: [], epoch: null, user: 'ann' }
  const say = (/** @type {any} */ answer) => /** @type {any[]} */ (session.receive(answer))
  session.next(local)
  say({ type: 'welcome', epoch: 'e', head: 0, time: START_MS, user: 'ann', own: null, limits: DEFAULT_LIMITS, rules: null, expires: null })
  session.next(local)
  say({ type: 'page', ref: null, entries: [], late: [], forget: [], cursor: 'c', more: false })
  assert.equal(session.next(local)?.type, 'push')
  const refused = (/** @type {string} */ code, name = '?') => ({ seq: null, error: { code, message: '', name } })
  const names = [...events.slice(0, 2).map(({ id }, place) => `${id}:${place}`), '?']
  const results = [refused('node_conflict'), ...names.map((name) => refused('missing_dependency', name))]
  const [settle, ...others] = say({ type: 'ack', ref: 0, head: 0, results: results.map((each, n) => ({ id: events[n].id, ...each })) })
  assert.deepEqual(settle.answers.map((/** @type {any} */ [{ n }, { code }]) => [n, code]), [[4, 'missing_dependency']])
  assert.deepEqual(others, [{ type: 'mark_copied', event: events[0] }])
})
