import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { SynclineError, fail, fromWire } from '../src/errors.js'

const PROTOCOL = readFileSync(new URL('../../spec/PROTOCOL.md', import.meta.url), 'utf8')

test('a code is retryable if the table of the protocol says so', () => {
  const rows = [...PROTOCOL.matchAll(/^\| `(\w+)` \| \d{3} \| (yes|no) \|/gm)]
  assert.ok(rows.length > 50)
  for (const [, code, retryable] of rows) {
    assert.equal(new SynclineError(code).retryable, retryable === 'yes', code)
  }
})

test('an error crosses the wire', () => {
  const error = new SynclineError('rate_limited', 'Slower.', { retry_after: 3 })
  const wire = { code: 'rate_limited', message: 'Slower.', retryable: true, retry_after: 3 }
  assert.deepEqual(error.toWire(), wire)
  assert.deepEqual(fromWire(wire).toWire(), wire)
})

test('an unknown code counts as it says itself', () => {
  assert.equal(fromWire({ code: 'tomorrow', retryable: true }).retryable, true)
  assert.equal(fromWire({ code: 'tomorrow' }).retryable, false)
})

test('fail throws', () => {
  assert.throws(() => fail('bad_op', 'No.', { index: 2 }), { name: 'SynclineError', code: 'bad_op', message: 'No.' })
})
