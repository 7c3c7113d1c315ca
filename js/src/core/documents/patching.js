/**
 * Patching documents: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) as ops against the state an author sees.
 *
 * A patch sees a document as JSON in either of two spellings, mixed as it likes: as it travels, with marked kinds
 * (`/body/$text`, `/tags/$set/0`, `/m/$map/$x`), or plain (`/body`, `/tags/0`, `/m/$x`). Only a key that is `$map`
 * itself needs the first. The values in a patch travel: kinds are marked; but a plain string edits a text that is
 * there, a number a counter, a list a set. Everything does the least that leads to what the patch asks for.
 *
 * A patch that is refused may have drafted some of its ops already: whoever called throws the editor away, and the
 * document with it. So a patch is first tried on a document that may be spoiled; and if its author saw an older
 * revision, on the document of that revision, with the id that the event will have. What was drafted there names what
 * its author saw, and `rebase` takes it over to the present document, where it merges with what others did since.
 *
 * @typedef {import('./edit.js').Editor} Editor
 * @typedef {import('./ops.js').Op} Op
 *
 * What a path leads to: a key or index of its holder, or (`mark`) what the mark there holds.
 * @typedef {{holder: any, token: string, mark: string}} Place
 */

import { SynclineError, fail } from '../../errors.js'
import { checkDepth, equal, isContainer, isObject } from '../json.js'
import { merge as mergeValues } from '../merging.js'
import { Allowance, carryOut, expect, isInside } from '../patches.js'
import { between, element, key } from '../pointers.js'
import { assign, update } from './assign.js'
import { MAP } from './names.js'
import { List, MapObject, Obj, SetObject, TextObject } from './objects.js'
import { check, inOrder, openValue, toWire } from './values.js'

/**
 * Drafts what a JSON Patch asks for.
 *
 * Beside RFC 6902: the document itself can be removed (that deletes it) and added (that makes or restores it). An
 * element that moves within its list stays the same element; what moves elsewhere becomes a fresh copy. Whatever is
 * added to a set becomes a member, and its members have indexes in the order in which they show. A text, a counter
 * and a set's member have no parts that could be changed.
 *
 * Fails with bad_patch if the patch or a value in it is malformed; patch_failed or patch_test_failed if an operation
 * does not fit; too_deep; too_large if more than MAX_PATCH_COPIED_BYTES would be copied or moved in all. `index` among
 * the error's details is the operation that it was, from 0. After an error the editor and its document are spoiled.
 *
 * @param {Editor} editor
 * @param {any} patch
 */
export function apply(editor, patch) {
  badValuesRefused(() => carryOut(patch, new Draft(editor)))
}

/**
 * Drafts what a JSON Merge Patch asks for: maps merge, null deletes a key, anything else is assigned.
 * Fails with bad_patch if a value in it is malformed, and too_deep. After an error the editor is spoiled.
 *
 * @param {Editor} editor
 * @param {any} patch
 */
export function merge(editor, patch) {
  const own = taken(patch)
  badValuesRefused(() => {
    check(own)
    mergeAt(editor, editor.document.top, '', own)
  })
}

/**
 * Takes over ops that were drafted for the same event against an older state of the editor's document.
 * @param {Editor} editor
 * @param {Op[]} drafted
 */
export function rebase(editor, drafted) {
  for (const op of drafted) editor.do(op)
}

/** @param {() => void} act */
function badValuesRefused(act) {
  try {
    act()
  } catch (error) {
    if (!(error instanceof SynclineError) || error.code !== 'bad_op') throw error
    fail('bad_patch', error.message, error.details)
  }
}

/** The document of an editor that is being patched. */
class Draft {
  /** @param {Editor} editor */
  constructor(editor) {
    this._editor = editor
    this._document = editor.document
    this._allowance = new Allowance()
  }

  // The operations

  /** @param {string[]} path @param {any} value */
  test(path, value) {
    const place = this._find(path)
    const shown = this._shown(place)
    expect(place.mark ? this._holds(shown, value) : this._reads(shown, value))
  }

  /** @param {string[]} path @param {any} value */
  add(path, value) {
    this._add(this._find(path), taken(value))
  }

  /** @param {string[]} path */
  remove(path) {
    this._remove(this._find(path))
  }

  /** @param {string[]} path @param {any} value */
  replace(path, value) {
    this._replace(this._find(path), taken(value))
  }

  /** @param {string[]} path @param {string[]} source */
  move(path, source) {
    const place = this._find(source)
    const shown = this._shown(place)
    if (isInside(path, source)) return
    const { holder, token, mark } = place
    const isWithin = path.length === source.length && source.slice(0, -1).every((each, at) => each === path[at])
    if (isWithin && holder instanceof List && !mark) {
      this._move(holder, +token, path[path.length - 1])
      return
    }
    this._remove(place)
    this._addCopy(path, shown)
  }

  /** @param {string[]} path @param {string[]} source */
  copy(path, source) {
    const place = this._find(source)
    const shown = this._shown(place)
    const isContent = place.mark && !(shown instanceof MapObject)
    this._addCopy(path, isContent ? this._plain(shown) : shown)
  }

  // What they do to a place

  /** @param {Place} place @param {any} value */
  _add(place, value) {
    const { holder, token, mark } = place
    if (mark) this._replace(place, value)
    else if (holder === this._document.top) putRoot(this._editor, value)
    else if (holder instanceof MapObject) assign(this._editor, holder, token, value)
    else if (holder instanceof List) this._editor.insert(holder, between(holder.sequence.length, token), [value])
    else if (holder instanceof SetObject) {
      between(holder.members.size, token)
      this._addMember(holder, value)
    } else closed()
  }

  /** @param {Place} place @param {any} value */
  _replace(place, value) {
    const { holder, token, mark } = place
    const shown = this._shown(place)
    if (mark) value = marked(mark, value)
    if (holder === this._document.top) putRoot(this._editor, value)
    else if (holder instanceof MapObject) assign(this._editor, holder, token, value)
    else if (holder instanceof List) assign(this._editor, holder, +token, value)
    else if (!(holder instanceof SetObject)) closed()
    else if (!equal(shown, value)) {
      this._editor.discard(holder, shown)
      this._addMember(holder, value)
    }
  }

  /** @param {Place} place */
  _remove(place) {
    const { holder, token, mark } = place
    const shown = this._shown(place)
    if (mark) fail('patch_failed', `${mark} cannot be removed from what it marks.`)
    if (holder === this._document.top) this._editor.deleteDocument()
    else if (holder instanceof MapObject) this._editor.delete(holder, token)
    else if (holder instanceof List) this._editor.remove(holder, +token)
    else if (holder instanceof SetObject) this._editor.discard(holder, shown)
    else closed()
  }

  /** @param {List} target @param {number} index @param {string} token */
  _move(target, index, token) {
    const to = between(target.sequence.length - 1, token)
    if (to !== index) this._editor.move(target, index, to)
  }

  /**
   * Adds what shows, or showed, elsewhere, in the form in which it travels; in a set it is plain.
   * @param {string[]} path
   * @param {any} shown
   */
  _addCopy(path, shown) {
    const place = this._find(path)
    const isObject = shown instanceof Obj
    const travels = isObject ? this._document.show(shown) : toWire(shown)
    const value = place.holder instanceof SetObject ? (isObject ? this._plain(shown) : shown) : travels
    this._allowance.spend(value)
    this._add(place, place.mark ? openValue(value)[1] : value)
  }

  /** @param {SetObject} target @param {any} member */
  _addMember(target, member) {
    checkDepth(member, target.depth)
    this._editor.add(target, member)
  }

  // Finding and comparing

  /**
   * Follows a path. Fails with patch_failed unless all but its last step is there.
   * @param {string[]} path
   */
  _find(path) {
    /** @type {Place} */
    let place = { holder: this._document.top, token: '', mark: '' }
    for (const token of path) {
      const shown = this._shown(place)
      const isMark = !place.mark && shown instanceof Obj && token === '$' + /** @type {any} */ (shown).kind
      place = isMark ? { ...place, mark: token } : { holder: shown, token, mark: '' }
    }
    return place
  }

  /**
   * What shows in a place: an object, a scalar, or anything within a set's member. Fails with patch_failed.
   * @param {Place} place
   * @returns {any}
   */
  _shown({ holder, token }) {
    if (holder === this._document.top) {
      return this._document.exists ? holder.shows('') : fail('patch_failed', 'There is no document.')
    }
    if (holder instanceof MapObject) return holder.shows(key(holder.slots, token))
    if (holder instanceof List) return holder.sequence.contentAt(element(holder.sequence.length, token)).value
    if (holder instanceof SetObject) return holder.show()[element(holder.members.size, token)]
    return holder instanceof Obj ? closed() : holder[key(holder, token)]
  }

  /** @param {Obj} target */
  _plain(target) {
    return this._document.show(target, { marked: false })
  }

  /**
   * Whether a value that shows reads like this, marked or plain. It costs no more than the value is long.
   * @param {any} shown
   * @param {any} value
   * @returns {boolean}
   */
  _reads(shown, value) {
    if (!(shown instanceof Obj)) return equal(shown, value)
    const mark = '$' + /** @type {any} */ (shown).kind
    const isMarked = isObject(value) && Object.hasOwn(value, mark) && Object.keys(value).length === 1
    return this._holds(shown, isMarked ? value[mark] : value)
  }

  /**
   * The same for what is inside an object's mark.
   * @param {any} target
   * @param {any} value
   */
  _holds(target, value) {
    if (target instanceof MapObject) {
      if (!isObject(value) || Object.keys(value).length !== target.slots.size) return false
      return Object.keys(value).every((key) => target.slots.has(key) && this._reads(target.shows(key), value[key]))
    }
    if (target instanceof List) {
      if (!Array.isArray(value) || value.length !== target.sequence.length) return false
      return target.visible().every((element, index) => this._reads(element.value, value[index]))
    }
    const { length = value?.length } = target.sequence ?? { length: target.members?.size }
    return value?.length === length && equal(this._plain(target), value)
  }
}

/**
 * Makes the document show a value, from what it was or, if it was deleted, from what it was then.
 * @param {Editor} editor
 * @param {any} value
 */
function putRoot(editor, value) {
  editor.restoreDocument()
  const [kind, content] = openValue(value)
  if (kind === MAP) {
    update(editor, editor.ensureRoot(MAP), content)
    editor.createDocument()
  } else assign(editor, editor.document.top, '', value)
}

/**
 * A value as the event holds it, whatever its author does with it later. Fails with too_deep.
 * @param {any} value
 */
function taken(value) {
  checkDepth(value, 0)
  return copied(value)
}

/** @param {any} value @returns {any} */
function copied(value) {
  if (Array.isArray(value)) return value.map(copied)
  const isPlain = isContainer(value) && Object.prototype.toString.call(value) === '[object Object]'
  return isPlain ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copied(member)])) : value
}

/** @param {string} mark @param {any} value */
function marked(mark, value) {
  try {
    openValue({ [mark]: value })
  } catch (error) {
    fail('patch_failed', /** @type {Error} */ (error).message)
  }
  return { [mark]: value }
}

/** @returns {never} */
const closed = () => fail('patch_failed', 'The path leads into a value that has no parts to be changed.')

/**
 * @param {Editor} editor
 * @param {MapObject} holder
 * @param {string} key
 * @param {any} patch
 */
function mergeAt(editor, holder, key, patch) {
  const { document } = editor
  const [kind, content] = openValue(patch)
  const target = holder !== document.top || document.exists ? holder.shows(key) : null
  if (kind === MAP && target instanceof MapObject) {
    for (const [name, change] of inOrder(Object.entries(content))) {
      if (change !== null) mergeAt(editor, target, name, change)
      else if (target.slots.has(name)) editor.delete(target, name)
    }
    return
  }
  const value = mergeValues(null, patch)
  if (holder === document.top) putRoot(editor, value)
  else assign(editor, holder, key, value)
}
