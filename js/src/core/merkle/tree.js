// The Merkle tree of a set of events, and what is told of it to others. The set is in memory; a subtree is hashed when
// it is looked at first, so comparing two sets that are nearly equal costs what differs.

import { DIGITS, HASH_DIGITS, LEAF_ENTRIES, branchHash, checkNode, idOf, keyOf, leafHash, slotsOf } from './nodes.js'

/** @typedef {import('./nodes.js').Node} Node */

export class Tree {
  /** @param {Iterable<readonly [id: string, digest: string]>} entries digests are hex digits */
  constructor(entries = []) {
    const sorted = [...entries].map(([id, digest]) => /** @type {const} */ ([keyOf(id), digest])).sort(byKey)
    this._keys = sorted.map(([key]) => key)
    this._digests = sorted.map(([, digest]) => digest)
    /** Of subtrees, by the longest prefix of all their keys. @type {Map<string, string>} */
    this._hashes = new Map()
  }

  /**
   * The tree of the same set with some changes, by id: another digest, or null for what has gone. It knows every hash
   * that has not changed.
   * @param {ReadonlyMap<string, string | null>} changes
   */
  with(changes) {
    const tree = new Tree()
    tree._keys = this._keys.slice()
    tree._digests = this._digests.slice()
    tree._hashes = new Map(this._hashes)
    for (const [id, digest] of changes) tree._set(keyOf(id), digest)
    return tree
  }

  /** @param {string} key @param {string | null} digest */
  _set(key, digest) {
    const place = this._first(key)
    const isHere = this._keys[place] === key
    const fresh = digest === null ? [] : [digest]
    this._keys.splice(place, Number(isHere), ...(digest === null ? [] : [key]))
    this._digests.splice(place, Number(isHere), ...fresh)
    for (let depth = 0; depth <= key.length; depth++) this._hashes.delete(key.slice(0, depth))
  }

  /** Makes all hashes that are not known yet, step by step. @returns {Generator<void, void>} */
  *hashing(start = 0, end = this._keys.length) {
    if (end - start > LEAF_ENTRIES && !this._hashes.has(this._within(start, end))) {
      for (const span of this._children(start, end)) yield* this.hashing(...span)
    }
    this._hash(start, end)
    yield
  }

  /** The hash of all of it, 64 hex digits. */
  get root() {
    return this._hash(0, this._keys.length)
  }

  get count() {
    return this._keys.length
  }

  /** The ids below a prefix, in order, and their digests. @param {string} prefix @returns {[id: string, digest: string][]} */
  entries(prefix) {
    const [start, end] = this._span(prefix)
    return this._keys.slice(start, end).map((key, place) => [idOf(key), this._digests[start + place]])
  }

  /** The ids below a prefix that are not below any of these, which are in order. @param {string} prefix @param {string[]} others */
  idsBeside(prefix, others) {
    const [start, end] = this._span(prefix)
    const spans = others.map((other) => this._span(other))
    const starts = [start, ...spans.map(([, beyond]) => beyond)]
    const ends = [...spans.map(([first]) => first), end]
    return starts.flatMap((first, place) => this._keys.slice(first, ends[place]).map(idOf))
  }

  /** The hash of what is below a prefix. @param {string} prefix */
  hashAt(prefix) {
    return this._hash(...this._span(prefix))
  }

  /** What is below a prefix, to be told to others. @param {string} prefix @returns {Node} */
  at(prefix) {
    const [start, end] = this._span(prefix)
    const within = end > start ? this._within(start, end) : prefix
    if (end - start <= LEAF_ENTRIES) {
      const hashes = this._digests.slice(start, end).map((digest) => digest.slice(0, HASH_DIGITS))
      return { at: prefix, within, mask: 0, hashes, ids: this._keys.slice(start, end).map(idOf) }
    }
    const children = this._children(start, end)
    const mask = children.reduce((sum, [first]) => sum | (1 << parseInt(this._keys[first][within.length], 16)), 0)
    const hashes = children.map((span) => this._hash(...span).slice(0, HASH_DIGITS))
    return { at: prefix, within, mask, hashes, ids: [] }
  }

  /**
   * Where this set differs from what somebody else says of theirs; nothing where they are equal. Of a branch with the
   * same children's place: each child that differs, as it is here; else the node itself. Fails with bad_request.
   * @param {readonly Node[]} questions
   */
  describe(questions) {
    return questions.flatMap((question) => this._differing(checkNode(question)))
  }

  /** @param {Node} question @returns {Node[]} */
  _differing(question) {
    const mine = this.at(question.at)
    if (JSON.stringify(mine) === JSON.stringify(question)) return []
    if (!mine.mask || !question.mask || mine.within !== question.within) return [mine]
    const [here, there] = [new Map(slotsOf(mine)), new Map(slotsOf(question))]
    const prefixes = [...DIGITS].map((digit) => mine.within + digit)
    return prefixes.filter((prefix) => here.get(prefix) !== there.get(prefix)).map((prefix) => this.at(prefix))
  }

  /** @param {number} start @param {number} end @returns {string} */
  _hash(start, end) {
    if (start === end) return leafHash([])
    const place = this._within(start, end)
    const known = this._hashes.get(place)
    if (known !== undefined) return known
    const hash =
      end - start <= LEAF_ENTRIES
        ? leafHash(this._digests.slice(start, end))
        : branchHash(this._children(start, end).map((span) => this._hash(...span)))
    this._hashes.set(place, hash)
    return hash
  }

  /** The spans of the children of a branch, in order. @param {number} start @param {number} end */
  _children(start, end) {
    /** @type {[number, number][]} */
    const spans = []
    const depth = this._within(start, end).length
    while (start < end) {
      const beyond = this._first(this._keys[start].slice(0, depth + 1) + '~')
      spans.push([start, beyond])
      start = beyond
    }
    return spans
  }

  /** The longest prefix of all these. @param {number} start @param {number} end */
  _within(start, end) {
    const [first, last] = [this._keys[start], this._keys[end - 1]]
    let depth = 0
    while (depth < first.length && first[depth] === last[depth]) depth++
    return first.slice(0, depth)
  }

  /** @param {string} prefix @returns {[start: number, end: number]} */
  _span(prefix) {
    return [this._first(prefix), this._first(prefix + '~')]
  }

  /** The place of the first key that is not before this one. @param {string} key */
  _first(key) {
    let [low, high] = [0, this._keys.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this._keys[middle] < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** @param {readonly [string, string]} one @param {readonly [string, string]} other */
const byKey = ([one], [other]) => (one < other ? -1 : 1)
