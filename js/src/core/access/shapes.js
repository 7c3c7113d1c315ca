// The shape of a rule, as an administrator sends it.

import { fail } from '../../errors.js'
import { ACTION, ITEM } from '../events.js'

const FIELDS = ['action', 'item', 'type', 'user']
/** @type {Record<string, RegExp>} */
const SHAPES = { user: /^[^\0-\x1f\x7f]{1,256}$/u, item: ITEM, action: ACTION }

/**
 * The rule that a decoded JSON value `{user, item, action, type}` spells. Fails with bad_request.
 * @param {any} value
 * @returns {{user: string, item: string, action: string, type: string}}
 */
export function checkRule(value) {
  const fields = typeof value === 'object' && value !== null ? Object.keys(value).sort().join() : ''
  if (fields !== FIELDS.join()) fail('bad_request', 'A rule is an object {user, item, action, type}.')
  if (value.type !== 'allow' && value.type !== 'deny') fail('bad_request', 'type: must be allow or deny.')
  for (const field in SHAPES) checkPattern(field, value[field])
  return value
}

/** @param {string} field @param {any} pattern */
function checkPattern(field, pattern) {
  const start = typeof pattern === 'string' ? pattern.replace(/\*$/, '') : '*'
  if (start.includes('*') || (pattern !== '*' && !SHAPES[field].test(start))) {
    fail('bad_request', `${field}: must be a literal, a prefix with one trailing *, or *.`)
  }
}
