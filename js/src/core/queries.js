// Queries: which documents are asked for, and in which order, by the plain JSON they show.
//
//     Query.of('task.*', { where: { done: false, priority: { '>=': 2 }, tags: { has: 'shop' } }, orderBy: '-due' })
//
// A *path* leads through maps: `owner.name`, or a JSON Pointer (`/owner/name`) for keys with dots. Under it stands a
// value or a comparison, which is an object of operators alone: `=` `!=` `<` `<=` `>` `>=`, `in` with several values,
// `has` for a member of a list or set, `begins` for the beginning of a string. All conditions hold. (Who asks for a map
// that looks like a comparison writes `{ '=': map }`.) Values are compared by kind: true is not 1, and only numbers or
// strings are less than their like. What is not there counts as null. In order come null, false, true, numbers, strings
// (by code points), then lists and maps (by their canonical form).

import { SynclineError, fail } from '../errors.js'
import { encode } from './canonical.js'
import { byBytes, toPlain, toWire } from './documents/values.js'
import * as patterns from './patterns.js'
import * as pointers from './pointers.js'
import { parse as parseSearch, strings, words } from './words.js'

/** @typedef {string[]} Path */
/** @typedef {[kind: number, key: number | string]} Term a value as it is compared, and within its kind what it comes to */
/** @typedef {(value: any) => boolean} Condition whether a document fulfils it */

/**
 * What is asked for. `where`: conditions by path; `orderBy`: a path or several, with `-` before it descending; `text`: a
 * search, see words.js.
 * @typedef {{where?: Record<string, any>, orderBy?: string | string[], limit?: number, text?: string}} Asked
 */

const [NULL, FALSE, TRUE, NUMBER, STRING, LIST, MAP] = [0, 1, 2, 3, 4, 5, 6]
const MAX_TERMS = 1_000

/** @param {(order: number) => boolean} fits @returns {(value: any, terms: Term[]) => boolean} */
const ordered = (fits) => (value, [asked]) => {
  const found = term(value)
  return found[0] === asked[0] && fits(compare(found, asked))
}

/** @param {any} value @param {Term[]} terms */
const isIn = (value, terms) => {
  const found = term(value)
  return terms.some((each) => !compare(found, each))
}

/** What an operator says of what was found, and of the terms that it names. @type {Record<string, (value: any, terms: Term[]) => boolean>} */
const OPERATORS = {
  '=': isIn,
  in: isIn,
  '!=': (value, terms) => !isIn(value, terms),
  has: (value, terms) => Array.isArray(value) && value.some((member) => isIn(member, terms)),
  begins: (value, [asked]) => typeof value === 'string' && value.startsWith(String(asked[1])),
  '<': ordered((order) => order < 0),
  '<=': ordered((order) => order <= 0),
  '>': ordered((order) => order > 0),
  '>=': ordered((order) => order >= 0),
}

/** How a plain JSON value is compared. @param {any} value @returns {Term} */
function term(value) {
  if (value === null) return [NULL, 0]
  if (typeof value === 'boolean') return [value ? TRUE : FALSE, 0]
  if (typeof value === 'number') return [NUMBER, value]
  return typeof value === 'string' ? [STRING, value] : [Array.isArray(value) ? LIST : MAP, encode(value)]
}

/** @param {Term} one @param {Term} other @returns {number} */
function compare([kind, key], [otherKind, otherKey]) {
  if (kind !== otherKind) return kind - otherKind
  return typeof key === 'string' ? byBytes(key, String(otherKey)) : key - Number(otherKey)
}

/**
 * The keys of a path. Fails with bad_request.
 * @param {string} text
 * @returns {Path}
 */
export function parsePath(text) {
  asRequest(() => encode(text))
  if (text[0] === '/') return asRequest(() => pointers.parse(text))
  return text ? text.split('.') : []
}

/** @template T @param {() => T} read @returns {T} */
function asRequest(read) {
  try {
    return read()
  } catch (error) {
    throw new SynclineError('bad_request', /** @type {Error} */ (error).message)
  }
}

/**
 * What stands at a path; null if nothing does.
 * @param {any} value
 * @param {Path} path
 */
export function find(value, path) {
  for (const key of path) value = isMap(value) && Object.hasOwn(value, key) ? value[key] : null
  return value
}

/** @param {any} value */
const isMap = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Documents whose item fits a pattern and that fulfil every condition and the search. */
export class Query {
  /** @param {string} pattern @param {Condition[]} conditions @param {[Path, number][]} order 1 or -1 @param {number} [limit] */
  constructor(pattern, conditions, order, limit) {
    this.wants = patterns.matcher([pattern])
    this._conditions = conditions
    this._order = order
    this._limit = limit
  }

  /**
   * The query a program or a person means. Fails with bad_request.
   * @param {string} [pattern]
   * @param {Asked} [asked]
   */
  static of(pattern = '*', { where = {}, orderBy = [], limit, text = '' } = {}) {
    patterns.check([pattern])
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0)) fail('bad_request', 'limit: a number.')
    const conditions = Object.entries(where).flatMap(([path, asked]) => conditionsAt(parsePath(path), asked))
    const search = parseSearch(text)
    if (search) conditions.push((value) => search(strings(value).map(words)))
    return new Query(pattern, conditions, [orderBy].flat().filter(Boolean).map(orderOf), limit)
  }

  /**
   * Whether a document fulfils the conditions and the search.
   * @param {any} value
   */
  holds(value) {
    return this._conditions.every((condition) => condition(value))
  }

  /**
   * The items of those documents that are asked for, in order.
   * @param {Iterable<[item: string, value: any]>} documents
   * @returns {string[]}
   */
  answer(documents) {
    const found = []
    for (const [item, value] of documents) {
      if (this.wants(item) && this.holds(value)) found.push({ item, terms: this._order.map(([path]) => term(find(value, path))) })
    }
    found.sort((one, other) => {
      for (let at = 0; at < one.terms.length; at++) {
        const order = compare(one.terms[at], other.terms[at]) * this._order[at][1]
        if (order) return order
      }
      return one.item < other.item ? -1 : 1
    })
    return found.slice(0, this._limit).map(({ item }) => item)
  }
}

/** @param {string} text @returns {[Path, number]} */
const orderOf = (text) => (text[0] === '-' ? [parsePath(text.slice(1)), -1] : [parsePath(text), 1])

/** @param {Path} path @param {any} asked @returns {Condition[]} */
function conditionsAt(path, asked) {
  const operators = isMap(asked) ? Object.keys(asked) : []
  const isComparison = operators.length && operators.every((each) => Object.hasOwn(OPERATORS, each))
  return isComparison ? operators.map((each) => condition(path, each, asked[each])) : [condition(path, '=', asked)]
}

/** @param {Path} path @param {string} operator @param {any} asked @returns {Condition} */
function condition(path, operator, asked) {
  const terms = (operator === 'in' ? [...asked] : [asked]).map(operand)
  const [kind] = terms[0] ?? [NULL]
  const fits = operator === 'begins' ? kind === STRING : !/[<>]/.test(operator) || kind === NUMBER || kind === STRING
  if (!fits || terms.length > MAX_TERMS) fail('bad_request', `where: ${operator} does not compare this.`)
  const holds = OPERATORS[operator]
  return (value) => holds(find(value, path), terms)
}

/** @param {any} value @returns {Term} */
const operand = (value) =>
  asRequest(() => {
    const plain = toPlain(toWire(value))
    encode(plain) // fails for what is no JSON
    return term(plain)
  })
