// The messages of a session, as a replica writes and reads them: objects told apart by `type`. spec/PROTOCOL.md shows
// examples; what only a server reads is in requests.js.
//
// Every request carries a `ref`, any number the sender likes; its answer carries the same.

import { SynclineError, fail, fromWire } from '../errors.js'
import { Entry } from './events.js'
import { MAX_BODY_BYTES, MAX_DRIFT_MS, MAX_EVENT_BYTES, MAX_PAGE_ENTRIES, MAX_PUSH_EVENTS } from './limits.js'
import { NIL_ID } from './stamps.js'

/** @typedef {import('./access/rules.js').Rule} Rule */
/** @typedef {import('./events.js').Event} Event */

/**
 * @typedef {{event_bytes: number, push_events: number, body_bytes: number, page_entries: number, drift_ms: number}} Limits
 * @typedef {{type: 'hello', protocol: number, node: string, space: string, token: string | null}} Hello
 * @typedef {{type: 'push', ref: number, events: string}} Push the events as one JSON array
 * @typedef {{type: 'pull', ref: number, cursor: string | null, limit: number, items: readonly string[]}} Pull
 * @typedef {{type: 'live', cursor: string | null, items: readonly string[]}} Live
 * @typedef {{type: 'auth', ref: number, token: string}} Auth
 * @typedef {{type: 'presence', ref: number, key: string, item: string | null, state: any}} Presence
 * @typedef {[at: string, within: string, mask: number, hashes: string, ids: readonly string[]]} Summary a node of a Merkle tree
 * @typedef {{type: 'merkle', ref: number, items: readonly string[], since: number, summaries: Summary[]}} Merkle
 * @typedef {{type: 'fetch', ref: number, ids: readonly string[]}} Fetch
 * @typedef {{type: 'give', ref: number, epoch: string, entries: string}} Give the entries as one JSON array
 * @typedef {{type: 'snapshot', ref: number, items: readonly string[], seq: number | null, after: string}} AskSnapshot
 * @typedef {{type: 'ping', ref: number}} Ping
 * @typedef {{type: 'pong', ref: number}} Pong
 * @typedef {Merkle | Fetch | Give | AskSnapshot} Inquiry what heals
 * @typedef {Hello | Push | Pull | Live | Auth | Presence | Ping | Pong | Inquiry} Request
 *
 * @typedef {{type: 'welcome', epoch: string, head: number, time: number, user: string, own: string | null,
 *   limits: Limits, rules: Rule[] | null, expires: number | null, actions?: string[], items?: string[],
 *   erasable?: string[], peer?: boolean}} Welcome times are the server's, in milliseconds
 * @typedef {{type: 'authenticated', ref: number, user: string, time: number, expires: number | null}} Authenticated
 * @typedef {{id: string | null, seq: number | null, error: Record<string, any> | null}} Result
 * @typedef {{type: 'ack', ref: number, results: Result[], head: number}} Ack
 * @typedef {{item: string, seq: number, at: number, count: number, revision: number, clock: Record<string, number>,
 *   last: string, schema: number, group: string | null, state: string}} Base where an item stands at a seq
 * @typedef {{type: 'page', ref: number | null, entries: Entry[], late: Entry[], forget: string[], bases?: Base[],
 *   cursor: string, more: boolean}} Page `forget`, `bases` and `late` come before `entries`
 * @typedef {{type: 'tree', ref: number, seq: number, root: string, count: number, summaries: Summary[]}} Tree
 * @typedef {{type: 'found', ref: number, entries: Entry[], more: boolean}} Found
 * @typedef {{type: 'snapshot', ref: number, seq: number, at: number, cursor: string, bases: Base[], entries: Entry[],
 *   after: string | null}} Snapshot
 * @typedef {{user: string, node: string, key: string, item: string | null, state: any}} Peer
 * @typedef {{type: 'peers', peers: Peer[]}} Peers
 * @typedef {{type: 'error', ref: number | null, code: string, message: string, retryable: boolean,
 *   details: Record<string, any>}} ErrorMessage
 * @typedef {Tree | Found | Ack | Snapshot} Reply
 * @typedef {Welcome | Authenticated | Ack | Page | Peers | ErrorMessage | Ping | Pong | Tree | Found | Snapshot} Answer
 */

export const PROTOCOL = 1

/** What answers each inquiry. @type {{ [Type in Inquiry['type']]: Reply['type'] }} */
export const REPLIES = { merkle: 'tree', fetch: 'found', give: 'ack', snapshot: 'snapshot' }

/**
 * How a member is read, and what it is when it is left out (undefined: it may not be).
 * @typedef {[read: (value: any) => any, otherwise?: any]} Member
 */

/** @param {(value: any) => boolean} fits */
const only = (fits) => (/** @type {any} */ value) => (fits(value) ? value : fail('bad_request', 'A member has another type.'))
export const string = only((value) => typeof value === 'string')
export const integer = only(Number.isSafeInteger)
const boolean = only((value) => typeof value === 'boolean')
export const object = only((value) => typeof value === 'object' && value !== null && !Array.isArray(value))
export const list = (/** @type {(value: any) => any} */ read) => (/** @type {any} */ value) =>
  only(Array.isArray)(value).map(read)
export const anything = (/** @type {any} */ value) => value
/** @param {(value: any) => any} read @returns {Member} */
export const orNull = (read) => [(value) => (value === null ? null : read(value)), null]
/** @param {Record<string, Member>} members */
const record = (members) => (/** @type {any} */ value) => readMembers(members, value)

/** @type {Record<string, Member>} */
const LIMITS = {
  event_bytes: [integer, MAX_EVENT_BYTES],
  push_events: [integer, MAX_PUSH_EVENTS],
  body_bytes: [integer, MAX_BODY_BYTES],
  page_entries: [integer, MAX_PAGE_ENTRIES],
  drift_ms: [integer, MAX_DRIFT_MS],
}
export const DEFAULT_LIMITS = /** @type {Limits} */ (readMembers(LIMITS, {}))

const rule = record({
  user: [string],
  item: [string],
  action: [string],
  type: [string],
  seq: [integer, 0],
  id: [string, ''],
})
const base = record({
  item: [string],
  seq: [integer],
  at: [integer],
  count: [integer],
  revision: [integer, 0],
  clock: [object],
  last: [string, NIL_ID],
  schema: [integer, 0],
  group: orNull(string),
  state: [string, ''],
})
/** @param {any} value @returns {Summary} */
export const summary = (value) => {
  const [at, within, mask, hashes, ids = []] = only(Array.isArray)(value)
  return [string(at), string(within), integer(mask), string(hashes), list(string)(ids)]
}
const result = record({ id: orNull(string), seq: orNull(integer), error: orNull(object) })
const peer = record({ user: [string], node: [string], key: [string, ''], item: orNull(string), state: [anything, null] })

/** @type {Record<string, Member>} */
export const REF = { ref: [integer, 0] }

/** @type {Record<string, Record<string, Member>>} */
const ANSWERS = {
  welcome: {
    epoch: [string],
    head: [integer],
    time: [integer],
    user: [string],
    own: orNull(string),
    limits: [record(LIMITS), DEFAULT_LIMITS],
    rules: orNull(list(rule)),
    expires: orNull(integer),
    actions: [list(string), []],
    items: [list(string), []],
    erasable: [list(string), []],
    peer: [boolean, false],
  },
  authenticated: { ...REF, user: [string], time: [integer], expires: orNull(integer) },
  ack: { ...REF, results: [list(result)], head: [integer] },
  page: {
    ref: orNull(integer),
    entries: [list(Entry.read)],
    late: [list(Entry.read), []],
    forget: [list(string), []],
    bases: [list(base), []],
    cursor: [string],
    more: [boolean, false],
  },
  tree: { ...REF, seq: [integer], root: [string], count: [integer], summaries: [list(summary)] },
  found: { ...REF, entries: [list(Entry.read)], more: [boolean, false] },
  snapshot: {
    ...REF,
    seq: [integer],
    at: [integer],
    cursor: [string],
    bases: [list(base)],
    entries: [list(Entry.read), []],
    after: orNull(string),
  },
  peers: { peers: [list(peer)] },
  error: {
    ref: orNull(integer),
    code: [string],
    message: [string],
    retryable: [boolean, false],
    details: [object, {}],
  },
  ping: REF,
  pong: REF,
}

/** @param {Record<string, Member>} members @param {any} value @returns {any} */
function readMembers(members, value) {
  /** @type {Record<string, any>} */
  const found = {}
  for (const name in members) {
    const [read, otherwise] = members[name]
    found[name] = Object.hasOwn(value, name) ? read(value[name]) : otherwise
    if (found[name] === undefined) fail('bad_request', `${name}: missing.`)
  }
  return found
}

/**
 * The message that a JSON value is, with every member. Fails with bad_request, or as its members do.
 * @param {Record<string, Record<string, Member>>} kinds
 * @param {any} value
 */
export function readMessage(kinds, value) {
  const { type } = object(value)
  if (typeof type !== 'string' || !Object.hasOwn(kinds, type)) fail('bad_request', 'Not a message of this protocol.')
  return { type, ...readMembers(kinds[type], value) }
}

/**
 * What a replica may receive. Fails with internal for what this version cannot read.
 * @param {string} text
 * @returns {Answer}
 */
export function decodeAnswer(text) {
  try {
    return readMessage(ANSWERS, JSON.parse(text))
  } catch {
    return fail('internal', 'The server sent something that is not a message of this protocol.')
  }
}

/**
 * The answer of the kind that was asked for. Fails with the server's error, or internal for another message.
 * @template {Answer['type']} T
 * @param {Answer} answer
 * @param {T} type
 * @returns {Extract<Answer, {type: T}>}
 */
export function expect(answer, type) {
  if (answer.type === 'error') throw errorOf(answer)
  if (answer.type !== type) fail('internal', `The server answered ${answer.type} where ${type} was expected.`)
  return /** @type {any} */ (answer)
}

/** @param {ErrorMessage} message */
export const errorOf = ({ code, message, retryable, details }) => fromWire({ ...details, code, message, retryable })

/**
 * The message for an error.
 * @param {SynclineError} error
 * @param {number | null} [ref]
 * @returns {ErrorMessage}
 */
export const errorMessage = ({ code, message, retryable, details }, ref = null) =>
  ({ type: 'error', ref, code, message, retryable, details })

/**
 * A push of these events.
 * @param {readonly Event[]} events
 * @returns {Push}
 */
export const pushOf = (events) => ({ type: 'push', ref: 0, events: `[${events.map((event) => event.body).join()}]` })

/**
 * The message as JSON.
 * @param {Request | Answer} message
 */
export function encode(message) {
  if (message.type === 'push') return `{"type":"push","ref":${message.ref},"events":${message.events}}`
  if (message.type !== 'give') return JSON.stringify(message)
  return `{"type":"give","ref":${message.ref},"epoch":${JSON.stringify(message.epoch)},"entries":${message.entries}}`
}
