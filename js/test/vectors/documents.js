// The vectors of documents: stories of one document, and the shapes of ops.

import { Document } from '../../src/core/documents/document.js'
import { changesOf, check, read as readOps, size } from '../../src/core/documents/ops.js'
import { decode, encode } from '../../src/core/documents/snapshots.js'
import { Event } from '../../src/core/events.js'
import { Dice } from '../dice.js'
import { codeOf, each, same } from './running.js'

/**
 * @typedef {import('./running.js').Read} Read
 * @typedef {import('./running.js').Test} Test
 */

const ITEM = 'task.milk'
const STORIES = ['again', 'counters', 'erased', 'lists', 'maps', 'policies', 'sets', 'texts', 'totality', 'whole']

/** @param {Test} test @param {Read} read */
export function documents(test, read) {
  for (const name of STORIES) each(test, name, read(`documents/${name}`).cases, tell)
  shapes(test, read('documents/ops'))
}

/** @param {any} story */
function tell(story) {
  const expected = Object.fromEntries(TOLD.map((name) => [name, story[name]]))
  const order = story.events.map((/** @type {any} */ _, /** @type {number} */ place) => place)
  same(told(folded(story, order)), expected)
  same(told(folded(story, order.flatMap((/** @type {number} */ place) => [place, place]))), expected)
  for (const seed of story.policies?.includes('server_wins') ? [] : [0, 1, 2]) {
    same(told(folded(story, anOrder(story.events, new Dice(seed)))), expected)
  }
  for (let start = 0; start < order.length; start++) same(told(goneOn(story, order, start)), expected)
  same(told(decode(ITEM, story.snapshot)), expected)
}

const TOLD = ['exists', 'value', 'plain', 'conflicts', 'overruled', 'snapshot']

/** @param {Document} document */
const told = (document) => ({
  exists: document.exists,
  value: document.value(),
  plain: document.plain(),
  conflicts: document.conflicts().map(({ path, shown, others }) => [path, shown, others]),
  overruled: [...document.overruled].sort(),
  snapshot: encode(document),
})

/**
 * @param {any} story
 * @param {number[]} order
 */
function folded(story, order, document = new Document(ITEM)) {
  for (const place of order) document.fold(new Event(story.events[place]), { policy: story.policies?.[place] })
  return document
}

/**
 * The same with a snapshot in the middle.
 * @param {any} story
 * @param {number[]} order
 * @param {number} start
 */
const goneOn = (story, order, start) =>
  folded(story, order.slice(start), decode(ITEM, encode(folded(story, order.slice(0, start)))))

/**
 * An order of arrival that the clocks allow.
 * @param {any[]} events
 * @param {Dice} dice
 */
function anOrder(events, dice) {
  /** @type {number[]} */
  const order = []
  const arrived = new Map()
  const waiting = new Set(events.keys())
  while (waiting.size) {
    const place = dice.choose([...waiting].filter((each) => fits(events[each], arrived)))
    waiting.delete(place)
    order.push(place)
    arrived.set(events[place].node, events[place].clock[events[place].node])
  }
  return order
}

/**
 * @param {any} event
 * @param {Map<string, number>} arrived
 */
const fits = ({ node, clock }, arrived) =>
  Object.entries(clock).every(([other, n]) => (arrived.get(other) ?? 0) >= n - +(other === node))

/** @param {Test} test @param {any} vectors */
function shapes(test, vectors) {
  each(test, 'shapes of ops', vectors.taken, (given) => {
    same(check([given.op]), [given.op])
    same(changesOf({ ops: [given.op] }), [given.op])
    same(size(given.op), given.names)
  })
  each(test, 'no shapes of ops', vectors.refused, (op) => {
    same(codeOf(() => check([{ op: 'delete' }, op])), 'bad_op')
    same(readOps([{ op: 'delete' }, op]), [{ op: 'delete' }, null])
  })
}
