// What the tests in Python ask of the core in JavaScript: a JSON command a line on stdin, its answer a line on stdout.
// An error is an answer too: {"error": …}.

import { createInterface } from 'node:readline'

import { encode } from '../src/core/canonical.js'
import { conflictsOf } from '../src/core/documents/conflicts.js'
import { namesOf, refusal } from '../src/core/documents/dependencies.js'
import { Document } from '../src/core/documents/document.js'
import * as snapshots from '../src/core/documents/snapshots.js'
import { Event } from '../src/core/events.js'
import { play } from './playing.js'

/** What a document shows, and its state: all as canonical texts. @param {Document} document */
const told = (document) => ({
  value: encode(document.value()),
  plain: encode(document.plain()),
  conflicts: encode(document.conflicts().map(({ path, shown, others }) => [path, shown, others])),
  overruled: [...document.overruled].sort(),
  snapshot: snapshots.encode(document),
})

/**
 * Folds events in an order, each under its policy; whether each changed what shows.
 * @param {Document} document
 * @param {any} history
 * @param {number[]} order
 */
const fold = (document, { events, policies }, order) =>
  order.map((place) => document.fold(new Event(events[place]), { policy: policies[place] }))

/** @type {Record<string, (command: any) => any>} */
const COMMANDS = {
  /** Folds events, and again with a snapshot after the first `start` of them. */
  fold(history) {
    const document = new Document(history.item)
    const changed = fold(document, history, history.order)
    const early = new Document(history.item)
    fold(early, history, history.order.slice(0, history.start))
    const middle = snapshots.encode(early)
    const later = snapshots.decode(history.item, middle)
    fold(later, history, history.order.slice(history.start))
    const events = history.events.map((/** @type {any} */ event) => new Event(event))
    const conflicts = conflictsOf(document, events, history.policies.at(-1))
    return { changed, told: told(document), middle, later: told(later), conflicts }
  },

  /** Reads a snapshot. */
  load: ({ item, snapshot }) => told(snapshots.decode(item, snapshot)),

  /** Why an event may not be taken among those that are held; some of them are without content: {item}. */
  judge({ event, held }) {
    const events = new Map(Object.entries(held).map(([id, each]) => [id, each.id ? new Event(each) : each]))
    const error = refusal(new Event(event), (id) => events.get(id))
    const names = [...namesOf(new Event(event))].sort()
    return { names, refusal: error ? [error.code, error.message, error.details] : null }
  },

  /** Carries out a script of edits. */
  play: ({ script }) => play(script),
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  try {
    console.log(JSON.stringify(COMMANDS[command.command](command)))
  } catch (error) {
    console.log(JSON.stringify({ error: /** @type {Error} */ (error).stack }))
  }
}
