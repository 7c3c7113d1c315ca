/**
 * JSON Patch (RFC 6902), applied; `diff.js` makes them.
 *
 * No function changes an argument: what is changed is copied, the path down to it and no more, and the rest of the
 * result is the argument's own. So treat arguments and results as immutable. Equality is JSON's.
 *
 * @typedef {{op: string, path: string, from?: string, value?: any}} Operation
 */

import { SynclineError, fail } from '../errors.js'
import { sizeOf } from './canonical.js'
import { checkDepth, equal, isContainer } from './json.js'
import { MAX_PATCH_COPIED_BYTES, MAX_PATCH_OPERATIONS } from './limits.js'
import * as pointers from './pointers.js'

/**
 * The value after all operations of a JSON Patch, in order: all are applied, or none.
 *
 * Fails with bad_patch if the patch is malformed, whatever the value; patch_failed or patch_test_failed if an
 * operation does not fit; too_deep if something would nest deeper than MAX_DEPTH; too_large if more than
 * MAX_PATCH_COPIED_BYTES would be copied, or moved deeper, in all. `index` among the error's details is the operation
 * that it was, from 0. The whole value can be replaced but not removed.
 *
 * @param {any} value
 * @param {any} patch
 */
export function apply(value, patch) {
  const draft = new Draft(value)
  carryOut(patch, draft)
  return draft.root
}

/**
 * All operations, in order, on whatever has a method for each, after the whole patch was read.
 * Errors get the `index` of their operation.
 *
 * @param {any} patch
 * @param {any} target `test`, `add` and `replace` (path, value), `remove` (path), `move` and `copy` (path, source)
 */
export function carryOut(patch, target) {
  if (!Array.isArray(patch)) fail('bad_patch', 'A patch is a list of operations.')
  if (patch.length > MAX_PATCH_OPERATIONS) fail('bad_patch', `A patch has at most ${MAX_PATCH_OPERATIONS} operations.`)
  const steps = patch.map((operation, index) => at(index, () => read(operation)))
  steps.forEach(([name, ...operands], index) => at(index, () => target[name](...operands)))
}

/**
 * @template T
 * @param {number} index
 * @param {() => T} act
 */
function at(index, act) {
  try {
    return act()
  } catch (error) {
    if (error instanceof SynclineError) error.details.index = index
    throw error
  }
}

/** The members that each operation needs. */
const OPERANDS = new Map(
  Object.entries({
    test: ['path', 'value'],
    add: ['path', 'value'],
    remove: ['path'],
    replace: ['path', 'value'],
    move: ['path', 'from'],
    copy: ['path', 'from'],
  }),
)

/** @param {any} operation */
function read(operation) {
  const members = isContainer(operation) ? OPERANDS.get(operation.op) : undefined
  if (!members) fail('bad_patch', 'There is no such operation.')
  return [operation.op, ...members.map((member) => operand(operation, member))]
}

/**
 * @param {any} operation
 * @param {string} member
 */
function operand(operation, member) {
  if (!Object.hasOwn(operation, member)) fail('bad_patch', `The member ${member} is missing.`)
  const value = operation[member]
  if (member === 'value') return value
  if (typeof value !== 'string') fail('bad_patch', `${member}: a JSON Pointer is a string.`)
  return pointers.parse(value)
}

/** How much a patch may still copy: MAX_PATCH_COPIED_BYTES in all, because copies of copies grow fast. */
export class Allowance {
  left = MAX_PATCH_COPIED_BYTES

  /**
   * Counts a value that will stand in one more place.
   * @param {any} value
   */
  spend(value) {
    this.left -= sizeOf(JSON.stringify(value))
    if (this.left < 0) fail('too_large', `The patch copies more than ${MAX_PATCH_COPIED_BYTES} bytes.`)
  }
}

/** A value that is being patched. Its containers are copied when they are first changed; `own` holds the copies. */
class Draft {
  /** @param {any} value */
  constructor(value) {
    this.root = value
    this.own = new Set()
    this.allowance = new Allowance()
  }

  /** @param {string[]} path @param {any} value */
  test(path, value) {
    expect(equal(pointers.resolve(this.root, path), value))
  }

  /** @param {string[]} path @param {any} value */
  add(path, value) {
    checkDepth(value, path.length)
    this.put(path, value)
  }

  /** @param {string[]} path */
  remove(path) {
    if (!path.length) fail('patch_failed', 'The whole value cannot be removed.')
    const [parent, token] = this.opened(path)
    const key = pointers.key(parent, token)
    if (Array.isArray(parent)) parent.splice(/** @type {number} */ (key), 1)
    else delete parent[key]
  }

  /** @param {string[]} path @param {any} value */
  replace(path, value) {
    checkDepth(value, path.length)
    if (!path.length) this.root = value
    else {
      const [parent, token] = this.opened(path)
      set(parent, pointers.key(parent, token), value)
    }
  }

  /** @param {string[]} path @param {string[]} source */
  move(path, source) {
    const value = pointers.resolve(this.root, source)
    if (isInside(path, source)) return
    if (path.length > source.length) this.weigh(value, path.length)
    this.remove(source)
    this.put(path, value)
  }

  /** @param {string[]} path @param {string[]} source */
  copy(path, source) {
    const value = pointers.resolve(this.root, source)
    this.weigh(value, path.length)
    this.own.clear() // two places will share the value: neither may change it in place
    this.put(path, value)
  }

  /** @param {string[]} path @param {any} value */
  put(path, value) {
    if (!path.length) {
      this.root = value
      return
    }
    const [parent, token] = this.opened(path)
    if (Array.isArray(parent)) parent.splice(pointers.between(parent.length, token), 0, value)
    else set(parent, token, value)
  }

  /**
   * The container around a place, and the place in it; it and all those above it are the draft's own after this.
   * @param {string[]} path
   * @returns {[any, string]}
   */
  opened(path) {
    let parent = (this.root = this.owned(this.root))
    for (const token of path.slice(0, -1)) {
      const key = pointers.key(parent, token)
      const child = this.owned(parent[key])
      set(parent, key, child)
      parent = child
    }
    return [parent, path[path.length - 1]]
  }

  /** @param {any} container */
  owned(container) {
    if (this.own.has(container)) return container
    if (!isContainer(container)) fail('patch_failed', 'The path leads into a value without parts.')
    const own = Array.isArray(container) ? [...container] : { ...container }
    this.own.add(own)
    return own
  }

  /**
   * Counts a value that is put into another place, before it is walked.
   * @param {any} value
   * @param {number} above
   */
  weigh(value, above) {
    this.allowance.spend(value)
    checkDepth(value, above)
  }
}

/**
 * Sets a member or an element; `__proto__` is a key like any other.
 * @param {any} container
 * @param {string | number} key
 * @param {any} value
 */
function set(container, key, value) {
  Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true })
}

/**
 * Fails unless a test of a patch has found what it asks for.
 * @param {boolean} isSame
 */
export function expect(isSame) {
  if (!isSame) fail('patch_test_failed', 'The value is not the one that the patch asks for.')
}

/**
 * Whether a move leads where it comes from. Fails if it leads into what moves.
 * @param {string[]} path
 * @param {string[]} source
 */
export function isInside(path, source) {
  const isWithin = source.every((token, place) => path[place] === token)
  if (isWithin && path.length > source.length) fail('patch_failed', 'A value cannot be moved into itself.')
  return isWithin
}
