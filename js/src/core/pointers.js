/**
 * JSON Pointer (RFC 6901): where a value stands within a value.
 *
 * A pointer is parsed into its *tokens*, an array of unescaped keys and indexes; no token is the whole value. Whether a
 * token is a key or an index is for the value to say: `0` is both. The URI fragment form is left out.
 */

import { fail } from '../errors.js'
import { MAX_POINTER_LENGTH } from './limits.js'

/** The token for the place after an array's last element: something can be added there, and nothing be found. */
const END = '-'

/**
 * Whether a pointer has at most MAX_POINTER_LENGTH characters.
 * @param {string} text
 */
export const isShort = (text) => text.length <= MAX_POINTER_LENGTH || [...text].length <= MAX_POINTER_LENGTH

/**
 * The tokens of a pointer. Fails with bad_patch.
 * @param {string} text
 */
export function parse(text) {
  if (!text) return []
  if (text[0] !== '/' || !isShort(text) || /~(?![01])/.test(text)) fail('bad_patch', 'This is no JSON Pointer.')
  return text.slice(1).split('/').map(unescaped)
}

/** @param {string} token */
const unescaped = (token) => token.replaceAll('~1', '/').replaceAll('~0', '~')

/**
 * The pointer of these tokens; undoes `parse`.
 * @param {Iterable<string | number>} tokens
 */
export const format = (tokens) => [...tokens].map((token) => '/' + escape(String(token))).join('')

/**
 * A token as it stands in a pointer.
 * @param {string} token
 */
export const escape = (token) => token.replaceAll('~', '~0').replaceAll('/', '~1')

/**
 * What stands at this place of a JSON value, not copied. Fails with patch_failed if nothing does.
 * @param {any} value
 * @param {readonly string[]} tokens
 */
export const resolve = (value, tokens) => tokens.reduce((found, token) => found[key(found, token)], value)

/**
 * The key of an object's member (its own, or in a Map), or the index of an array's element, that is there.
 * Fails with patch_failed.
 * @param {any} container
 * @param {string} token
 * @returns {any}
 */
export function key(container, token) {
  if (Array.isArray(container)) return element(container.length, token)
  if (typeof container !== 'object' || !container) fail('patch_failed', 'The path leads into a value without parts.')
  const isThere = container instanceof Map ? container.has(token) : Object.hasOwn(container, token)
  return isThere ? token : fail('patch_failed', 'There is no such member.')
}

/**
 * The index of an element that an array of this length has. Fails with patch_failed.
 * @param {number} length
 * @param {string} token
 */
export const element = (length, token) => within(length - 1, token)

/**
 * The index at which an element can be added to an array of this length, its end included. Fails with patch_failed.
 * @param {number} length
 * @param {string} token
 */
export const between = (length, token) => (token === END ? length : within(length, token))

/**
 * A decimal number without sign or leading zeros.
 * @param {number} last
 * @param {string} token
 */
const within = (last, token) =>
  /^(0|[1-9]\d*)$/.test(token) && +token <= last ? +token : fail('patch_failed', 'There is no such element.')
