/**
 * Names: what ops call objects, elements and puts.
 *
 * Everything an event makes is named `<event>:<k>`, where k counts through the event; inside its own event `:<k>`.
 * Names compare by event id, then by k. Children that several replicas may make apart are named by their place,
 * `<parent>/<key>:<kind>`; the root map is the empty name, a root of another kind is `:<kind>`.
 */

export const MAP = 'map'
export const LIST = 'list'
export const TEXT = 'text'
export const COUNTER = 'counter'
export const SET = 'set'
export const KINDS = new Set([MAP, LIST, TEXT, COUNTER, SET])
export const ROOT = ''

/** An event of 64 KiB has fewer names than this, as each costs a byte. */
export const MAX_NAMES = 65_536

const ID = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
const K = '(?:0|[1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d\\d|655[0-2]\\d|6553[0-5])'
const MADE = `(?:${ID})?:${K}`
const BELOW = '(?:/(?:[^~/]|~[01])*:(?:map|list|text|counter|set)){0,63}'

export const NAME = new RegExp(`^${MADE}$`)
export const STRETCH = new RegExp(`^${MADE}(?:\\+[1-9]\\d{0,4})?$`)
export const OBJECT = new RegExp(`^(?:${MADE}|:list|:text|:counter|:set)?${BELOW}$`)

/**
 * The full name of what an event made.
 * @param {string} event
 * @param {number} k
 */
export const make = (event, k) => event + ':' + k

/**
 * A name as it reads outside its own event.
 * @param {string} name
 * @param {string} event
 */
export const full = (name, event) => (name[0] === ':' && name[1] <= '9' ? event + name : name)

/**
 * A full name as it is written inside `event`.
 * @param {string} name
 * @param {string} event
 */
export const short = (name, event) => (name.startsWith(event) ? name.slice(event.length) : name)

/**
 * The id of the event of a full name.
 * @param {string} name
 */
export const eventOf = (name) => name.slice(0, 36)

/**
 * The k of a full name.
 * @param {string} name
 */
export const kOf = (name) => +name.slice(37)

/**
 * Compares full names: by event id, then by k.
 * @param {string} one
 * @param {string} other
 */
export function compare(one, other) {
  if (one.length === other.length) return one < other ? -1 : +(one > other)
  const event = eventOf(one)
  return other.startsWith(event) ? one.length - other.length : event < other ? -1 : 1
}

/**
 * The id of the event on whose making a full object name rests; null if it rests on the root.
 * @param {string} object
 */
export const maker = (object) => (object && object[0] !== '/' && object[0] !== ':' ? eventOf(object) : null)

/**
 * The name of the child that every replica would give this place.
 * @param {string} parent
 * @param {string} key
 * @param {string} kind
 */
export const child = (parent, key, kind) => `${parent}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}:${kind}`

/**
 * The parent, key and kind in a name that was made by `child`; null for other names.
 * @param {string} object
 */
export function placeOf(object) {
  const slash = object.lastIndexOf('/')
  if (slash < 0) return null
  const colon = object.lastIndexOf(':')
  const key = object.slice(slash + 1, colon).replaceAll('~1', '/').replaceAll('~0', '~')
  return { parent: object.slice(0, slash), key, kind: object.slice(colon + 1) }
}

/**
 * The name of the root of a kind.
 * @param {string} kind
 */
export const root = (kind) => (kind === MAP ? ROOT : ':' + kind)

/**
 * The kind of a root, by its name; null for other names.
 * @param {string} object
 */
export const rootKind = (object) =>
  object === ROOT ? MAP : object[0] === ':' && KINDS.has(object.slice(1)) ? object.slice(1) : null

/**
 * `count` names in a row, from `first` on.
 * @param {string} first
 * @param {number} count
 */
export const stretch = (first, count) => (count === 1 ? first : `${first}+${count}`)

/**
 * The event, the first k and the length of a stretch, written inside `event`.
 * @param {string} text
 * @param {string} event
 * @returns {[string, number, number]}
 */
export function stretchOf(text, event) {
  const plus = text.indexOf('+')
  const name = full(plus < 0 ? text : text.slice(0, plus), event)
  return [eventOf(name), kOf(name), plus < 0 ? 1 : +text.slice(plus + 1)]
}
