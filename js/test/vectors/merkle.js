// The vectors of Merkle trees: shapes, hashes, walks, and nodes that are none.

import { idOf, nodeOf, summaryOf } from '../../src/core/merkle/nodes.js'
import { Tree } from '../../src/core/merkle/tree.js'
import { Walk } from '../../src/core/merkle/walk.js'
import { sha256, toHex, utf8 } from '../../src/core/sha256.js'
import { codeOf, each, same } from './running.js'

/** @param {import('./running.js').Test} test @param {import('./running.js').Read} read */
export function merkle(test, read) {
  const vectors = read('merkle')
  const sets = Object.fromEntries(vectors.sets.map((/** @type {any} */ set) => [set.about, set]))
  each(test, 'sets', vectors.sets, (set) => {
    const tree = treeOf(set)
    same([tree.count, tree.root], [set.count, set.root])
    for (const told of set.told) {
      same(summaryOf(tree.at(told[0])), told)
      same(summaryOf(nodeOf(told)), told)
    }
  })
  each(test, 'walks', vectors.walks, (walk) => tell(walk, treeOf(sets[walk.mine]), treeOf(sets[walk.theirs])))
  each(test, 'no nodes', vectors.refused, (summary) => same(codeOf(() => nodeOf(summary)), 'bad_request'))
  test('answers that nobody asked for', () => {
    const walk = new Walk(new Tree())
    same(codeOf(() => walk.take([nodeOf(['', '', 0, '', []])])), 'bad_request')
    const little = new Walk(treeOf(sets['seventeen, a branch']), 1)
    const [question] = little.questions()
    same(codeOf(() => little.take([question, question])), 'bad_request')
  })
}

/** @param {any} vector @param {Tree} mine @param {Tree} theirs */
function tell({ rounds, mine_only, theirs_only, differing }, mine, theirs) {
  const walk = new Walk(mine)
  for (const { asked, answered } of rounds) {
    const questions = walk.questions()
    same(inOrder(questions.map(summaryOf)), asked)
    const answers = theirs.describe(questions)
    same(inOrder(answers.map(summaryOf)), answered)
    walk.take(answers)
  }
  same(walk.questions(), [])
  const found = [walk.mineOnly, walk.theirsOnly, walk.differing].map((ids) => [...ids].sort())
  same(found, [mine_only, theirs_only, differing])
}

/** @param {import('../../src/core/messages.js').Summary[]} summaries */
const inOrder = (summaries) => summaries.sort(([one], [other]) => (one < other ? -1 : 1))

/** @param {string} text */
const hashOf = (text) => toHex(sha256(utf8(text)))

/** The set of a vector's clusters. @param {{clusters: any[]}} set */
function treeOf({ clusters }) {
  /** @type {Map<string, string>} */
  const entries = new Map()
  for (const [name, prefix, from, to, version] of clusters) {
    for (let n = from; n < to; n++) {
      const digits = [...(prefix + hashOf(`${name} ${n}`)).slice(0, 32)]
      digits[12] = '7'
      digits[16] = '8'
      const id = idOf(digits.join(''))
      entries.set(id, hashOf(`${id} ${version}`))
    }
  }
  return new Tree(entries)
}
