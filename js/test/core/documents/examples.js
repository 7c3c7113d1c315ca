// A document that the tests of editing begin with, and the names of what is in it.

import { Document } from '../../../src/core/documents/document.js'
import { Event } from '../../../src/core/events.js'
import { nodeHash, Stamp } from '../../../src/core/stamps.js'

export const ITEM = 'task.milk'
export const NOW = 1_700_000_000_000

/**
 * The id of the n-th event.
 * @param {number} n
 */
export const anId = (n, node = 'n1') => new Stamp(NOW + n, 0, nodeHash(node), 0).toString()

/**
 * What the n-th event made as its k-th.
 * @param {number} n
 * @param {number} k
 */
export const name = (n, k, node = 'n1') => `${anId(n, node)}:${k}`

/**
 * The n-th event; nobody has checked its ops.
 * @param {number} n
 * @param {any[]} ops
 */
export const anEvent = (n, ops, node = 'n1') =>
  new Event({ action: 'edit', clock: { [node]: n }, id: anId(n, node), item: ITEM, node, ops: structuredClone(ops) })

/**
 * The document of events with these ops.
 * @param {any[][]} events
 */
export function folded(...events) {
  const document = new Document(ITEM)
  events.forEach((ops, n) => document.fold(anEvent(n + 1, ops)))
  return document
}

export const FIRST = [
  { op: 'put', key: 'text', value: { $text: 'abc' } },
  { op: 'put', key: 'list', value: [1, 2] },
  { op: 'put', key: 'set', value: { $set: [1, 2] } },
  { op: 'put', key: 'count', value: { $counter: 2 } },
]
export const TEXT = name(1, 1)
export const LIST = name(1, 6)
export const SET = name(1, 10)
export const COUNT = name(1, 12)
