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
import { sizeOf } from './sequence.js'
import { check as checkValue, checkKey, namesIn } from './values.js'

/** The members each op may have, and must have (`!`). */
const MEMBERS = new Map(
  Object.entries({
    put: 'in key elem elems value object again over',
    del: 'in key elems over',
    ensure: 'in key kind! over',
    insert: 'in after values text',
    move: 'in elem! after again over',
    inc: 'in by! once',
    add: 'in value! over',
    discard: 'in value! over!',
    delete: 'in',
    restore: 'in over!',
  }).map(([op, members]) => [op, members.split(' ')]),
)

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
  const members = MEMBERS.get(op?.op) ?? fail('bad_op', 'There is no such op.')
  for (const member in op) if (member !== 'op') checkMember(op, member, members)
  for (const member of members) if (member.endsWith('!')) need(op[member.slice(0, -1)] !== undefined, member)
  RULES[op.op]?.(op)
  return op
}

/**
 * @param {any} op
 * @param {string} member
 * @param {string[]} members
 */
function checkMember(op, member, members) {
  need(members.includes(member) || members.includes(member + '!'), member)
  need(CHECKS[member](op[member]), member)
}

/**
 * @param {boolean} condition
 * @param {string} what the member that is to blame
 */
function need(condition, what) {
  if (!condition) fail('bad_op', `${what.slice(0, 40)}: this is no op.`)
}

/** @param {any} name */
const isName = (name) => typeof name === 'string' && NAME.test(name)

/** @param {any} name */
const isObject = (name) => typeof name === 'string' && OBJECT.test(name)

/** @param {any} text */
const isText = (text) => typeof text === 'string'

/** @param {any} key */
const isKey = (key) => isText(key) && (checkKey(key), true)

/** What each member may be. @type {Record<string, (member: any) => boolean>} */
const CHECKS = {
  in: isObject,
  key: isKey,
  elem: isName,
  elems: areStretches,
  value: () => true,
  object: isObject,
  again: isName,
  over: (names) => Array.isArray(names) && names.every(isName),
  kind: (kind) => KINDS.has(kind),
  after: isName,
  values: Array.isArray,
  text: isText,
  by: Number.isSafeInteger,
  once: (once) => isKey(once) && once !== '',
}

/**
 * Whether these name elements, and none twice.
 * @param {any} elems
 */
function areStretches(elems) {
  if (!Array.isArray(elems) || !elems.every((elem) => isText(elem) && STRETCH.test(elem))) return false
  const spans = elems.map(spanOf).sort((one, other) => (one.maker < other.maker ? -1 : +(one.maker > other.maker)) || one.first - other.first)
  return spans.every(({ maker, first, stop }, at) => {
    const last = spans[at - 1]
    return stop <= MAX_NAMES && !(last && last.maker === maker && last.stop > first)
  })
}

/** @param {string} elem */
function spanOf(elem) {
  const [name, count = '1'] = elem.split('+')
  const colon = name.lastIndexOf(':')
  const first = +name.slice(colon + 1)
  return { maker: name.slice(0, colon), first, stop: first + +count }
}

/** What the members of an op must be together. @type {Record<string, (op: any) => void>} */
const RULES = {
  put: (op) => {
    const places = +('key' in op) + +('elem' in op) + +('elems' in op)
    need(places === 1 || (!places && !op.in), 'key')
    if ('elems' in op) return need(!('value' in op || 'object' in op || 'again' in op), 'elems')
    need('value' in op !== 'object' in op, 'value')
    if ('object' in op) need('again' in op, 'again')
    else if ('again' in op) need(typeof op.value !== 'object' || op.value === null, 'value')
    else checkValue(op.value)
  },
  del: (op) => {
    need(!('key' in op && 'elems' in op), 'elems')
    need('elems' in op || 'over' in op, 'over')
    need('elems' in op || 'key' in op || !op.in, 'key')
  },
  ensure: (op) => need('key' in op || !op.in, 'key'),
  insert: (op) => {
    need('values' in op !== 'text' in op, 'values')
    if (op.values) checkValue(op.values)
  },
  move: (op) => need(!('after' in op && 'again' in op), 'after'),
  delete: (op) => need(!op.in, 'in'),
  restore: (op) => need(!op.in, 'in'),
}
