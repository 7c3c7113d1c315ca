// What the tests of patches make their examples from: operations, small values, and RFC 6902 read literally.

import { readFileSync } from 'node:fs'

/** @typedef {import('../dice.js').Dice} Dice */

/** @param {any} name @param {any} path @param {Record<string, any>} members @returns {any} */
export const op = (name, path, members = {}) => ({ op: name, path, ...members })
/** @param {string} path @param {any} value */
export const add = (path, value) => op('add', path, { value })
/** @param {any} path */
export const remove = (path) => op('remove', path)
/** @param {string} path @param {any} value */
export const replace = (path, value) => op('replace', path, { value })
/** @param {any} from @param {string} path */
export const move = (from, path) => op('move', path, { from })
/** @param {any} from @param {string} path */
export const copied = (from, path) => op('copy', path, { from })

/**
 * Arrays within arrays; one is 1 deep.
 * @param {number} depth
 * @returns {any}
 */
export const nested = (depth) => (depth > 1 ? [nested(depth - 1)] : [])

/** The public cases of JSON Patch. @returns {{doc: any, patch: any[], error?: string, expected?: any, comment?: string}[]} */
export function publicCases() {
  const all = ['json_patch_tests', 'json_patch_spec_tests'].flatMap((file) =>
    JSON.parse(readFileSync(new URL(`../../../tests/core/data/${file}.json`, import.meta.url), 'utf8')),
  )
  return all.filter((each) => each.patch && !each.disabled)
}

export const ATOMS = [null, false, true, 0, 1, 2, 0.5, '', 'a', '1']

/**
 * A small value that has much in common with others.
 * @param {Dice} dice
 * @returns {any}
 */
export function small(dice, depth = 0) {
  const roll = depth > 3 ? 0 : dice.random()
  if (roll < 0.4) return dice.choose(ATOMS)
  const members = Array.from({ length: dice.below(6) }, () => small(dice, depth + 1))
  if (roll < 0.7) return members
  const keys = ['a', 'b', '/', '~1', '__proto__', '😀', '$text']
  return Object.fromEntries(members.map((member) => [dice.choose(keys), member]))
}

/** Makes patches that fit, on its own copy of the value, with everything copied. */
export class Naive {
  /** @param {any} value @param {Dice} dice */
  constructor(value, dice) {
    this.value = structuredClone(value)
    this.dice = dice
  }

  /** @param {number} length */
  patch(length) {
    return Array.from({ length }, () => this.operation())
  }

  /** @returns {any} */
  operation() {
    const path = this.dice.choose([...places(this.value)])
    const kind = path.length ? this.dice.choose(['test', 'add', 'replace', 'remove', 'move', 'copy']) : 'test'
    const pointer = written(path)
    const found = structuredClone(this.at(path))
    if (kind === 'test') return op('test', pointer, { value: found })
    if (kind === 'copy') {
      this.put(path, found)
      return copied(pointer, pointer)
    }
    if (kind === 'move') {
      const to = [Array.isArray(this.value) ? '0' : 'a']
      this.drop(path)
      this.put(to, found)
      return move(pointer, written(to))
    }
    if (kind !== 'add') this.drop(path)
    if (kind === 'remove') return remove(pointer)
    this.put(path, { new: [1] })
    return op(kind, pointer, { value: { new: [1] } })
  }

  /** @param {string[]} path */
  at(path) {
    return path.reduce((value, token) => value[token], this.value)
  }

  /** @param {string[]} path @param {any} value */
  put(path, value) {
    const [parent, token] = [this.at(path.slice(0, -1)), path[path.length - 1]]
    if (Array.isArray(parent)) parent.splice(Number(token), 0, value)
    else Object.defineProperty(parent, token, { value, writable: true, enumerable: true, configurable: true })
  }

  /** @param {string[]} path */
  drop(path) {
    const [parent, token] = [this.at(path.slice(0, -1)), path[path.length - 1]]
    if (Array.isArray(parent)) parent.splice(Number(token), 1)
    else delete parent[token]
  }
}

/** @param {any} value @param {string[]} path @returns {Generator<string[]>} */
function* places(value, path = []) {
  yield path
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) yield* places(member, [...path, key])
}

/** @param {string[]} path */
const written = (path) => path.map((token) => '/' + token.replaceAll('~', '~0').replaceAll('/', '~1')).join('')
