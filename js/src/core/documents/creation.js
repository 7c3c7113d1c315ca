/**
 * Creating a document so that replicas which create the same one apart merge what they made.
 *
 * Children are named by their place, so they are the same children everywhere: sets are united, lists and texts hold
 * what each put in, and what a counter begins with counts once.
 *
 * @typedef {import('./edit.js').Editor} Editor
 */

import { changeMembers, reorder, rewrite } from './assign.js'
import { MAP } from './names.js'
import { List, MapObject, SetObject, TextObject } from './objects.js'
import { byBytes, inOrder, openValue } from './values.js'

/** The `once` of what a counter begins with. */
const FIRST = 'create'

/**
 * Makes the document show these members (as they travel); one that was deleted comes back with them alone.
 * @param {Editor} editor
 * @param {Record<string, any>} members
 */
export function create(editor, members) {
  editor.restoreDocument()
  fill(editor, editor.ensureRoot(MAP), members)
  editor.createDocument()
}

/**
 * @param {Editor} editor
 * @param {MapObject} target
 * @param {Record<string, any>} members
 */
function fill(editor, target, members) {
  const gone = [...target.slots.keys()].filter((key) => !Object.hasOwn(members, key))
  for (const key of gone.sort(byBytes)) editor.delete(target, key)
  for (const [key, value] of inOrder(Object.entries(members))) {
    const [kind, content] = openValue(value)
    if (kind) establish(editor, editor.ensure(target, key, kind), content)
    else editor.put(target, key, content)
  }
}

/**
 * Makes a child that is named by its place show a content; what a counter begins with counts once.
 * @param {Editor} editor
 * @param {any} child
 * @param {any} content
 */
export function establish(editor, child, content) {
  if (child instanceof MapObject) fill(editor, child, content)
  else if (child instanceof List) reorder(editor, child, content)
  else if (child instanceof TextObject) rewrite(editor, child, content)
  else if (child instanceof SetObject) changeMembers(editor, child, content)
  else if (content !== child.shown) {
    const isNew = !child.plain && !child.once.size
    editor.increment(child, content - child.shown, isNew ? FIRST : null)
  }
}
