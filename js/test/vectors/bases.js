// The vectors of bases: what they cover, documents that go on from one, and how a snapshot is taken.

import { covers } from '../../src/core/bases.js'
import { encode as canonical } from '../../src/core/canonical.js'
import { Document } from '../../src/core/documents/document.js'
import { replay } from '../../src/core/documents/revisions.js'
import { encode } from '../../src/core/documents/snapshots.js'
import { Event } from '../../src/core/events.js'
import { decodeAnswer } from '../../src/core/messages.js'
import { ClientSession } from '../../src/core/session.js'
import { Shelf, standing } from '../../src/replica/documents/shelf.js'
import { codeOf, each, same } from './running.js'

/**
 * @typedef {import('./running.js').Read} Read
 * @typedef {import('./running.js').Test} Test
 */

/** @param {Test} test @param {Read} read */
export function bases(test, read) {
  const vectors = read('bases')
  each(test, 'what a base covers', vectors.covers, (given) => same(covers(given.clock, given.node, given.n), given.covers))
  each(test, 'documents go on from', vectors.documents, goOn)
  each(test, 'a snapshot is taken', vectors.taking, take)
}

/** @param {any} story */
function goOn({ entries, cut, base, state, revisions }) {
  const placed = entries.map((/** @type {any} */ entry) => ({ ...entry, event: new Event(entry.event) }))
  const whole = new Document(base.item)
  for (const { event } of placed) whole.fold(event)
  same(JSON.parse(encode(whole)), state)
  const kept = standing({ group: null, revision: 0, ...base }, base.state ? canonical(base.state) : '')
  const { document } = new Shelf(kept)
  same([kept.exists, kept.count], [document.exists, cut])
  const told = [...replay(document, placed.slice(cut), kept.revision + 1, undefined, kept.group)]
  same(told.map(({ number, forward }) => ({ number, forward })), revisions)
  same(JSON.parse(encode(document)), state)
}

/** @param {any} trace */
function take({ options, steps }) {
  const client = new ClientSession({ space: 'home', ...options })
  for (const { next, step, receive, effects, raises } of steps) {
    if (next) same(asked(client.next({ ...next, takesBases: next.takes_bases })), step)
    else if (raises) same(codeOf(() => client.receive(decodeAnswer(JSON.stringify(receive)))), raises)
    else same(client.receive(decodeAnswer(JSON.stringify(receive))).map(told), effects)
  }
}

/** @param {any} step */
function asked({ type, node, space, token, cursor, limit, items, seq, after }) {
  if (type === 'hello') return { hello: { node, space, token } }
  return type === 'pull' ? { pull: { cursor, limit, items } } : { [type]: { items, seq, after } }
}

/** @param {any} effect */
function told({ type, part, isFirst, isLast, entries, cursor }) {
  if (type !== 'take') return { [type]: true }
  const items = part.bases.map((/** @type {any} */ { item }) => item)
  const ids = entries.map((/** @type {any} */ { event }) => event.id)
  return { take: { bases: items, first: isFirst, last: isLast, entries: ids, cursor } }
}
