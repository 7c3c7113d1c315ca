/**
 * Which edits of a document stand, and what to leave out of a fold to undo or redo one.
 *
 * Every edit is a chain: itself, then the undos and redos that are about it. An undo names the edit or redo it takes
 * back, a redo the undo. Whether an edit stands is read from their clocks, so all replicas agree, and undoing on two
 * devices undoes once.
 *
 * @typedef {import('../events.js').Event} Event
 */

/**
 * What an undo names: the group of an event, or else its id.
 * @param {Event} event
 * @returns {string}
 */
export const keyOf = (event) => event.meta?.group || event.id

/**
 * What an event undoes (or, undoing an undo, redoes), if it is an undo.
 * @param {Event} event
 * @returns {string | undefined}
 */
export const undoneBy = (event) => event.meta?.undoes

/**
 * One undo or redo to be made: what it undoes (for `meta.undoes`), the events to leave out and to look at.
 * @typedef {{undoes: string, once: string, leftOut: Set<string>, touched: Event[]}} Step
 */

/** The edits of one document, in the order of their fold and as far back as they are given, and which of them stand. */
export class History {
  /** @param {Iterable<Event>} events */
  constructor(events) {
    /** @type {Map<string, Event[]>} */
    this._events = new Map()
    /** @type {Map<string, string>} the edit that each edit, undo and redo is about */
    this._roots = new Map()
    /** @type {Map<string, string[]>} the undos and redos of each edit */
    this._chains = new Map()
    for (const event of events) this._add(event)
  }

  /** @param {Event} event */
  _add(event) {
    const key = keyOf(event)
    const target = undoneBy(event)
    const events = this._events.get(key)
    if (events) {
      events.push(event)
      return
    }
    this._events.set(key, [event])
    const root = target ? (this._roots.get(target) ?? target) : key
    this._roots.set(key, root)
    const chain = this._chains.get(root) ?? []
    this._chains.set(root, target ? [...chain, key] : chain)
  }

  /**
   * What undoes this user's last edit that stands; null if there is none.
   * @param {string | null} user
   */
  undo(user) {
    for (const [key, root] of [...this._roots].reverse()) {
      const standing = key === root && this._isBy(key, user) ? this._standing(root) : []
      if (standing.length) return this._step(root, standing[standing.length - 1], [root, ...this._chain(root)])
    }
    return null
  }

  /**
   * What redoes this user's last undo, if they have not edited since; null otherwise.
   * @param {string | null} user
   */
  redo(user) {
    for (const [key, root] of [...this._roots].reverse()) {
      if (!this._isBy(key, user)) continue
      if (root === key) return null
      if (this._events.has(root) && !this._standing(root).length) {
        return this._step(root, this._undos(root)[this._undos(root).length - 1], this._chain(root))
      }
    }
    return null
  }

  /** @param {string} key */
  _of(key) {
    return this._events.get(key) ?? []
  }

  /** @param {string} root */
  _chain(root) {
    return this._chains.get(root) ?? []
  }

  /**
   * @param {string} key
   * @param {string | null} user
   */
  _isBy(key, user) {
    const events = this._of(key)
    return (events[0].user ?? null) === user && events.some((event) => event.ops)
  }

  /**
   * @param {string} root
   * @param {string} undoes
   * @param {string[]} leftOut
   * @returns {Step}
   */
  _step(root, undoes, leftOut) {
    const order = new Map([...this._roots.keys()].map((key, place) => [key, place]))
    /** @param {string} key */
    const isLater = (key) => Number(order.get(key)) > Number(order.get(root))
    const undone = new Set(leftOut)
    for (const [other, chain] of this._chains) {
      const isLaterEdit = isLater(other) && this._roots.get(other) === other
      if (isLaterEdit && !this._standing(other).length) undone.add(other)
      const isBack = other !== root && !isLater(other) && chain.every(isLater) && this._isRedone(other)
      if (isLaterEdit || isBack) chain.forEach((key) => undone.add(key))
    }
    const touched = [root, ...this._chain(root)].flatMap((key) => this._of(key))
    const ids = [...undone].flatMap((key) => this._of(key).map(({ id }) => id))
    return { undoes, once: undoes, leftOut: new Set(ids), touched }
  }

  /**
   * Whether an edit was undone and is redone: if all that came after another edit, it changed nothing.
   * @param {string} root
   */
  _isRedone(root) {
    return this._standing(root).some((key) => key !== root)
  }

  /**
   * The edit itself and its redos, as far as no undo had seen them.
   * @param {string} root
   */
  _standing(root) {
    const undos = this._undos(root)
    const tokens = [root, ...this._chain(root).filter((key) => !undos.includes(key))]
    return tokens.filter((token) => !undos.some((undo) => this._saw(undo, token)))
  }

  /** @param {string} root */
  _undos(root) {
    return this._chain(root).filter((key) => this._isUndo(root, key))
  }

  /**
   * Whether a link of a chain undoes the edit or a redo, rather than an undo.
   * @param {string} root
   * @param {string} key
   * @returns {boolean}
   */
  _isUndo(root, key) {
    const target = undoneBy(this._of(key)[0])
    return target === root || (target !== undefined && this._events.has(target) && !this._isUndo(root, target))
  }

  /**
   * @param {string} key
   * @param {string} other
   */
  _saw(key, other) {
    const { clock } = this._of(key)[0]
    return this._of(other).every((event) => (clock[event.node] ?? 0) >= event.n)
  }
}
