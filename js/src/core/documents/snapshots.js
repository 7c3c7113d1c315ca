/**
 * Snapshots: the state of a document as text, from which folding goes on as if it had never stopped.
 *
 *     [version, clock, is made, ids, deletes, overruled, top, made, placed, texts]
 *
 * `encode` depends on the state alone, and the text is canonical JSON (RFC 8785), the same in Python. Events are
 * numbered by their ids, ascending; a name is an event and k, two numbers. The objects that events made stand in `made`
 * in order of their names: event, k, kind, parent (its number there, its name if it is named by its place, or null: the
 * document), slot (a key, or the name of an element), content. Those that are named by their place stand in `placed` by
 * their names, unless they are empty. Contents:
 *
 *     map      {key: slot}
 *     list     [runs, entries]; an entry is [slot], or [slot, slot of homes] for an element that was moved; and for a
 *              place to which an element was moved it is the index of the entry of that element
 *     text     its number in `texts`, [runs, characters, other states]; a state is a list of names, [] for the insertion
 *     counter  [sum, {once: [event, k, by]}]; what is beyond ±(2^53−1) is a string
 *     set      {canonical form of a member: its adds}; an add is a name, or [] for what the set was made with
 *
 * A slot is a list of puts in order of their names: [value] for what its map or element was made with, [value, name], or
 * [value, name, origin] with the numbers of names in line. A value that is an object is [its number in `made`] or [its
 * name].
 */

import { fail } from '../../errors.js'
import { VERSION } from './columns.js'
import { Reader } from './snapshot_reader.js'
import { Writer } from './snapshot_writer.js'

/**
 * The canonical text of a document's state.
 * @param {import('./document.js').Document} document
 */
export const encode = (document) => new Writer(document).write()

/**
 * The document of a snapshot. Fails with newer_schema if a newer version wrote it, store_damaged if it cannot be read.
 * @param {string} item
 * @param {string} text
 */
export function decode(item, text) {
  const [, version] = /^\[(\d+)/.exec(text) ?? []
  if (+version > VERSION) fail('newer_schema', `The snapshot has version ${version}; this Syncline knows ${VERSION}.`)
  try {
    return new Reader(item, JSON.parse(text)).read()
  } catch (error) {
    return fail('store_damaged', `The snapshot is damaged: ${error}`)
  }
}
