/**
 * Ops: one change each inside an event, as they travel: plain objects, which nobody changes.
 *
 * An op overwrites exactly what it names in `over`, and its author names what it saw. The shapes are those of
 * spec/DOCUMENTS.md; `check` is strict for whoever admits events, `read` is total for whoever folds them: an op that
 * does not read becomes null, does nothing and takes no name.
 *
 * @typedef {object} Op
 * @property {string} op
 * @property {string} [in] the object that changes; the root map if absent
 * @property {string} [key]
 * @property {string} [elem]
 * @property {string[]} [elems]
 * @property {any} [value]
 * @property {string} [object]
 * @property {string} [again]
 * @property {string[]} [over]
 * @property {string} [kind]
 * @property {string} [after]
 * @property {any[]} [values]
 * @property {string} [text]
 * @property {number} [by]
 * @property {string} [once]
 */

import { fail, SynclineError } from '../../errors.js'
import { KINDS, MAX_NAMES, NAME, OBJECT, STRETCH } from './names.js'
import { sizeOf } from './runs.js'
import { isKey, measure, namesIn } from './values.js'

/** Which members each op has, in order; an empty `in` is left out. @type {any} */
const SHAPES = {
  __proto__: null,
  put: /^(elems( in)?( over)?|(again )?(elem (in )?|(in )?key )?(over )?value|again (elem (in )?|(in )?key )?object( over)?)$/,
  del: /^(elems( in)?( over)?|((in )?key )?over)$/,
  ensure: /^((in )?key )?kind( over)?$/,
  insert: /^(after )?(in )?(text|values)$/,
  move: /^(after |again )?elem( in)?( over)?$/,
  inc: /^by( in)?( once)?$/,
  add: /^(in )?(over )?value$/,
  discard: /^(in )?over( value)?$/, // without a value it is what erasing leaves, which nobody writes
  delete: /^$/,
  restore: /^over$/,
}

/** @param {RegExp} pattern */
const matches = (pattern) => (/** @type {any} */ text) => isText(text) && pattern.test(text)

/** @param {any} text */
const isText = (text) => typeof text === 'string'

const isName = matches(NAME)

/** What each member may be. @type {any} */
const MEMBERS = {
  __proto__: null,
  op: isText,
  in: matches(OBJECT),
  key: (/** @type {any} */ key) => isText(key) && isKey(key),
  elem: isName,
  elems: areStretches,
  value: () => true,
  object: matches(OBJECT),
  again: isName,
  over: (/** @type {any} */ names) => Array.isArray(names) && names.every(isName),
  kind: (/** @type {any} */ kind) => KINDS.has(kind),
  after: isName,
  values: Array.isArray,
  text: isText,
  by: Number.isSafeInteger,
  once: (/** @type {any} */ once) => MEMBERS.key(once) && once,
}

/**
 * The ops of an event, read once.
 * @param {{ops?: any, changes?: any}} event
 * @returns {(Op | null)[]}
 */
export const changesOf = (event) => (event.changes ??= read(event.ops ?? []))

/**
 * The ops of an event that was admitted; what does not read is null.
 * @param {any[]} ops
 * @returns {(Op | null)[]}
 */
export const read = (ops) => ops.map(readOne)

/** @param {any} op */
function readOne(op) {
  try {
    return checkOne(op)
  } catch {
    return null
  }
}

/**
 * The ops of an event somebody sends. Raises bad_op for what no op looks like.
 * @param {any[]} ops
 * @returns {Op[]}
 */
export function check(ops) {
  const checked = ops.map(checkAt)
  if (checked.reduce((names, op) => names + size(op), 0) >= MAX_NAMES) {
    fail('bad_op', `An event makes fewer than ${MAX_NAMES} names.`)
  }
  return checked
}

/** @param {any} op @param {number} index */
function checkAt(op, index) {
  try {
    need(op?.op !== 'discard' || op.value !== undefined, 'op')
    return checkOne(op)
  } catch (error) {
    throw new SynclineError('bad_op', `ops[${index}]: ${/** @type {Error} */ (error).message}`, { index })
  }
}

/**
 * How many names an op takes, its own included.
 * @param {Op} op
 */
export function size(op) {
  if (op.op === 'put') return 1 + namesIn(op.value)
  if (op.op !== 'insert') return 1
  return op.text === undefined ? namesIn(op.values) : 1 + sizeOf(op.text)
}

/**
 * An op itself. Raises bad_op.
 * @param {any} op
 * @returns {Op}
 */
function checkOne(op) {
  for (const member in op) need(MEMBERS[member]?.(op[member]), member)
  const members = Object.keys(op ?? 0).filter((member) => member !== 'op' && (member !== 'in' || op.in))
  need(SHAPES[op?.op]?.test(members.sort().join(' ')), 'op')
  if (op.op === 'put') need(!measure(op.value)[1] || !op.again, 'value') // an object comes back by its name
  measure(op.values)
  return op
}

/**
 * @param {any} condition
 * @param {string} what the member that is to blame
 */
function need(condition, what) {
  if (!condition) fail('bad_op', `${what.slice(0, 40)}: no op has this.`)
}

/**
 * Whether these name elements, and none twice.
 * @param {any} elems
 */
function areStretches(elems) {
  if (!Array.isArray(elems) || !elems.every(matches(STRETCH))) return false
  const spans = elems.map(spanOf).sort((one, other) => {
    return one.maker === other.maker ? one.first - other.first : one.maker < other.maker ? -1 : 1
  })
  return spans.every(({ maker, first, stop }, at) => {
    return stop <= MAX_NAMES && !(spans[at - 1]?.maker === maker && spans[at - 1].stop > first)
  })
}

/** @param {string} elem */
function spanOf(elem) {
  const [maker, k] = elem.split(':')
  const [first, count = 1] = k.split('+')
  return { maker, first: +first, stop: +first + +count }
}
