/** JSON values: their kinds, whether two are equal, how deep one nests. */

import { fail } from '../errors.js'
import { MAX_DEPTH } from './limits.js'

/**
 * Whether a value is an object or an array.
 * @param {any} value
 */
export const isContainer = (value) => typeof value === 'object' && value !== null

/**
 * Whether a value is an object.
 * @param {any} value
 */
export const isObject = (value) => isContainer(value) && !Array.isArray(value)

/**
 * JSON equality.
 * @param {any} left
 * @param {any} right
 * @returns {boolean}
 */
export function equal(left, right) {
  if (left === right) return true
  if (!isContainer(left) || !isContainer(right) || Array.isArray(left) !== Array.isArray(right)) return false
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && equal(left[key], right[key]))
  )
}

/**
 * Fails with too_deep if a value that stands within so many containers nests too deep. Level by level: no recursion.
 * @param {any} value
 * @param {number} above
 */
export function checkDepth(value, above) {
  for (let level = [value].filter(isContainer); level.length; level = level.flatMap(containers)) {
    above += 1
    if (above > MAX_DEPTH) fail('too_deep', `The value nests deeper than ${MAX_DEPTH}.`)
  }
}

/** @param {any} value */
const containers = (value) => Object.values(value).filter(isContainer)
