/**
 * Dependencies: whatever an op names is of the same item, comes before the op, and is held. For who judges the events
 * of others.
 *
 * An authority asks this of every event before it takes it, without folding anything: which object, element or put a
 * name means is known from the event that made it. So a fold finds what ops name, and finds it of the right kind.
 *
 * @typedef {import('./made.js').Made} Made
 * @typedef {import('./made.js').Slot} Slot
 * @typedef {import('./ops.js').Op} Op
 *
 * The event of an id; of one that is held without its content, just its item; undefined if it is not held.
 * @typedef {(id: string) => Event | {item: string} | undefined} Find
 */

import { fail, SynclineError } from '../../errors.js'
import { Event } from '../events.js'
import { madeBy, putBy, slotOf, writes } from './made.js'
import { COUNTER, eventOf, full, kOf, LIST, MAP, rootKind, SET, TEXT } from './names.js'
import { isSame, Ref } from './objects.js'
import { changesOf, size } from './ops.js'

/**
 * The ids of the other events that an event needs.
 * @param {Event} event
 */
export function namesOf(event) {
  const ids = new Set()
  for (const op of changesOf(event)) {
    const { in: inside, elem, after, again, object, elems = [], over = [] } = op ?? {}
    for (const name of [inside, elem, after, again, object, ...elems, ...over]) {
      if (name && name[0] !== '/' && name[0] !== ':') ids.add(eventOf(name))
    }
  }
  return ids
}

/**
 * Fails with bad_op or missing_dependency, and the op's `index`, unless all that an event names may be named.
 * @param {Event} event
 * @param {Find} find
 */
export function check(event, find) {
  const judge = new Judge(event, find)
  changesOf(event).forEach((op, index) => op && judge.judge(op, index))
}

/**
 * Why an event may not be taken, if it names what it may not.
 * @param {Event} event
 * @param {Find} find
 */
export function refusal(event, find) {
  try {
    check(event, find)
  } catch (error) {
    if (error instanceof SynclineError) return error
    throw error
  }
}

/** One event's ops, in order. A thing that is null cannot be known, and fits. */
class Judge {
  /**
   * @param {Event} event
   * @param {Find} find
   */
  constructor(event, find) {
    this._event = event
    this._find = find
    this._start = 0 // the k of the op
    /** @type {Map<string, Made | null>} */
    this._others = new Map()
  }

  /**
   * @param {Op} op
   * @param {number} index
   */
  judge(op, index) {
    try {
      CHECKS[op.op](this, op)
      if (op.over || op.again) this._slot(op, /** @type {Slot} */ (slotOf(op, this._event.id)))
    } catch (error) {
      const { code, message, details } = /** @type {SynclineError} */ (error)
      throw code ? new SynclineError(code, `ops[${index}]: ${message}`, { index, ...details }) : error
    }
    this._start += size(op)
  }

  // Objects and elements

  /**
   * @param {string | undefined} name
   * @param {...string} kinds
   */
  object(name, ...kinds) {
    const kind = name ? this._kind(name) : MAP
    need(!kind || kinds.includes(kind), name, `is no ${kinds.join(' or ')}`)
  }

  /**
   * The kind of an object; children that are named by their place are there wherever their parent is a map.
   * @param {string} name
   */
  _kind(name) {
    const [first, ...steps] = name.split('/')
    let kind = rootKind(first) ?? this._kindMade(first)
    for (const step of steps) {
      need(!kind || kind === MAP, name, 'lies in no map')
      kind = step.slice(step.lastIndexOf(':') + 1)
    }
    return kind
  }

  /** @param {string} name */
  _kindMade(name) {
    const thing = this._thing(name)
    need(!thing || 'kind' in thing, name, 'is no object')
    return thing ? /** @type {string} */ (thing.kind) : null
  }

  /**
   * @param {any} name
   * @param {string | undefined} inside
   */
  element(name, inside) {
    const thing = this._thing(name)
    need(!thing || ('element' in thing && thing.inside === this._full(inside)), name, 'is no element there')
  }

  /**
   * @param {string[]} elems
   * @param {string | undefined} inside
   */
  elements(elems, inside) {
    for (const elem of elems) {
      const [first, count = '1'] = elem.split('+')
      const [made, k] = this._made(first)
      const run = made?.run(k)
      const isThere = run?.inside === this._full(inside) && k + +count <= run.first + run.content.length
      need(!made || isThere, elem, 'names no elements there')
    }
  }

  /**
   * @param {string | undefined} name
   * @param {string | undefined} inside
   */
  after(name, inside) {
    const thing = name && this._thing(name)
    if (thing && 'op' in thing && thing.op.op === 'move' && !thing.op.again) {
      need(thing.inside === this._full(inside), name, 'moved an element elsewhere')
    } else if (thing) this.element(name, inside)
  }

  // Slots

  /**
   * `over` and `again` name what wrote the same slot; `again` an earlier put, and itself none that put something back:
   * so nothing gains rank by being undone.
   * @param {Op} op
   * @param {Slot} slot
   */
  _slot({ op, over = [], again, object, value }, slot) {
    for (const name of new Set(over)) {
      const thing = this._thing(name)
      need(!thing || writes(thing, slot), name, 'did not write there')
    }
    if (!again) return
    const thing = this._thing(again)
    if (object) this._kind(object)
    if (!thing) return
    need(writes(thing, slot) && !('op' in thing && thing.op.again), again, 'did not put anything there')
    const given = object ? new Ref(this._full(object)) : value
    need(op === 'move' || isSame(putBy(thing, slot), given), again, 'put something else there')
  }

  // Names

  /** @param {string} name */
  _full(name = '') {
    return full(name, this._event.id)
  }

  /**
   * What a name means; null if its event is held without content.
   * @param {string} name
   */
  _thing(name) {
    const [made, k] = this._made(name)
    const thing = made && made.at(k)
    need(thing !== undefined, name, 'was not made')
    return /** @type {any} */ (thing)
  }

  /**
   * What the event of a name made, if that is known, and the k.
   * @param {string} name
   * @returns {[Made | null, number]}
   */
  _made(name) {
    if (name[0] === ':') {
      need(+name.slice(1) < this._start, name, 'is not made before')
      return [madeBy(this._event), +name.slice(1)]
    }
    const maker = eventOf(name)
    if (!this._others.has(maker)) this._others.set(maker, this._other(maker, name))
    return [this._others.get(maker) ?? null, kOf(name)]
  }

  /**
   * @param {string} maker
   * @param {string} name
   */
  _other(maker, name) {
    need(maker !== this._event.id, name, "is its own event's: write it without the id")
    need(maker < this._event.id, name, 'comes later')
    const held = this._find(maker)
    if (!held) return fail('missing_dependency', `${name} is not held. Push the event that made it first.`, { name })
    need(held.item === this._event.item, name, 'is of another item')
    // What an erased event made is not known any more. Who names it has seen it, so it is believed.
    return held instanceof Event ? madeBy(held) : null
  }
}

/**
 * @param {boolean} condition
 * @param {string | undefined} name
 * @param {string} what
 */
function need(condition, name = '', what) {
  if (!condition) fail('bad_op', `${JSON.stringify(name.slice(0, 80))} ${what}.`)
}

/** What each op needs. @type {Record<string, (judge: Judge, op: Op) => void>} */
const CHECKS = {
  put: (judge, { in: inside, elem, elems }) => {
    judge.object(inside, elems ? TEXT : elem ? LIST : MAP)
    if (elems) judge.elements(elems, inside)
    if (elem) judge.element(elem, inside)
  },
  del: (judge, { in: inside, elems }) => {
    judge.object(inside, ...(elems ? [TEXT, LIST] : [MAP]))
    if (elems) judge.elements(elems, inside)
  },
  ensure: (judge, op) => judge.object(op.in, MAP),
  insert: (judge, op) => {
    judge.object(op.in, op.values ? LIST : TEXT)
    judge.after(op.after, op.in)
  },
  move: (judge, op) => {
    judge.object(op.in, LIST)
    judge.element(op.elem, op.in)
    judge.after(op.after, op.in)
  },
  inc: (judge, op) => judge.object(op.in, COUNTER),
  add: (judge, op) => judge.object(op.in, SET),
  discard: (judge, op) => judge.object(op.in, SET),
  delete: () => {},
  restore: () => {},
}
