/**
 * Changing what is there into what is wanted, by the least: kinds are edited in place, never replaced by their like.
 *
 * A text is spliced between what is alike at both ends, a counter counts the difference, a set gains and loses
 * members, a map changes the keys that differ, and a list keeps the elements that stay.
 *
 * @typedef {import('./edit.js').Editor} Editor
 */

import { encode } from '../canonical.js'
import { MAX_SAFE } from '../limits.js'
import { ends } from '../diff.js'
import { isContainer } from '../json.js'
import { LIST, MAP } from './names.js'
import { CounterObject, isSame, List, MapObject, Obj, SetObject, TextObject } from './objects.js'
import { inOrder, openValue, sortedByBytes } from './values.js'

/**
 * Puts a value where one may be, doing the least: kinds that are there already are edited, not replaced.
 *
 * @param {Editor} editor
 * @param {MapObject | List} target `document.top` for the document itself
 * @param {any} place a key of a map (of the top: ''), or an index of a list
 * @param {any} value it travels, but a string edits a text, a number a counter and a list a set, if that is there
 */
export function assign(editor, target, place, value) {
  const element = target instanceof List ? target.sequence.contentAt(place) : null
  const slot = target instanceof List ? element.puts : (target.slots.get(place) ?? [])
  const shown = target instanceof List ? element.value : target.shows(place)
  if (shown instanceof Obj && edit(editor, shown, value)) return
  if (slot.length === 1 && !isContainer(value) && isSame(shown, value)) return // several: a conflict, which ends here
  if (target instanceof List) editor.putAt(target, place, value)
  else if (target === editor.document.top) editor.putRoot(value)
  else editor.put(target, place, value)
}

/**
 * Edits an object until it shows a value; false if it cannot, being of another kind.
 * @param {Editor} editor
 * @param {Obj} target
 * @param {any} value
 */
function edit(editor, target, value) {
  const [kind, content] = openValue(value)
  if (target instanceof TextObject && typeof content === 'string') rewrite(editor, target, content)
  else if (target instanceof CounterObject && Number.isSafeInteger(content)) {
    count(editor, target, BigInt(content) - target.total)
  }
  else if (target instanceof SetObject && Array.isArray(content)) changeMembers(editor, target, content)
  else if (target instanceof MapObject && kind === MAP) update(editor, target, content)
  else if (target instanceof List && kind === LIST) reorder(editor, target, content)
  else return false
  return true
}

/**
 * Edits a map until it shows these members and no others.
 * @param {Editor} editor
 * @param {MapObject} target
 * @param {Record<string, any>} members
 */
export function update(editor, target, members) {
  for (const key of [...target.slots.keys()].sort()) if (!Object.hasOwn(members, key)) editor.delete(target, key)
  for (const [key, value] of inOrder(Object.entries(members))) assign(editor, target, key, value)
}

/**
 * Adds to a counter, in several steps if one cannot reach so far.
 * @param {Editor} editor
 * @param {CounterObject} target
 * @param {bigint} difference
 * @param {string | null} [once]
 */
export function count(editor, target, difference, once = null) {
  const most = BigInt(MAX_SAFE)
  while (difference) {
    const step = difference > most ? most : difference < -most ? -most : difference
    editor.increment(target, Number(step), once)
    difference -= step
    once = once && once + '+'
  }
}

/**
 * Edits a text until it reads so: what is alike at both ends stays.
 * @param {Editor} editor
 * @param {TextObject} target
 * @param {string} text
 */
export function rewrite(editor, target, text) {
  const old = target.sequence.visible()
  let [start, end] = ends(old, text)
  if (isHalf(old, start - 1, 0xd800)) start-- // two characters may begin alike
  if (isHalf(old, old.length - end, 0xdc00)) end-- // or end alike
  editor.splice(target, start, old.length - start - end, text.slice(start, text.length - end))
}

/**
 * Whether the first (0xd800) or the second (0xdc00) half of a surrogate pair is here.
 * @param {string} text
 * @param {number} at
 * @param {number} half
 */
const isHalf = (text, at, half) => (text.charCodeAt(at) & 0xfc00) === half

/**
 * Edits a set until it has these members.
 * @param {Editor} editor
 * @param {SetObject} target
 * @param {any[]} members
 */
export function changeMembers(editor, target, members) {
  const wanted = new Map(members.map((member) => [encode(member), member]))
  const had = new Map(target.members)
  for (const slot of sortedByBytes(without(had, wanted))) editor.discard(target, slot[0].value)
  for (const member of sortedByBytes(without(wanted, had))) editor.add(target, member)
}

/**
 * @template T
 * @param {Map<string, T>} members
 * @param {Map<string, any>} others
 */
const without = (members, others) => new Map([...members].filter(([key]) => !others.has(key)))

/**
 * Edits a list until it shows these values: what is alike at both ends stays, the rest is changed in place.
 * @param {Editor} editor
 * @param {List} target
 * @param {any[]} content
 */
export function reorder(editor, target, content) {
  const old = target.visible().map((element) => encode(editor.document.show(element.value)))
  const wanted = content.map(encode)
  const [start, end] = ends(old, wanted)
  const both = start + Math.min(old.length, wanted.length) - start - end
  for (let index = start; index < both; index++) {
    if (old[index] !== wanted[index]) assign(editor, target, index, content[index])
  }
  if (old.length > wanted.length) editor.remove(target, both, old.length - wanted.length)
  else if (wanted.length > old.length) editor.insert(target, both, content.slice(both, wanted.length - end))
}
