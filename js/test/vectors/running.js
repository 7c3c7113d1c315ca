// How vectors are run, in Node and in a page alike: a suite gives its cases names, and whoever runs it gives each to
// its own test framework. Nothing here reads a file.

import { SynclineError } from '../../src/errors.js'

/**
 * @typedef {(name: string) => any} Read the parsed `spec/vectors/<name>.json`
 * @typedef {(name: string, run: () => void) => void} Test
 */

/** What two values differ in is shown by their JSON. @param {unknown} actual @param {unknown} expected */
export function same(actual, expected) {
  const [one, other] = [sorted(actual), sorted(expected)]
  if (one !== other) throw new Error(`${one}\n  is not\n${other}`)
}

/** JSON with the keys of every object in order. @param {unknown} value */
function sorted(value) {
  const inOrder = (/** @type {string} */ _, /** @type {any} */ each) =>
    each && typeof each === 'object' && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort()) : each
  return JSON.stringify(value, inOrder)
}

/**
 * The code of the error that an action raises.
 * @param {() => unknown} action
 */
export function codeOf(action) {
  try {
    action()
  } catch (error) {
    if (error instanceof SynclineError) return error.code
    throw error
  }
}

/**
 * A test for each case, named by its place and what it is about.
 * @param {Test} test
 * @param {string} name
 * @param {readonly any[]} cases
 * @param {(given: any) => void} run
 */
export function each(test, name, cases, run) {
  if (!cases.length) throw new Error(`${name}: no cases`)
  cases.forEach((given, place) => test(`${name} ${place} ${given?.about?.slice(0, 40) ?? ''}`.trim(), () => run(given)))
}
