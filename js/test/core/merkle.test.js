// A tree that follows its set: the same as one that is made anew. (Shapes, hashes and walks are held by vectors.)

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Tree } from '../../src/core/merkle/tree.js'
import { sha256, toHex, utf8 } from '../../src/core/sha256.js'
import { Stamp } from '../../src/core/stamps.js'
import { Dice } from '../dice.js'

/** @param {string} text */
const hashOf = (text) => toHex(sha256(utf8(text)))

for (let seed = 1; seed <= 8; seed++) {
  test(`a tree with changes is that of the set with them, seed ${seed}`, () => {
    const dice = new Dice(seed)
    const id = () => new Stamp(1_700_000_000_000 + dice.below(3_000), dice.below(4), dice.below(9), 7).toString()
    /** @type {Map<string, string>} */
    const set = new Map()
    let tree = new Tree()
    for (let round = 0; round < 30; round++) {
      /** @type {Map<string, string | null>} */
      const changes = new Map()
      for (let count = dice.below(40); count >= 0; count--) {
        const chosen = set.size && dice.below(2) ? dice.choose([...set.keys()]) : id()
        changes.set(chosen, dice.below(3) ? hashOf(`${chosen} ${dice.below(1_000)}`) : null)
      }
      const before = tree.root
      const changed = tree.with(changes)
      assert.equal(tree.root, before, 'the tree of before stays')
      for (const [each, digest] of changes) {
        if (digest === null) set.delete(each)
        else set.set(each, digest)
      }
      const fresh = new Tree(set)
      assert.deepEqual([changed.root, changed.count], [fresh.root, fresh.count])
      for (const prefix of ['', '018', '018bcfe5', fresh.at('').within + '3']) assert.deepEqual(changed.at(prefix), fresh.at(prefix))
      tree = changed
    }
    const fresh = new Tree(set)
    for (const [prefix, hash] of hashed(tree)) assert.equal(hash, fresh.hashAt(prefix))
    for (const prefix of hashed(fresh).keys()) assert.ok(tree._hashes.has(prefix))
  })
}

/** All hashes of a tree. @param {Tree} tree */
function hashed(tree) {
  for (const _ of tree.hashing());
  return tree._hashes
}
