/** JSON Merge Patch (RFC 7396). Arguments are not changed; results share what they can with them. */

import { checkDepth, isObject } from './json.js'

/**
 * The value after a JSON Merge Patch: objects merge, null removes a member, anything else replaces.
 * Fails with too_deep if the patch nests deeper than MAX_DEPTH.
 *
 * @param {any} value
 * @param {any} patch
 */
export function merge(value, patch) {
  checkDepth(patch, 0)
  return merged(value, patch)
}

/**
 * @param {any} value
 * @param {any} patch
 * @returns {any}
 */
function merged(value, patch) {
  if (!isObject(patch)) return patch
  const result = new Map(isObject(value) ? Object.entries(value) : [])
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) result.delete(key)
    else result.set(key, merged(result.get(key), change))
  }
  return Object.fromEntries(result)
}
