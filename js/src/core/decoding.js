// Strict I-JSON (RFC 7493), for texts of strangers: no duplicate keys, no lone surrogates, no number that is not a
// finite double, no integer that a double would round, and no deeper than is asked.

import { SynclineError, fail } from '../errors.js'
import { encode } from './canonical.js'

// Of a text that is JSON: strings (with a colon behind them if they are keys), brackets, and numbers.
const TOKENS = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[[\]{}]|-?\d[\d.eE+-]*/g
const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*(?:"|$)/g
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * The value of one JSON text. Fails with bad_json, number_out_of_range or too_deep.
 * @param {string | Uint8Array} data
 * @param {number} maxDepth
 * @returns {any}
 */
export function decode(data, maxDepth) {
  const text = typeof data === 'string' ? data : decodeUtf8(data)
  if (depth(text) > maxDepth) fail('too_deep', `The value nests deeper than ${maxDepth}.`)
  if (LONE_SURROGATE.test(text)) badJson('The text is not UTF-8.')
  const value = parse(text)
  checkTokens(text)
  return value
}

/** @param {string} why @returns {never} */
const badJson = (why) => fail('bad_json', why)

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text)
  } catch (error) {
    return badJson(`Not JSON: ${/** @type {Error} */ (error).message}`)
  }
}

/** @param {Uint8Array} data */
function decodeUtf8(data) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return badJson('The text is not UTF-8.')
  }
}

/**
 * How deep the brackets of a JSON text nest; strings do not count. An upper bound if the text is broken.
 * @param {string} text
 */
export function depth(text) {
  let deepest = 0
  let level = 0
  for (const char of text.replace(STRINGS, '').replace(/[^[\]{}]/g, '')) {
    level += char === '[' || char === '{' ? 1 : -1
    deepest = Math.max(deepest, level)
  }
  return deepest
}

/** @param {string} text that is JSON */
function checkTokens(text) {
  /** @type {Set<string>[]} */
  const keys = []
  for (const [token, string, isKey] of text.matchAll(TOKENS)) {
    if (string) {
      const value = string.includes('\\') ? JSON.parse(string) : string.slice(1, -1)
      if (LONE_SURROGATE.test(value)) badJson('A string holds a lone surrogate.')
      if (isKey) checkKey(keys[keys.length - 1], value)
    } else if (token === '{') keys.push(new Set())
    else if (token === '}') keys.pop()
    else if (token !== '[' && token !== ']') checkNumber(token)
  }
}

/** @param {Set<string>} keys @param {string} key */
function checkKey(keys, key) {
  if (keys.has(key)) badJson(`The key ${JSON.stringify(key.slice(0, 64))} stands twice in one object.`)
  keys.add(key)
}

/** @param {string} literal */
function checkNumber(literal) {
  const value = Number(literal)
  const isExact = Number.isSafeInteger(value) || /[.eE]/.test(literal) || literal === encode(value)
  if (!isExact && BigInt(literal) !== BigInt(value)) {
    throw new SynclineError('number_out_of_range', 'No double holds this integer exactly; send it as a string.')
  }
  encode(value) // fails if it is not finite
}

/**
 * The texts of the elements of a JSON array, or of the members of an object, each with its key.
 * @param {string} text that is one
 */
export function split(text) {
  const parts = []
  let level = 0
  let start = text.search(/[[{]/) + 1
  for (const { 0: token, index = 0 } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},]/g)) {
    if (token === '[' || token === '{') level++
    else if (token === ']' || token === '}') level--
    if (level > 1 || (token !== ',' && level)) continue
    parts.push(text.slice(start, index))
    start = index + 1
  }
  return parts.length > 1 || parts[0].trim() ? parts : []
}
