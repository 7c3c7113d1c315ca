// A Syncline server in a process of its own, for tests: as its users meet it.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PYTHON = process.env.PYTHON ?? join(ROOT, '.venv/bin/python')

const SERVE = `
import json, sys
from syncline.server.run import run
from syncline.server.settings import Settings

def on_ready(app, port):
    print(json.dumps({"port": port, "key": app.service.first_key}), flush=True)

run(Settings(**json.loads(sys.argv[1])), on_ready)
`

export const PASSWORD = 'three blue bicycles'

/** A server with its own data; `stop` it. */
export class Server {
  /** @param {Record<string, any>} [settings] */
  static async start(settings = {}) {
    const server = new Server(settings)
    await server.begin()
    return server
  }

  /** @param {Record<string, any>} settings */
  constructor(settings) {
    this._data = mkdtempSync(join(tmpdir(), 'syncline-'))
    this._settings = settings
    this.port = 0
    this.key = ''
    /** @type {import('node:child_process').ChildProcess | undefined} */
    this.process = undefined
  }

  /** Starts the process, again at the same port. */
  async begin() {
    const settings = { data: join(this._data, 'data'), port: this.port, log_level: 'error', ...this._settings }
    const child = spawn(PYTHON, ['-c', SERVE, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.process = child
    for await (const line of createInterface({ input: child.stdout })) {
      const { port, key } = JSON.parse(line)
      this.port = port
      this.key = key ?? this.key
      return
    }
    throw new Error('The server did not start.')
  }

  get url() {
    return `http://127.0.0.1:${this.port}`
  }

  /** Ends the process. @param {NodeJS.Signals} [signal] */
  async halt(signal = 'SIGTERM') {
    const child = this.process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    await new Promise((resolve) => {
      child.once('exit', resolve)
      child.kill(signal)
    })
  }

  /** Copies the data of a server that is halted; returns the way to put the copy back. */
  backUp() {
    const [data, copy] = [join(this._data, 'data'), join(this._data, `copy-${token()}`)]
    cpSync(data, copy, { recursive: true })
    return () => {
      rmSync(data, { recursive: true })
      cpSync(copy, data, { recursive: true })
    }
  }

  async stop() {
    await this.halt()
    rmSync(this._data, { recursive: true, force: true })
  }

  /** The answer of an administrator's request. @param {string} path @param {any} [body] @param {string} [method] */
  async ask(path, body, method = body === undefined ? 'GET' : 'POST') {
    const headers = { Authorization: `Bearer ${this.key}`, 'Content-Type': 'application/json' }
    const response = await fetch(`${this.url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) })
    const answer = await response.json()
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`)
    return answer
  }

  /** A new user of a space, with a password. @param {string} space */
  async user(space) {
    const name = `ann-${token()}`
    await this.ask(`spaces/${space}/users`, { name, password: PASSWORD })
    return name
  }

  /** An API key of a user. @param {string} space @param {string} user */
  async keyOf(space, user) {
    return (await this.ask(`spaces/${space}/keys`, { name: 'test', user })).key
  }

  /** The whole log of a space. @param {string} space */
  async events(space) {
    const { entries } = await this.ask(`spaces/${space}/pull?limit=10000`)
    return entries.map((/** @type {any} */ entry) => entry.event)
  }
}

/** Something that nothing else is called. */
export const token = () => randomBytes(5).toString('hex')

/**
 * Resolves with the first true answer of a condition, which is asked again and again; fails when the time is over.
 * @template T
 * @param {() => T} condition
 */
export async function eventually(condition, seconds = 20) {
  for (const limit = Date.now() + seconds * 1000; ; ) {
    const answer = condition()
    if (answer) return answer
    if (Date.now() > limit) throw new Error(`Not within ${seconds} s: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
