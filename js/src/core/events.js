// Events and entries: what is written, and what a log keeps of it. What strangers write is looked at by batch.js.

import { fail } from '../errors.js'
import { fromBase64 } from './base64.js'
import { digest, encode, sizeOf } from './canonical.js'
import { MAX_DEPTH, MAX_EVENT_BYTES } from './limits.js'

/**
 * The JSON value of an event: its fields in canonical order, the optional ones left out when absent.
 * @typedef {object} EventValue
 * @property {string} action
 * @property {Record<string, number>} clock
 * @property {string} id
 * @property {string} item
 * @property {Record<string, any>} [meta]
 * @property {string} node
 * @property {Record<string, any>[]} [ops]
 * @property {any} [payload]
 * @property {string} [user]
 */

/** What an item may be. */
export const ITEM = /^[\w.~:/-]{1,256}$/
export const ACTION = /^[\w.~:/-]{1,128}$/
const META_TEXT = /^[^\0-\x1f\x7f]{1,256}$/u
const META_TEXTS = ['group', 'salt', 'schema', 'traceparent', 'tx', 'undoes']

/** @type {(keyof EventValue)[]} */
const FIELDS = ['action', 'clock', 'id', 'item', 'meta', 'node', 'ops', 'payload', 'user']

/** One immutable event. Optional fields are undefined when absent. */
export class Event {
  /** @param {EventValue} value from a log, or checked; fields of a newer version are kept in its body */
  constructor(value) {
    this.value = value
    this.action = value.action
    this.clock = value.clock
    this.id = value.id
    this.item = value.item
    this.meta = value.meta
    this.node = value.node
    this.ops = value.ops
    this.payload = value.payload
    this.user = value.user
    /** The author's own counter. */
    this.n = value.clock[value.node]
    /** The ops as documents/ops.js reads them, kept here by whoever reads them first. @type {any} */
    this.changes = undefined
    /** @type {string | undefined} */
    this._body = undefined
    /** @type {string | undefined} */
    this._digest = undefined
  }

  /**
   * The event that this program makes. Fails for what an app can get wrong: item, action, payload, meta, size.
   * @param {EventValue} fields in any order; undefined is absent
   */
  static of(fields) {
    const value = /** @type {any} */ ({})
    for (const name of FIELDS) if (fields[name] !== undefined) value[name] = fields[name]
    return check(new Event(value))
  }

  /** The canonical form (RFC 8785). */
  get body() {
    return (this._body ??= encode(this.value))
  }

  /** SHA-256 of the canonical form, in hexadecimal digits; of an erased event what it was before. */
  get digest() {
    return this._digest ?? digest(this.body)
  }

  /** This is an erased form, whose digest was another. @param {string} text base64url */
  keepDigest(text) {
    const bytes = fromBase64(text) ?? refuse('digest')
    this._digest = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  get isErased() {
    return this.action === ERASED
  }

  /** The transaction this event belongs to, if any. @returns {string | undefined} */
  get tx() {
    return this.meta?.tx
  }

  toJSON() {
    return this.value
  }
}

/** The action of an event of which only the erased form is left. */
export const ERASED = '.erased'

/**
 * An event in a log: `seq`, the server's time `at` in milliseconds, and its `receipt`. That of an erased event carries
 * its `digest` (base64url), which the erased form does not have.
 */
export class Entry {
  /** @param {number} seq @param {number} at @param {string} receipt @param {Event} event @param {string} [digest] */
  constructor(seq, at, receipt, event, digest) {
    this.seq = seq
    this.at = at
    this.receipt = receipt
    this.digest = digest
    this.event = event
    if (digest !== undefined) event.keepDigest(digest)
  }

  /** @param {{seq: number, at: number, receipt: string, event: EventValue, digest?: string}} value */
  static read({ seq, at, receipt, event, digest }) {
    return new Entry(seq, at, receipt, new Event(event), digest)
  }
}

/**
 * The entries of a JSON array that `JSON.stringify` made of entries.
 * @param {string} text
 * @returns {Entry[]}
 */
export const decodeEntries = (text) => JSON.parse(text).map(Entry.read)

/**
 * The event itself, if its item, action, meta, size and depth are within their limits.
 * @param {Event} event
 */
export function check(event) {
  if (!ITEM.test(event.item)) refuse('item')
  if (!ACTION.test(event.action)) refuse('action')
  for (const name in event.meta) checkMeta(name, event.meta[name])
  const { body } = event
  if (body.length > MAX_EVENT_BYTES / 3 && sizeOf(body) > MAX_EVENT_BYTES) {
    fail('event_too_large', `An event has at most ${MAX_EVENT_BYTES} bytes.`)
  }
  if (isDeeper(event.value, MAX_DEPTH)) fail('too_deep', `An event nests at most ${MAX_DEPTH} deep.`)
  return event
}

/** @param {string} name @param {any} value */
function checkMeta(name, value) {
  if (!META_TEXTS.includes(name)) refuse('meta')
  const isNumber = name === 'schema' && Number.isSafeInteger(value) && value >= 0
  if (!isNumber && !(typeof value === 'string' && META_TEXT.test(value))) refuse('meta')
}

/**
 * @param {string} field the one that is to blame
 * @returns {never}
 */
export const refuse = (field) => fail('invalid_event', `${field}: this does not fit.`, { field })

/**
 * Whether objects and arrays nest deeper than `levels`.
 * @param {any} value
 * @param {number} levels
 * @returns {boolean}
 */
function isDeeper(value, levels) {
  if (typeof value !== 'object' || value === null) return false
  if (!levels) return true
  for (const key in value) if (isDeeper(value[key], levels - 1)) return true
  return false
}
