// The requests of a session, as a server reads them: strictly, since strangers write them.

import { fail } from '../errors.js'
import { ENVELOPE_DEPTH } from './batch.js'
import { encode, sizeOf } from './canonical.js'
import { NODE } from './clocks.js'
import { decode, split } from './decoding.js'
import { ITEM } from './events.js'
import { MAX_DEPTH, MAX_PAGE_ENTRIES, MAX_PRESENCE_BYTES, MAX_PRESENCE_MESSAGE_BYTES } from './limits.js'
import { PROTOCOL, REF, anything, integer, list, object, orNull, readMessage, string } from './messages.js'

/** @typedef {import('./messages.js').Member} Member */
/** @typedef {import('./messages.js').Request} Request */

const PRESENCE_KEY = /^[^\0-\x1f\x7f]{0,64}$/u

/** @type {Record<string, Member>} */
const PLACE = { cursor: orNull(string), items: [list(string), []] }

/** @type {Record<string, Record<string, Member>>} */
const REQUESTS = {
  hello: { protocol: [integer, PROTOCOL], node: [string], space: [string, 'default'], token: orNull(string) },
  push: { ...REF, events: [anything] },
  pull: { ...REF, ...PLACE, limit: [integer, 1_000] },
  live: PLACE,
  auth: { ...REF, token: [string] },
  presence: { ...REF, key: [string, ''], item: orNull(string), state: [anything, null] },
  ping: REF,
  pong: REF,
}

/**
 * What a server may receive. Fails with bad_json, bad_request or too_large.
 *
 * The events of a push are not looked into (see batch.js), and `stateOf` looks at a presence.
 * @param {string} text
 * @returns {Request}
 */
export function decodeRequest(text) {
  const request = readMessage(REQUESTS, parse(text))
  if (request.type === 'presence') checkPresence(request, text)
  else checkStrictly(text, request)
  if (request.type === 'hello' && !NODE.test(request.node)) fail('bad_request', 'node: 1 to 64 characters.')
  if (request.type === 'pull' && !(request.limit >= 1 && request.limit <= MAX_PAGE_ENTRIES)) {
    fail('bad_request', `limit: must be between 1 and ${MAX_PAGE_ENTRIES}.`)
  }
  return request
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return decode(text, MAX_DEPTH + ENVELOPE_DEPTH)
  }
}

/** Finds what only strict reading does not take, but in the events of a push. @param {string} text @param {any} request */
function checkStrictly(text, request) {
  const members = split(text)
  if (request.type === 'push') {
    const place = members.findIndex(isEvents)
    request.events = members[place].slice(members[place].indexOf(':') + 1).trim()
    members[place] = '"events":[]'
  }
  decode(`{${members.join()}}`, MAX_DEPTH)
}

/** Whether a member, as it is written, is that with the events. @param {string} member */
const isEvents = (member) => JSON.parse(`{${member}}`).events !== undefined

/** @param {any} presence @param {string} text */
function checkPresence({ key, item, state }, text) {
  if (!PRESENCE_KEY.test(key)) fail('bad_request', 'key: up to 64 characters, none of them control characters.')
  if (item !== null && !ITEM.test(item)) fail('bad_request', 'item: 1 to 256 characters.')
  checkSize(text, MAX_PRESENCE_MESSAGE_BYTES)
  checkSize(JSON.stringify(state), MAX_PRESENCE_BYTES)
}

/** @param {string} text @param {number} limit */
function checkSize(text, limit) {
  if (sizeOf(text) > limit) fail('too_large', `A presence has at most ${MAX_PRESENCE_BYTES} bytes.`)
}

/**
 * The canonical state of a presence that `decodeRequest` has taken; null if it has gone. Fails with bad_json, too_deep,
 * number_out_of_range or too_large.
 * @param {string} text
 */
export function stateOf(text) {
  const { state = null } = decode(text, MAX_DEPTH + 1)
  if (state === null) return null
  const body = encode(state)
  checkSize(body, MAX_PRESENCE_BYTES)
  return body
}

/**
 * The ref of a request that may be wrong elsewhere, so that the error finds who asked.
 * @param {string} text
 * @returns {number | null}
 */
export function refOf(text) {
  try {
    return integer(object(JSON.parse(text)).ref)
  } catch {
    return null
  }
}
