/**
 * The documents of one log: what shows now from memory, what showed once from the disk.
 *
 * Of every item there are in memory its last snapshot (text), the entries after it that have not settled, and the local
 * events. A `Shelf` is made of them when somebody looks, and kept up to date as events come. What changes the log
 * otherwise than by another event lets go of the shelf. Where the log no longer has an item's beginning, its base stands
 * for that, and what lies before the base is refused.
 */

import { conflictsOf, hidesAnything } from '../../core/documents/conflicts.js'
import { History } from '../../core/documents/history.js'
import { SERVER_WINS } from '../../core/documents/policies.js'
import { groupOf, replay } from '../../core/documents/revisions.js'
import { POLICIES_ITEM, Policies } from '../../core/documents/settings.js'
import { encode } from '../../core/documents/snapshots.js'
import { foldWithout } from '../../core/documents/undo.js'
import { decodeEntries } from '../../core/events.js'
import { fail } from '../../errors.js'
import { Shelf, nothing } from './shelf.js'

/** @typedef {import('../../core/documents/document.js').Document} Document */
/** @typedef {import('../../core/documents/history.js').Step} Step */
/** @typedef {import('../../core/documents/revisions.js').Placed} Placed */
/** @typedef {import('../../core/documents/revisions.js').Revision} Revision */
/** @typedef {import('../../core/events.js').Event} Event */
/** @typedef {import('../../stores/index.js').Kept} Kept */
/** @typedef {import('../../stores/index.js').Piece} Piece */
/** @typedef {import('../../stores/store.js').Store} Store */

/**
 * Some of an item's past: a snapshot, and the events after it, confirmed ones first.
 * @typedef {{ kept: Kept, events: Placed[] }} Past
 */

const STRETCH = 128 // entries between two snapshots that history keeps, at least
const SHELVES = 1000 // documents that are kept decoded

export class Library {
  /** @param {Store} store */
  constructor(store) {
    this._store = store
    /** @type {Map<string, Shelf>} by when they were looked at */
    this._shelves = new Map()
    /** @type {Map<string, Placed[]>} entries that have not settled */
    this._recent = new Map()
    /** @type {Map<string, Event[]>} */
    this._local = new Map()
    this._policies = new Policies()
    /** @type {{ has(item: string): boolean }} the items that are being edited: only their shelves know of it */
    this.drafted = new Set()
  }

  /**
   * Reads anew what happened to some items, or all of them (null).
   * @param {Set<string> | null} items
   * @param {Iterable<Event>} local the local events on their way, in order
   */
  begin(items, local) {
    const wanted = (/** @type {Event} */ { item }) => !items || items.has(item)
    for (const lists of [this._shelves, this._recent, this._local])
      for (const item of items ?? [...lists.keys()]) lists.delete(item)
    for (const entry of this._store.log) if (wanted(entry.event)) push(this._recent, entry.event.item, entry)
    for (const event of local) if (wanted(event)) push(this._local, event.item, event)
    if (!items) this._beginPolicies()
  }

  _beginPolicies() {
    const settled = this._store.documents.get(POLICIES_ITEM)
    this._policies = new Policies(decodeEntries(settled?.entries ?? '[]'))
    for (const entry of this._recent.get(POLICIES_ITEM) ?? []) this._policies.note(entry)
  }

  /** All items that have events. */
  items() {
    return new Set([...this._store.documents.keys(), ...this._recent.keys(), ...this._local.keys()])
  }

  // The document as it is now

  /**
   * The document of an item. It changes as events come; only an `Editor` whose event follows may change it.
   * @param {string} item
   */
  document(item) {
    return this._shelf(item).document
  }

  /**
   * The number of the last revision.
   * @param {string} item
   */
  revision(item) {
    return this._inOrder(item).revision
  }

  /**
   * An entry came to the end of its item. Whether its document may show something else.
   * @param {Placed} placed
   */
  note(placed) {
    const { item, id } = placed.event
    push(this._recent, item, placed)
    const local = this._local.get(item)
    const index = local ? local.findIndex((event) => event.id === id) : -1
    if (index >= 0) /** @type {Event[]} */ (local).splice(index, 1)
    if (item === POLICIES_ITEM) this._notePolicy(placed)
    const shelf = this._shelves.get(item)
    if (shelf?.document.hasSeen(placed.event)) {
      const isConfirmed = shelf.confirm(placed)
      if (!isConfirmed) this.letGo(item)
      return !isConfirmed || index < 0 || this._policies.of(item) === SERVER_WINS
    }
    if (shelf?.pending && this._mattersToPending(shelf, placed.event)) this.letGo(item)
    else shelf?.fold(placed, this._policies.of(item, placed.seq))
    return true
  }

  /**
   * A local event was recorded here or in another tab. `adopted`: its ops were carried out while it was drafted.
   * @param {Event} event
   * @param {{ hasChanged: boolean }} [adopted]
   */
  noteLocal(event, adopted) {
    push(this._local, event.item, event)
    const shelf = this._shelves.get(event.item)
    if (!shelf) return
    if (!adopted) shelf.fold({ event, seq: 0, at: 0 }, this._policies.of(event.item))
    else {
      shelf.document.clock.set(event.node, event.n)
      shelf.add({ event, seq: 0, at: 0 }, adopted.hasChanged)
    }
  }

  /** @param {Placed} placed */
  _notePolicy(placed) {
    this._policies.note(placed)
    for (const [item, shelf] of this._shelves)
      if (shelf.pending && this._policies.hasChanged(item, placed.seq - 1)) this.letGo(item)
  }

  /**
   * Whether pending events have to be folded again on top of this one: after a rewind they may have seen it.
   * @param {Shelf} shelf
   * @param {Event} event
   */
  _mattersToPending(shelf, event) {
    if (this._policies.of(event.item) === SERVER_WINS) return true
    return shelf.stretch.some((each) => !each.seq && (each.event.clock[event.node] ?? 0) >= event.n)
  }

  /**
   * Forgets the document in memory of an item: it is folded again.
   * @param {string} item
   */
  letGo(item) {
    this._shelves.delete(item)
  }

  /** @param {string} item */
  _shelf(item) {
    let shelf = this._shelves.get(item)
    if (shelf) this._shelves.delete(item) // and again, as the one looked at last
    else {
      shelf = this._fold(this._now(item))
      for (const old of this._shelves.keys()) {
        if (this._shelves.size < SHELVES) break
        if (!this.drafted.has(old)) this._shelves.delete(old)
      }
    }
    this._shelves.set(item, shelf)
    return shelf
  }

  /**
   * What is in memory of an item: its last snapshot and all after it.
   * @param {string} item
   * @returns {Past}
   */
  _now(item) {
    const kept = this._store.documents.get(item) ?? nothing(item)
    const events = (this._recent.get(item) ?? []).filter((placed) => placed.seq > kept.seq)
    for (const event of this._local.get(item) ?? []) events.push({ event, seq: 0, at: 0 })
    return { kept, events }
  }

  /**
   * @param {Past} past
   * @returns {Shelf}
   */
  _fold({ kept, events }) {
    const shelf = new Shelf(kept)
    for (const placed of events)
      if (placed.seq || !shelf.document.hasSeen(placed.event))
        shelf.fold(placed, this._policies.of(kept.item, placed.seq || undefined))
    return shelf
  }

  /** @param {string} item */
  _inOrder(item) {
    if (!this._shelf(item).isInOrder && !this.drafted.has(item)) this.letGo(item)
    return this._shelf(item)
  }

  /**
   * The document of an item, which need not stay in memory.
   * @param {string} item
   * @returns {Document}
   */
  glance(item) {
    return (this._shelves.get(item) ?? this._fold(this._now(item))).document
  }

  /**
   * Whether there is a document, where that is known without looking into it: all of the item has settled.
   * @param {string} item
   */
  exists(item) {
    const isSettled = !this._shelves.has(item) && !this._recent.has(item) && !this._local.get(item)?.length
    return isSettled ? this._store.documents.get(item)?.exists : undefined
  }

  // Settling

  /**
   * An item's next snapshot, of its confirmed entries alone, and the piece of history that it closes.
   * @param {string} item
   * @param {Placed[]} entries
   * @returns {{ kept: Kept, piece: Piece }}
   */
  snapshot(item, entries) {
    const old = this._store.documents.get(item) ?? nothing(item)
    const text = JSON.stringify(entries)
    const { seq, at } = entries[entries.length - 1]
    const { revision, group, document } = this._confirmed(item, old, entries)
    const isBase = old.number === 0 && old.base !== undefined
    const hasBase = isBase || (old.since >= STRETCH && groupOf(entries[0].event) === null)
    /** @type {Kept} */
    const kept = {
      item, seq, at, revision, group,
      text: encode(document),
      exists: document.exists,
      count: old.count + entries.length,
      number: old.number + 1,
      since: (hasBase ? 0 : old.since) + entries.length,
    }
    if (old.base) kept.base = old.base
    if (item === POLICIES_ITEM) kept.entries = joined(old.entries, text)
    return { kept, piece: { item, number: old.number, text, base: hasBase ? old : null } }
  }

  /**
   * @param {string} item
   * @param {Kept} kept
   * @param {Placed[]} events
   */
  _confirmed(item, kept, events) {
    const shelf = this._shelves.get(item)
    const isClean = shelf?.isInOrder && !shelf.pending && !this.drafted.has(item)
    return isClean ? /** @type {Shelf} */ (shelf) : this._fold({ kept, events })
  }

  /**
   * Snapshots took the place of entries: what is in memory begins with them.
   * @param {Iterable<Kept>} settled
   */
  settled(settled) {
    for (const kept of settled) {
      const recent = this._recent.get(kept.item)?.filter((placed) => placed.seq > kept.seq)
      if (recent?.length) this._recent.set(kept.item, recent)
      else this._recent.delete(kept.item)
      const shelf = this._shelves.get(kept.item)
      if (!shelf) continue
      shelf.kept = kept
      shelf.stretch = shelf.stretch.filter((placed) => !placed.seq || placed.seq > kept.seq)
    }
  }

  // The past

  /**
   * An item's past, from further and further back, until somebody has seen enough: `look` answers undefined for more. It
   * is whole where it begins with nothing, or with the item's base.
   * What it answers at last belongs to the present state; nothing is awaited after that.
   * @template T
   * @param {string} item
   * @param {(past: Past, isWhole: boolean) => T | undefined} look
   * @returns {Promise<T | undefined>}
   */
  async back(item, look) {
    const now = this._now(item)
    /** @type {Placed[]} */
    const older = []
    let kept = now.kept
    for (let number = now.kept.number; ; ) {
      const present = this._now(item)
      if (present.kept.number !== now.kept.number) return this.back(item, look) // it has settled meanwhile
      const isWhole = number === 0
      if (number === now.kept.number || kept.number === number || isWhole) {
        const base = isWhole && kept.number ? nothing(item) : kept
        const answer = look({ kept: base, events: [...older, ...present.events] }, isWhole)
        if (answer !== undefined || isWhole) return answer
      }
      const piece = await this._store.piece(item, number)
      if (!piece) number = 0
      else {
        older.unshift(...decodeEntries(piece.text))
        number = piece.number
        if (piece.base) kept = piece.base
      }
    }
  }

  /**
   * Where an item stands before its events, if those that were first are not here.
   * @param {string} item
   */
  _base(item) {
    return this._store.documents.get(item)?.base
  }

  /**
   * The number of the first revision that can be told; it, or the next, is there once something changes.
   * @param {string} item
   */
  firstRevision(item) {
    return (this._base(item)?.revision ?? 0) + 1
  }

  /**
   * The document as it was, and the number of its last revision then. Raises `not_found` for what is to come,
   * `history_expired` for what lies before the item's base.
   * @param {string} item
   * @param {{ revision?: number, seq?: number, time?: number }} bounds
   */
  async at(item, { revision, seq, time }) {
    checkBounds(item, this._base(item), [[revision, 'revision'], [seq, 'seq'], [time, 'at']])
    const isReached = (/** @type {Kept} */ kept) =>
      kept.revision <= (revision ?? Infinity) && kept.seq <= (seq ?? Infinity) && kept.at <= (time ?? Infinity) &&
      (kept.revision !== revision || kept.group === null)
    const shelf = await this.back(item, ({ kept, events }, isWhole) => {
      if (!isWhole && !isReached(kept)) return undefined
      const past = new Shelf(kept)
      for (const placed of events) {
        if (!placed.seq && past.document.hasSeen(placed.event)) continue
        if (seq !== undefined && !(placed.seq && placed.seq <= seq)) break
        if (time !== undefined && !(placed.seq && placed.at <= time)) break
        if (past.revision === revision && !past.goesOn(placed.event)) break
        past.fold(placed, this._policies.of(item, placed.seq || undefined))
      }
      return past
    })
    if (!shelf || (revision !== undefined && shelf.revision !== revision))
      fail('not_found', `${item} has no revision ${revision}.`)
    return shelf
  }

  /**
   * The revisions with numbers beyond `after`, ascending, from `firstRevision` on.
   * @param {string} item
   * @param {{ after?: number, limit?: number }} bounds
   * @returns {Promise<Revision[]>}
   */
  async revisions(item, { after = 0, limit = Infinity }) {
    const found = await this.back(item, ({ kept, events }, isWhole) => {
      if (!isWhole && (kept.revision > after || (kept.revision === after && kept.group !== null))) return undefined
      const { document } = new Shelf(kept)
      const fresh = events.filter((placed) => placed.seq || !document.hasSeen(placed.event))
      const policy = (/** @type {number | undefined} */ seq) => this._policies.of(item, seq)
      /** @type {Revision[]} */
      const revisions = []
      for (const each of replay(document, fresh, kept.revision + 1, policy, kept.group)) {
        if (revisions.length >= limit) break
        if (each.number > after) revisions.push(each)
      }
      return revisions
    })
    return found ?? []
  }

  /**
   * What people do not agree on. Reads the item's history if something was overruled, or the document deleted. Who was
   * overruled before the item's base is not known any more.
   * @param {string} item
   */
  async conflicts(item) {
    const { document } = this._inOrder(item)
    const events = document.overruled.size || hidesAnything(document)
      ? (await this.back(item, ({ events }, isWhole) => (isWhole ? events : undefined)))?.map((each) => each.event) ?? []
      : []
    return conflictsOf(this._inOrder(item).document, events, this._policies.of(item))
  }

  /**
   * What undoes (or redoes) a user's last standing edit, and the document without it; null if there is none. Raises
   * `history_expired` if what is to be undone may lie before the item's base.
   * @param {string} item
   * @param {'undo' | 'redo'} verb
   * @param {string | null} user
   * @returns {Promise<{ step: Step, target: Document } | null>}
   */
  async step(item, verb, user) {
    const found = await this.back(item, ({ kept, events }, isWhole) => {
      const listed = events.map((placed) => placed.event)
      const step = new History(listed)[verb](user)
      if (!step || !isWholeStep(step, listed, isWhole ? kept : null)) return isWhole ? null : undefined
      const { overruled } = this._inOrder(item).document
      const target = foldWithout(new Shelf(kept).document, listed, step.leftOut, overruled, { about: step.touched })
      return { step, target }
    })
    const base = this._base(item)
    if (!found && verb === 'undo' && base?.revision) expire(item, base)
    return found ?? null
  }

  /**
   * Whether a policy overruled an event.
   * @param {Event} event
   */
  hasOverruled(event) {
    return this._policies.of(event.item) === SERVER_WINS && this.document(event.item).overruled.has(event.id)
  }
}

/** @typedef {NonNullable<Kept['base']>} Base */

/**
 * Raises `history_expired` for what lies before an item's base.
 * @param {string} item
 * @param {Base | undefined} base
 * @param {[bound: number | undefined, name: 'revision' | 'seq' | 'at'][]} bounds
 */
function checkBounds(item, base, bounds) {
  if (base) for (const [bound, name] of bounds) if (bound !== undefined && bound < base[name]) expire(item, base)
}

/** @param {string} item @param {Base} base @returns {never} */
function expire(item, { revision, seq, at }) {
  const message = `The history of ${item} begins with revision ${revision}, at seq ${seq}; what was before it is not kept here.`
  fail('history_expired', message, { revision, seq, at })
}

/**
 * Whether these events hold the whole of what is undone: a group may have begun before them.
 * @param {Step} step
 * @param {Event[]} events
 * @param {Kept | null} beginning what is before them, if nothing else is known of that
 */
function isWholeStep({ touched: [first] }, events, beginning) {
  if (groupOf(first) === null) return true
  if (beginning && !Object.hasOwn(beginning.base?.clock ?? {}, first.node)) return true
  const before = events.slice(0, events.findIndex((event) => event.id === first.id))
  return before.some((event) => event.node === first.node)
}

/**
 * @template T
 * @param {Map<string, T[]>} lists
 * @param {string} item
 * @param {T} each
 */
function push(lists, item, each) {
  const list = lists.get(item)
  if (list) list.push(each)
  else lists.set(item, [each])
}

/**
 * Two JSON arrays as one.
 * @param {string | undefined} one
 * @param {string} other
 */
const joined = (one, other) => (one ? `${one.slice(0, -1)},${other.slice(1)}` : other)
