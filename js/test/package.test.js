// The package as an app has it: packed, installed, and used.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Server } from './serving.js'

const SDK = fileURLToPath(new URL('..', import.meta.url))
const DOCS = join(SDK, '../docs/browser.md')
const APP = mkdtempSync(join(tmpdir(), 'syncline-app-'))
const INSTALLED = join(APP, 'node_modules/syncline')
const STRICT = {
  compilerOptions: {
    target: 'es2022', module: 'nodenext', lib: ['es2022', 'dom'], types: [], strict: true, skipLibCheck: false, noEmit: true,
  },
  files: ['app.ts', 'documented.ts'],
}

/** @param {string} command @param {string[]} args @param {string} cwd */
const run = (command, args, cwd = APP) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' })

/** @param {string} folder */
const filesIn = (folder) => /** @type {string[]} */ (readdirSync(folder, { recursive: true }))

before(() => {
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', APP], SDK))
  writeFileSync(join(APP, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', join(APP, packed.filename)])
  mkdirSync(join(APP, 'node_modules/@types'))
  for (const name of ['@types/react', 'csstype', 'ws']) symlinkSync(join(SDK, 'node_modules', name), join(APP, 'node_modules', name))
})

after(() => rmSync(APP, { recursive: true }))

test('what is packed is what belongs there', () => {
  const modules = filesIn(join(SDK, 'src')).filter((name) => name.endsWith('.js'))
  const expected = ['LICENSE', 'README.md', 'package.json']
  for (const name of modules) expected.push(`src/${name}`, `types/${name.replace(/\.js$/, '.d.ts')}`)
  const packed = filesIn(INSTALLED).filter((name) => /\.\w+$|^LICENSE$/.test(name))
  assert.deepEqual(packed.sort(), expected.sort())
  assert.equal(readFileSync(join(INSTALLED, 'LICENSE'), 'utf8'), readFileSync(join(SDK, '../LICENSE'), 'utf8'))
})

test('every export has its module and its types', () => {
  const { exports } = JSON.parse(readFileSync(join(INSTALLED, 'package.json'), 'utf8'))
  for (const { types, default: module } of Object.values(exports)) {
    for (const file of [types, module]) assert.ok(existsSync(join(INSTALLED, file)), file)
  }
})

test('an app in strict TypeScript compiles, and its mistakes do not', () => {
  cpSync(join(SDK, 'test/package/app.ts'), join(APP, 'app.ts'))
  writeFileSync(join(APP, 'documented.ts'), /```ts\n(.*?)```/s.exec(readFileSync(DOCS, 'utf8'))?.[1] ?? '')
  writeFileSync(join(APP, 'tsconfig.json'), JSON.stringify(STRICT))
  try {
    run(join(SDK, 'node_modules/.bin/tsc'), ['-p', '.'])
  } catch (/** @type {any} */ { stdout }) {
    assert.fail(stdout)
  }
})

test('the examples of the README run', async () => {
  const server = await Server.start({ open: true })
  try {
    for (const [at, example] of [...readFileSync(join(SDK, 'README.md'), 'utf8').matchAll(/```js\n(.*?)```/gs)].entries()) {
      writeFileSync(join(APP, `example${at}.js`), inNode(example[1], server.url))
      const said = run(process.execPath, [`example${at}.js`])
      assert.match(said, at ? /^\[ 'task\.milk' \] 0 3 \[\]/ : /done: false, tags: \[ 'shop' \], title: 'Milk'/)
    }
  } finally {
    await server.stop()
  }
})

/**
 * An example with a server of ours; one that is written for a page keeps nothing here, and says goodbye.
 * @param {string} example
 * @param {string} url
 */
function inNode(example, url) {
  const here = example.replace('https://sync.example', url).replace("space: 'home', token }", "token, store: 'memory' }")
  assert.notEqual(here, example)
  const isOfPage = !example.includes('notes.close()')
  return `const token = null\n${here}${isOfPage ? '\nawait notes.sync()\nawait notes.close()\n' : ''}`
}
