// The requests of a session, as a server reads them: strictly, since strangers write them.

import { fail } from '../errors.js'
import { ENVELOPE_DEPTH } from './batch.js'
import { encode, sizeOf } from './canonical.js'
import { NODE } from './clocks.js'
import { decode, split } from './decoding.js'
import { ITEM } from './events.js'
import {
  MAX_DEPTH, MAX_FETCH_IDS, MAX_PAGE_ENTRIES, MAX_PRESENCE_BYTES, MAX_PRESENCE_MESSAGE_BYTES, MAX_SUMMARIES,
  MAX_TREE_SUMMARIES,
} from './limits.js'
import { PROTOCOL, REF, anything, integer, list, object, orNull, readMessage, string, summary } from './messages.js'
import { checkId } from './stamps.js'

/** @typedef {import('./messages.js').Member} Member */
/** @typedef {import('./messages.js').Request} Request */

const PRESENCE_KEY = /^[^\0-\x1f\x7f]{0,64}$/u
const EPOCH = /^[\da-f]{32}$/

/** @type {Record<string, Member>} */
const ITEMS = { items: [list(string), []] }
/** @type {Record<string, Member>} */
const PLACE = { cursor: orNull(string), ...ITEMS }

/** @type {Record<string, Record<string, Member>>} */
const REQUESTS = {
  hello: { protocol: [integer, PROTOCOL], node: [string], space: [string, 'default'], token: orNull(string) },
  push: { ...REF, events: [anything] },
  pull: { ...REF, ...PLACE, limit: [integer, 1_000] },
  live: PLACE,
  auth: { ...REF, token: [string] },
  presence: { ...REF, key: [string, ''], item: orNull(string), state: [anything, null] },
  merkle: { ...REF, ...ITEMS, since: [seq, 0], summaries: [several(summary, MAX_SUMMARIES)] },
  fetch: { ...REF, ids: [several(id, MAX_FETCH_IDS)] },
  give: { ...REF, epoch: [epoch], entries: [anything] },
  snapshot: { ...REF, ...ITEMS, seq: orNull(seq), after: [string, ''] },
  ping: REF,
  pong: REF,
}

/**
 * What a server may receive. Fails with bad_json, bad_request or too_large.
 *
 * What is pushed or given is not looked into (see batch.js), nor are summaries; `stateOf` looks at a presence.
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
  if (request.type === 'merkle') checkAnswer(request.summaries)
  if (request.type === 'snapshot' && request.after && (request.seq === null || !ITEM.test(request.after))) {
    fail('bad_request', 'after: must be an item, and comes with the seq of the snapshot that it is of.')
  }
  return request
}

/** Bounds what comes back: of a branch each child, of a leaf itself. @param {import('./messages.js').Summary[]} summaries */
function checkAnswer(summaries) {
  const most = summaries.reduce((sum, [, , mask]) => sum + (mask ? 16 : 1), 0)
  if (most > MAX_TREE_SUMMARIES) fail('bad_request', `summaries: their answer could have more than ${MAX_TREE_SUMMARIES}.`)
}

/** @param {any} value */
function seq(value) {
  return integer(value) >= 0 ? value : fail('bad_request', `${value} is no seq.`)
}

/** @param {any} value */
function epoch(value) {
  return EPOCH.test(string(value)) ? value : fail('bad_request', 'epoch: 32 hex digits.')
}

/** @param {any} value */
function id(value) {
  try {
    return checkId(string(value))
  } catch {
    return fail('bad_request', 'An id is a lowercase UUIDv7.')
  }
}

/** A list that is not empty, nor longer than a limit. @param {(value: any) => any} read @param {number} most */
function several(read, most) {
  return (/** @type {any} */ value) => {
    const found = list(read)(value)
    return found.length >= 1 && found.length <= most ? found : fail('bad_request', `Must be between 1 and ${most}.`)
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return decode(text, MAX_DEPTH + ENVELOPE_DEPTH)
  }
}

/** The member that is not looked into, by the type of its message. @type {Record<string, string>} */
const RAW = { push: 'events', give: 'entries' }

/** Finds what only strict reading does not take, but in what is pushed or given. @param {string} text @param {any} request */
function checkStrictly(text, request) {
  const members = split(text)
  const raw = RAW[request.type]
  if (raw) {
    const place = members.findIndex((member) => JSON.parse(`{${member}}`)[raw] !== undefined)
    request[raw] = members[place].slice(members[place].indexOf(':') + 1).trim()
    members[place] = `"${raw}":[]`
  }
  decode(`{${members.join()}}`, MAX_DEPTH)
}

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
