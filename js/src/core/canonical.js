// RFC 8785 canonical JSON, as a string: keys in the order of their UTF-16 code units, numbers as ECMAScript
// writes them. The SHA-256 of its UTF-8 form is the digest of an event. What strangers send is read by decoding.js.

import { SynclineError, fail } from '../errors.js'
import { sha256, toHex, utf8 } from './sha256.js'

const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * The canonical form. Fails with number_out_of_range, invalid_event, bad_json or too_deep for what JSON cannot say.
 * @param {unknown} value
 * @returns {string}
 */
export function encode(value) {
  try {
    const text = isCanonical(value) ? JSON.stringify(value) : ''
    return text && !text.includes('\\ud') ? text : write(value)
  } catch (error) {
    throw error instanceof RangeError ? new SynclineError('too_deep', 'The value contains itself.') : error
  }
}

/**
 * Whether JSON.stringify writes the canonical form: all keys stand in order, as those of events that are made here do.
 * @param {any} value
 * @returns {boolean}
 */
function isCanonical(value) {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return value - value === 0
  if (typeof value !== 'object') return false
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) if (!isCanonical(value[at])) return false
    return true
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  let last = ''
  for (const key in value) {
    if (key < last || !isCanonical(value[key])) return false
    last = key
  }
  return true
}

/** @param {any} value @returns {string} */
function write(value) {
  if (typeof value === 'string') return writeString(value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? writeArray(value) : writeObject(value)
  if (typeof value === 'number') {
    return value - value === 0 ? '' + value : fail('number_out_of_range', 'A number is not finite.')
  }
  if (value === null || typeof value === 'boolean') return '' + value
  return fail('invalid_event', `${typeof value} is not a JSON value.`)
}

/** @param {string} value */
function writeString(value) {
  const text = JSON.stringify(value) // half a pair of surrogates is escaped
  return text.includes('\\ud') && LONE_SURROGATE.test(value) ? fail('bad_json', 'Lone surrogate.') : text
}

/** @param {unknown[]} value */
function writeArray(value) {
  let text = '['
  for (let at = 0; at < value.length; at++) text += (at ? ',' : '') + write(value[at])
  return text + ']'
}

/** @param {Record<string, unknown>} value */
function writeObject(value) {
  const prototype = Object.getPrototypeOf(value)
  if (prototype && Object.getPrototypeOf(prototype)) fail('invalid_event', 'A class is not a JSON value.')
  let text = '{'
  for (const key of Object.keys(value).sort()) text += (text[1] ? ',' : '') + writeString(key) + ':' + write(value[key])
  return text + '}'
}

/**
 * SHA-256 of a canonical form, as 64 hexadecimal digits.
 * @param {string} body
 */
export const digest = (body) => toHex(sha256(utf8(body)))

/**
 * How many bytes a text has as UTF-8.
 * @param {string} text without lone surrogates
 */
export function sizeOf(text) {
  let size = text.length
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit > 0x7f) size += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return size
}
