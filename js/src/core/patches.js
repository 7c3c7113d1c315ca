/**
 * JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396): `apply` and `diff`, `merge` and `mergeDiff`.
 *
 * No function changes an argument: what is changed is copied, the path down to it and no more, and the rest of the
 * result is the argument's own. So treat arguments and results as immutable. Equality is JSON's.
 *
 * Left out of `diff`: it finds no moves and no copies, and where elements of an array were both changed and removed
 * side by side it guesses from either end which is which.
 *
 * @typedef {{op: string, path: string, from?: string, value?: any}} Operation
 */

import { encode, sizeOf } from './canonical.js'
import { fail, SynclineError } from '../errors.js'
import { MAX_DEPTH, MAX_PATCH_COPIED_BYTES, MAX_PATCH_OPERATIONS } from './limits.js'
import * as pointers from './pointers.js'

/** Elements that `diff` removes from and adds to one array at most; further apart, arrays are paired by place. */
const MAX_EDITS = 128

/**
 * Whether a value is an object or an array.
 * @param {any} value
 */
export const isContainer = (value) => typeof value === 'object' && value !== null

/**
 * Whether a value is an object.
 * @param {any} value
 */
export const isObject = (value) => isContainer(value) && !Array.isArray(value)

/**
 * JSON equality.
 * @param {any} left
 * @param {any} right
 * @returns {boolean}
 */
export function equal(left, right) {
  if (left === right) return true
  if (!isContainer(left) || !isContainer(right) || Array.isArray(left) !== Array.isArray(right)) return false
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && equal(left[key], right[key]))
  )
}

// Applying

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

/**
 * Fails with too_deep if a value that stands within so many containers nests too deep. Level by level: no recursion.
 * @param {any} value
 * @param {number} above
 */
export function checkDepth(value, above) {
  for (let level = [value].filter(isContainer); level.length; level = level.flatMap(containers)) {
    above += 1
    if (above > MAX_DEPTH) fail('too_deep', `The value nests deeper than ${MAX_DEPTH}.`)
  }
}

/** @param {any} value */
const containers = (value) => Object.values(value).filter(isContainer)

// Comparing

/**
 * A JSON Patch that makes `after` of `before`; the same two values always give the same patch.
 *
 * It keeps what arrays have in common (see MAX_EDITS) and names just what changed, objects' keys in canonical order.
 * A container for which that would not be a patch that `apply` takes is replaced as a whole.
 *
 * @param {any} before
 * @param {any} after
 */
export function diff(before, after) {
  /** @type {Operation[]} */
  const operations = []
  compare(before, after, '', operations)
  return operations
}

/**
 * Whether `apply` takes these operations.
 * @param {Operation[]} operations
 */
export const isFit = (operations) =>
  operations.length <= MAX_PATCH_OPERATIONS &&
  operations.every(({ path }) => pointers.isShort(path))

/**
 * @param {any} before
 * @param {any} after
 * @param {string} path
 * @param {Operation[]} out
 */
function compare(before, after, path, out) {
  const start = out.length
  if (isObject(before) && isObject(after)) compareObjects(before, after, path, out)
  else if (Array.isArray(before) && Array.isArray(after)) compareArrays(before, after, path, out)
  else if (!equal(before, after)) out.push({ op: 'replace', path, value: after })
  if (!isFit(out.slice(start))) out.splice(start, out.length, { op: 'replace', path, value: after })
}

/**
 * @param {any} before
 * @param {any} after
 * @param {string} path
 * @param {Operation[]} out
 */
function compareObjects(before, after, path, out) {
  for (const key of changed(before, after)) {
    const place = `${path}/${pointers.escape(key)}`
    if (!Object.hasOwn(after, key)) out.push({ op: 'remove', path: place })
    else if (!Object.hasOwn(before, key)) out.push({ op: 'add', path: place, value: after[key] })
    else compare(before[key], after[key], place, out)
  }
}

/**
 * The keys under which two objects differ, in canonical order.
 * @param {any} before
 * @param {any} after
 */
function changed(before, after) {
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(after, key) || !equal(before[key], after[key]))
  return [...gone, ...Object.keys(after).filter((key) => !Object.hasOwn(before, key))].sort()
}

/**
 * @param {any[]} before
 * @param {any[]} after
 * @param {string} path
 * @param {Operation[]} out
 */
function compareArrays(before, after, path, out) {
  let done = 0 // everything is said about what comes before this, which has become what comes before `reached`
  let reached = 0
  for (const [start, end, length] of matches(before, after)) {
    compareRuns(before.slice(done, start), after.slice(reached, end), path, reached, out)
    done = start + length
    reached = end + length
  }
}

/**
 * Says how one run of elements becomes another: what is over goes or comes, then the others change in pairs.
 * @param {any[]} removed
 * @param {any[]} added
 * @param {string} path
 * @param {number} first
 * @param {Operation[]} out
 */
function compareRuns(removed, added, path, first, out) {
  const pairs = Math.min(removed.length, added.length)
  const gone = removed.length - pairs
  const come = added.length - pairs
  const isAtEnd =
    !pairs || gone === come || likeness(removed, added) >= likeness(removed.slice(gone), added.slice(come))
  const over = isAtEnd ? first + pairs : first
  const spare = isAtEnd ? added.slice(pairs) : added.slice(0, come)
  for (let n = 0; n < gone; n++) out.push({ op: 'remove', path: `${path}/${over}` })
  spare.forEach((value, n) => out.push({ op: 'add', path: `${path}/${over + n}`, value }))
  const [from, to] = isAtEnd ? [0, 0] : [gone, come]
  for (let n = 0; n < pairs; n++) compare(removed[from + n], added[to + n], `${path}/${first + to + n}`, out)
}

/**
 * How many members are the same in the objects of two runs, pair by pair.
 * @param {any[]} left
 * @param {any[]} right
 */
function likeness(left, right) {
  let count = 0
  left.slice(0, right.length).forEach((one, n) => {
    const other = right[n]
    if (!isObject(one) || !isObject(other)) return
    for (const key of Object.keys(one)) count += Number(Object.hasOwn(other, key) && equal(one[key], other[key]))
  })
  return count
}

/**
 * Where two arrays agree: (index before, index after, length) of each run, the last one at their ends.
 * @param {any[]} before
 * @param {any[]} after
 */
function matches(before, after) {
  const [head, tail] = ends(before, after)
  const [start, end] = [before.length - tail, after.length - tail]
  const middle = common(before.slice(head, start).map(encode), after.slice(head, end).map(encode))
  return [[0, 0, head], ...middle.map(([one, other, n]) => [head + one, head + other, n]), [start, end, tail]]
}

/**
 * How many members two arrays, or units two texts, have in common at the beginning, and of the others at the end.
 * @param {ArrayLike<any>} before
 * @param {ArrayLike<any>} after
 */
export function ends(before, after) {
  const most = Math.min(before.length, after.length)
  let head = 0
  while (head < most && equal(before[head], after[head])) head++
  let tail = 0
  while (tail < most - head && equal(before[before.length - 1 - tail], after[after.length - 1 - tail])) tail++
  return [head, tail]
}

/**
 * The runs of a longest common subsequence, or none if the sequences are more than MAX_EDITS apart.
 *
 * The greedy algorithm of Myers, "An O(ND) Difference Algorithm and Its Variations" (1986). On diagonal k, which is
 * the index before minus the index after, it goes as far as it can with 0, 1, 2, … edits. Each diagonal holds how
 * far that was, and the matches on the way as a linked list, the last one first.
 *
 * @param {string[]} before
 * @param {string[]} after
 * @returns {number[][]}
 */
function common(before, after) {
  const [width, height] = [before.length, after.length]
  const known = new Set(before)
  if (Math.abs(width - height) > MAX_EDITS || !after.some((each) => known.has(each))) return []
  const reached = new Map([[1, { far: 0, matches: /** @type {any} */ (null) }]])
  for (let edits = 0; edits <= Math.min(MAX_EDITS, width + height); edits++) {
    for (let k = -edits; k <= edits; k += 2) {
      const [less, more] = [reached.get(k - 1), reached.get(k + 1)]
      const isAdded = k === -edits || (k !== edits && less && more && less.far < more.far)
      let { far, matches } = /** @type {{far: number, matches: any}} */ (isAdded ? more : less)
      if (!isAdded) far++
      const start = far
      while (far < width && far - k < height && before[far] === after[far - k]) far++
      if (far > start) matches = { run: [start, start - k, far - start], rest: matches }
      if (far >= width && far - k >= height) return inOrder(matches)
      reached.set(k, { far, matches })
    }
  }
  return []
}

/** @param {any} matches */
function inOrder(matches) {
  const runs = []
  for (; matches; matches = matches.rest) runs.push(matches.run)
  return runs.reverse()
}

// Merging

/**
 * The value after a JSON Merge Patch: objects merge, null removes a member, anything else replaces.
 * Fails with too_deep if the patch nests deeper than MAX_DEPTH.
 *
 * @param {any} value
 * @param {any} patch
 */
export function merge(value, patch) {
  checkDepth(patch, 0)
  return merged(value, patch)
}

/**
 * @param {any} value
 * @param {any} patch
 * @returns {any}
 */
function merged(value, patch) {
  if (!isObject(patch)) return patch
  const result = new Map(isObject(value) ? Object.entries(value) : [])
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) result.delete(key)
    else result.set(key, merged(result.get(key), change))
  }
  return Object.fromEntries(result)
}

/**
 * The smallest JSON Merge Patch that makes `after` of `before`; `{}` changes nothing of an object.
 * Fails with patch_failed where there is none: a merge patch cannot write null into an object. `diff` has no such gap.
 *
 * @param {any} before
 * @param {any} after
 * @returns {any}
 */
export function mergeDiff(before, after) {
  if (!isObject(after)) return after
  const known = isObject(before) ? before : {}
  return Object.fromEntries(changed(known, after).map((key) => [key, mergeMember(known, after, key)]))
}

/**
 * @param {any} before
 * @param {any} after
 * @param {string} key
 */
function mergeMember(before, after, key) {
  if (!Object.hasOwn(after, key)) return null
  if (after[key] === null) fail('patch_failed', 'A merge patch cannot write null.')
  return mergeDiff(Object.hasOwn(before, key) ? before[key] : null, after[key])
}
