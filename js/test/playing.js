// Carries out a script of edits (tests/js/editing.py) on replicas of one document; what came of each step and in the
// end, as canonical texts.

import { encode } from '../src/core/canonical.js'
import { assign } from '../src/core/documents/assign.js'
import { create } from '../src/core/documents/creation.js'
import { Document } from '../src/core/documents/document.js'
import { Editor } from '../src/core/documents/edit.js'
import { History } from '../src/core/documents/history.js'
import { Standing } from '../src/core/documents/objects.js'
import { apply, merge, rebase } from '../src/core/documents/patching.js'
import { Recorder } from '../src/core/documents/recorder.js'
import { blame, replay } from '../src/core/documents/revisions.js'
import * as snapshots from '../src/core/documents/snapshots.js'
import { Difference, foldWithout } from '../src/core/documents/undo.js'
import { Event } from '../src/core/events.js'
import { StampClock } from '../src/core/stamps.js'

/** @param {any} script */
export function play(script) {
  const game = new Game(script)
  const answers = script.steps.map((/** @type {any} */ step) => encode(game.step(step)))
  return { answers, ...game.end(script.paths) }
}

class Game {
  /** @param {any} script */
  constructor(script) {
    this.script = script
    /** @type {Event[]} */
    this.log = []
    this.players = script.people.map((/** @type {any} */ { user, node }) => new Player(this, user, node))
  }

  /** @param {any} step */
  step(step) {
    const player = this.players[step.who]
    return player[step.do](step) ?? null
  }

  /** @param {Event[]} events */
  fold(events) {
    const document = new Document(this.script.item)
    for (const event of events) document.fold(event, { policy: this.script.policy })
    return document
  }

  /** @param {any[]} paths */
  end(paths) {
    const { policy, now, item } = this.script
    const placed = this.log.map((event, at) => ({ event, seq: at + 1, at: now + at + 1 }))
    const documents = this.players.map((/** @type {Player} */ { document }) => ({
      snapshot: snapshots.encode(document),
      value: document.value(),
      conflicts: document.conflicts().map((each) => [each.path, each.shown, each.others]),
    }))
    return {
      documents: encode(documents),
      revisions: encode([...replay(new Document(item), placed, 1, () => policy)]),
      blames: encode(paths.map((path) => blame(this.players[0].document, path))),
    }
  }
}

/** One node: a prefix of the log, and its own events on top. */
class Player {
  /** @param {Game} game @param {string | null} user @param {string} node */
  constructor(game, user, node) {
    this.game = game
    this.user = user
    this.node = node
    this.stamps = new StampClock(node)
    this.document = new Document(game.script.item)
    /** @type {Event[]} */
    this.own = []
    this.pushed = 0
    this.seen = 0
  }

  /** What it knows, in order. */
  get events() {
    const known = new Map([...this.game.log.slice(0, this.seen), ...this.own].map((event) => [event.id, event]))
    return [...known.values()]
  }

  /** @param {{upto: number}} step */
  pull({ upto }) {
    const come = this.game.log.slice(this.seen, upto)
    for (const { id } of come) this.stamps.receive(id)
    this.seen = upto
    if (this.game.script.isOrdered) this.document = this.game.fold(this.events)
    else for (const event of come) this.document.fold(event)
  }

  /** Goes on from a snapshot. */
  reload() {
    this.document = snapshots.decode(this.document.item, snapshots.encode(this.document))
  }

  push() {
    this.game.log.push(...this.own.slice(this.pushed))
    this.pushed = this.own.length
  }

  /** @param {{calls: any[], meta: any}} step */
  edit({ calls, meta }) {
    return this._edit((editor) => {
      for (const [name, ...told] of calls) this._call(editor, name, told.map((/** @type {any} */ each) => heard(editor.document, each)))
    }, meta)
  }

  undo() {
    return this._step(new History(this.events).undo(this.user))
  }

  redo() {
    return this._step(new History(this.events).redo(this.user))
  }

  /** @param {{seq: number}} step */
  restore({ seq }) {
    const target = this.game.fold(this.events.slice(0, seq))
    return target.isMade ? this._edit((editor) => new Difference(editor, target).whole(), {}) : null
  }

  /**
   * What a patch is refused for, tried on a copy.
   * @param {{how: string, patch: any}} step
   */
  try({ how, patch }) {
    const copy = snapshots.decode(this.document.item, snapshots.encode(this.document))
    const editor = new Editor(copy, 'ffffffff-ffff-7fff-bfff-ffffffffffff')
    try {
      this._call(editor, how, [patch])
    } catch (/** @type {any} */ error) {
      if (error.name !== 'SynclineError') throw error
      return [error.code, error.details.index ?? null]
    }
    return null
  }

  /** @param {import('../src/core/documents/history.js').Step | null} step */
  _step(step) {
    if (!step) return null
    const { undoes, once, leftOut, touched } = step
    const empty = new Document(this.document.item)
    const target = foldWithout(empty, this.events, leftOut, this.document.overruled, { about: touched })
    return this._edit((editor) => new Difference(editor, target, once).touched(touched), { undoes })
  }

  /** @param {(editor: Editor) => void} act @param {any} meta */
  _edit(act, meta) {
    const id = this.stamps.next(this.game.script.now + this.own.length * 7, this.own.length)
    const observer = new Recorder(this.document)
    const editor = new Editor(this.document, id, { observer })
    act(editor)
    this.document.clock.set(this.node, this.own.length + 1)
    const event = Event.of({
      action: 'edit',
      clock: Object.fromEntries([...this.document.clock].sort()),
      id,
      item: this.document.item,
      meta: Object.keys(meta).length ? meta : undefined,
      node: this.node,
      ops: editor.ops,
      user: this.user ?? undefined,
    })
    this.own.push(new Event(JSON.parse(event.body))) // typing goes on in an editor's own ops
    const change = observer.change()
    return { body: event.body, change: change && [change.kind, change.forward, change.reverse] }
  }

  /** @param {any} editor @param {string} name @param {any[]} told */
  _call(editor, name, told) {
    const [first, second, third] = told
    if (name === 'assign') assign(editor, first, second, third)
    else if (name === 'create') create(editor, first)
    else if (name === 'apply') apply(editor, first)
    else if (name === 'merge') merge(editor, first)
    else if (name === 'rebase') {
      const base = new Editor(this.game.fold(this.events.slice(0, first)), editor.event)
      apply(base, second)
      rebase(editor, base.ops)
    } else if (name === 'clear') editor.delete(first, second)
    else editor[name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())](...told)
  }
}

/**
 * An argument, as the script tells it.
 * @param {Document} document
 * @param {any} told
 */
function heard(document, told) {
  const place = (/** @type {string} */ name) => /** @type {number} */ (document.place(name))
  if ('object' in told) return told.object === null ? document.top : document.find(told.object)
  if ('places' in told) return told.places.map(place)
  if ('put' in told) {
    const { name, origin, ref, value } = told.put
    return new Standing(name, origin, ref === undefined ? value : document.find(ref))
  }
  if (!('element' in told)) return told.value
  const lists = [...document.objects.values()].filter(({ elements }) => elements)
  return lists.map(({ elements }) => elements.get(place(told.element))).find(Boolean)
}
