// A replica of this SDK and one in Python, shared by the command line: both agree with no server between them.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import WebSocket from 'ws'

import { ORSet, Text, open } from '../../src/syncline.js'
import { holdingsOf } from '../../src/replica/exchange.js'
import { eventually } from '../serving.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PYTHON = process.env.PYTHON ?? join(ROOT, '.venv/bin/python')
const SECRET = 'between-friends'

const WRITE = `
import sys, syncline
with syncline.open(sys.argv[1]) as notes:
    for n in range(int(sys.argv[2])):
        notes.create(f"task.p{n}", {"by": "python", "n": n})
`
const READ = `
import json, sys, syncline
with syncline.open(sys.argv[1]) as notes:
    documents = {item: notes.get(item).plain for item in notes.items()}
    print(json.dumps([notes.tree()[0].root.hex(), len(notes.heard()), documents]))
`

/** @param {string} code @param {string[]} args */
const python = (code, ...args) => execFileSync(PYTHON, ['-c', code, ...args], { encoding: 'utf8' })

/** A file that Python has written something to; `share` serves it until the way to stop is called. @param {import('node:test').TestContext} t */
function file(t, count = 40) {
  const folder = mkdtempSync(join(tmpdir(), 'syncline-'))
  const path = join(folder, 'notes.db')
  python(WRITE, path, String(count))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return path
}

/** @param {import('node:test').TestContext} t @param {string} path */
async function share(t, path) {
  const args = ['-m', 'syncline', 'share', path, '--port', '0', '--token', SECRET, '--json']
  const child = spawn(PYTHON, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGINT')
    await ended
  }
  t.after(end)
  for await (const line of createInterface({ input: child.stdout })) return { url: JSON.parse(line).url, end }
  throw new Error('Nothing is shared.')
}

/** @param {import('node:test').TestContext} t @param {string} server @param {any} [more] */
async function place(t, server, more) {
  const replica = await open('notes', { store: 'memory', server, token: SECRET, ...more })
  t.after(() => replica.close())
  return replica
}

for (const [name, socket] of Object.entries({ websocket: WebSocket, http: undefined })) {
  test(`${name}: what either has, both have, and the same to the last bit`, async (t) => {
    const path = file(t)
    const { url, end } = await share(t, path)
    const notes = await place(t, url, { WebSocket: socket })
    notes.create('note.a', { body: new Text('Hello'), tags: new ORSet(['x']), half: 0.5 })
    const { pushed, pulled, failure } = await notes.sync()
    assert.deepEqual([pushed, pulled, failure], [1, 40, null])
    notes.document('task.p7').put('by', 'javascript')
    assert.equal((await notes.sync()).pushed, 1)
    const again = await notes.sync()
    assert.deepEqual([again.pushed, again.pulled, again.failure], [0, 0, null])
    await end()
    const [root, heard, documents] = JSON.parse(python(READ, path))
    assert.equal(root, (await (await holdingsOf(notes)).tree()).root)
    assert.equal(heard, 2)
    assert.deepEqual(documents, Object.fromEntries(notes.items().map((item) => [item, notes.get(item)?.plain])))
    assert.equal(documents['task.p7'].by, 'javascript')
  })
}

test('live: what one records the other shows', async (t) => {
  const { url } = await share(t, file(t, 1))
  const [a, b] = [await place(t, url, { WebSocket }), await place(t, url, { WebSocket })]
  for (const each of [a, b]) each.start()
  await eventually(() => a.get('task.p0') !== null && b.get('task.p0') !== null)
  a.create('task.a', { n: 1 })
  await eventually(() => b.get('task.a') !== null) // told by the one between
  assert.equal(a.status().state, 'live')
})

test('who shows another token gets nothing', async (t) => {
  const { url } = await share(t, file(t, 1))
  const notes = await place(t, url, { token: 'guess' })
  assert.equal((await notes.sync()).failure?.code, 'unauthorized')
  assert.equal(notes.get('task.p0'), null)
})
