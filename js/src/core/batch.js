// Events of strangers, as they are pushed: every field is looked at, and each event is judged on its own.

import { SynclineError, fail } from '../errors.js'
import { NODE, VectorClock } from './clocks.js'
import { decode, split } from './decoding.js'
import { check as checkOps } from './documents/ops.js'
import { Event, check, refuse } from './events.js'
import { MAX_DEPTH, MAX_PUSH_EVENTS } from './limits.js'
import { checkId } from './stamps.js'

const REQUIRED = ['action', 'clock', 'id', 'item', 'node']
const USER = /^[^\0-\x1f\x7f]{1,256}$/u

/** Room for what surrounds an event, so that one that nests too deep is refused alone. */
export const ENVELOPE_DEPTH = 8

/** @param {unknown} value */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
/** @param {unknown} value */
const isString = (value) => typeof value === 'string'

/** @type {Record<string, (value: any) => boolean>} */
const SHAPES = {
  action: isString,
  clock: isObject,
  id: isString,
  item: isString,
  meta: isObject,
  node: (value) => isString(value) && NODE.test(value),
  ops: (value) => Array.isArray(value) && value.every(isObject),
  payload: () => true,
  user: (value) => isString(value) && USER.test(value),
}

/**
 * The event of a decoded JSON value. Fails with the code of an event's error.
 * @param {any} value
 */
export function eventOf(value) {
  if (!isObject(value)) refuse('event')
  for (const field of REQUIRED) if (!Object.hasOwn(value, field)) refuse(field)
  for (const field of Object.keys(value)) {
    if (!Object.hasOwn(SHAPES, field) || !SHAPES[field](value[field])) refuse(field.slice(0, 64))
  }
  checkId(value.id)
  const event = new Event(value)
  if (!new VectorClock(event.clock).counters.has(event.node)) refuse('clock')
  check(event)
  if (event.ops) checkOps(event.ops)
  return event
}

/**
 * The events of a JSON array, or for each one that is refused its error. Fails if the array itself is wrong.
 * @param {string | Uint8Array} data
 * @returns {(Event | SynclineError)[]}
 */
export function decodeEvents(data) {
  const text = typeof data === 'string' ? data : new TextDecoder().decode(data)
  const parts = isArray(text) ? split(text) : fail('bad_request', 'The events must be a list.')
  if (parts.length > MAX_PUSH_EVENTS) fail('too_many_events', `${MAX_PUSH_EVENTS} events in one push are allowed.`)
  return parts.map(read)
}

/** @param {string} text */
function isArray(text) {
  try {
    return Array.isArray(JSON.parse(text))
  } catch {
    return decode(text, MAX_DEPTH + ENVELOPE_DEPTH)
  }
}

/** @param {string} text @returns {Event | SynclineError} */
function read(text) {
  try {
    return eventOf(decode(text, MAX_DEPTH))
  } catch (error) {
    if (!(error instanceof SynclineError) || error.code === 'bad_json') throw error
    const value = JSON.parse(text)
    if (isString(value?.id)) error.details.id = value.id.slice(0, 64)
    return error
  }
}
