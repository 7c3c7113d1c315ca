// What a server would say, as far as its rules are known: a hint, and never a refusal. A member is told its own rules,
// and what its credentials are limited to, at the beginning of each conversation. They may have changed since: what may
// be stored is decided when it is pushed.

import { Rules } from '../core/access/rules.js'
import { matcher } from '../core/patterns.js'

/** @typedef {import('../core/access/rules.js').Rule} Rule */

export const READ = '.read'
const GIVE = '.give'

/** The rules of a state, which are replaced as a whole. @type {WeakMap<readonly Rule[], Rules>} */
const compiled = new WeakMap()

/**
 * Whether a user might do an action with an item under the rules known last; null if none are known. Credentials that
 * are not for this allow it under no rules.
 * @param {Pick<import('../stores/index.js').ReplicaState, 'rules' | 'user' | 'actions' | 'items'>} state
 * @param {string} item
 * @param {string} action
 */
export function may({ rules, user, actions = [], items = [] }, item, action) {
  if (!matcher(items)(item) || !matcher(actions)(action)) return false
  if (!rules || user === null) return null
  const known = compiled.get(rules) ?? new Rules(rules)
  compiled.set(rules, known)
  return known.may(user, item, action)
}

/**
 * Whether a replica's user might push an event that was heard: of another node of theirs, or by `.give`. Whose an event
 * is that does not say it, only its author knows; administrators may by credentials made for that alone.
 * @param {Pick<import('../stores/index.js').ReplicaState, 'rules' | 'user' | 'actions' | 'items'>} state
 * @param {import('../core/events.js').Event} event
 */
export function mayPassOn(state, event) {
  const { user, actions = [], items = [] } = state
  if (event.user === undefined || user === null) return false
  if (user[0] === '.') return actions.includes(GIVE) && matcher(items)(event.item)
  return event.user === user || may(state, event.item, GIVE) === true
}
