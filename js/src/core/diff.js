/**
 * The JSON Patch (RFC 6902) between two values. Results share what they can with the arguments: treat both as immutable.
 *
 * Left out: it finds no moves and no copies, and where elements of an array were both changed and removed side by side it
 * guesses from either end which is which.
 *
 * @typedef {import('./patches.js').Operation} Operation
 */

import { encode } from './canonical.js'
import { equal, isObject } from './json.js'
import { MAX_PATCH_OPERATIONS } from './limits.js'
import * as pointers from './pointers.js'

/** Elements that `diff` removes from and adds to one array at most; further apart, arrays are paired by place. */
const MAX_EDITS = 128

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
