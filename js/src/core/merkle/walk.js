// The walk: finds where one's own set differs from somebody else's, by asking only where hashes differ. Every answer
// leads further down, so it ends. What comes is believed as far as it has the right shape and was asked for.

import { fail } from '../../errors.js'
import { MAX_SUMMARIES, MAX_TREE_SUMMARIES } from '../limits.js'
import { DIGITS, HASH_DIGITS, checkNode, slotsOf } from './nodes.js'

/** @typedef {import('./nodes.js').Node} Node */

/** More nodes than that no walk takes in: who differs in so much takes all of it instead. */
const MAX_NODES = 1_000_000

/** One end of a walk. `mineOnly`, `theirsOnly` and `differing` (the same id with another digest) are ids. */
export class Walk {
  /** @param {import('./tree.js').Tree} tree @param {number} [maxNodes] */
  constructor(tree, maxNodes = MAX_NODES) {
    /** @type {Set<string>} */
    this.mineOnly = new Set()
    /** @type {Set<string>} */
    this.theirsOnly = new Set()
    /** @type {Set<string>} */
    this.differing = new Set()
    this._tree = tree
    this._nodesLeft = maxNodes
    this._waiting = [tree.at('')]
    /** @type {Node[]} */
    this._asked = []
  }

  /** What to ask next, after all before it was answered; nothing when all is known. */
  questions() {
    let count = 0
    for (let room = MAX_TREE_SUMMARIES; count < Math.min(MAX_SUMMARIES, this._waiting.length); count++) {
      room -= this._waiting[count].mask ? DIGITS.length : 1
      if (room < 0) break
    }
    return (this._asked = this._waiting.splice(0, count))
  }

  /** Takes the answers to the last questions. Fails with bad_request. @param {readonly Node[]} answers */
  take(answers) {
    const expected = new Set(this._asked.flatMap(answerable))
    this._asked = []
    this._nodesLeft -= answers.length
    if (this._nodesLeft < 0) fail('bad_request', 'merkle: the two sets differ in too much to be compared.')
    for (const answer of answers) {
      const isExpected = expected.delete(checkNode(answer).at)
      if (!isExpected) fail('bad_request', `merkle: nobody asked for the node at ${answer.at}, or not twice.`)
      this._compare(answer)
    }
  }

  /** Notes what differs below a node of the other end, or asks on. @param {Node} theirs */
  _compare(theirs) {
    if (!theirs.mask) return this._compareEntries(theirs)
    const slots = slotsOf(theirs)
    const theirsBelow = slots.map(([prefix]) => prefix)
    for (const id of this._tree.idsBeside(theirs.at, theirsBelow)) this.mineOnly.add(id)
    for (const [prefix, hash] of slots) {
      if (this._tree.hashAt(prefix).slice(0, HASH_DIGITS) !== hash) this._waiting.push(this._tree.at(prefix))
    }
  }

  /** @param {Node} theirs */
  _compareEntries(theirs) {
    const there = new Map(theirs.ids.map((id, place) => [id, theirs.hashes[place]]))
    for (const [id, digest] of this._tree.entries(theirs.at)) {
      const other = there.get(id)
      if (other === undefined) this.mineOnly.add(id)
      else if (other !== digest.slice(0, HASH_DIGITS)) this.differing.add(id)
      there.delete(id)
    }
    for (const id of there.keys()) this.theirsOnly.add(id)
  }
}

/** Where an answer to a question may begin. @param {Node} question */
const answerable = ({ at, within, mask }) => [at, ...(mask ? [...DIGITS].map((digit) => within + digit) : [])]
