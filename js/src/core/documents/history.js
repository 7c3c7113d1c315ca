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
    this.events = new Map()
    /** @type {Map<string, string>} the edit that each edit, undo and redo is about */
    this.roots = new Map()
    /** @type {Map<string, string[]>} the undos and redos of each edit */
    this.chains = new Map()
    for (const event of events) this.add(event)
  }

  /** @param {Event} event */
  add(event) {
    const key = keyOf(event)
    const target = undoneBy(event)
    const events = this.events.get(key)
    if (events) {
      events.push(event)
      return
    }
    this.events.set(key, [event])
    const root = target ? (this.roots.get(target) ?? target) : key
    this.roots.set(key, root)
    const chain = this.chains.get(root) ?? []
    this.chains.set(root, target ? [...chain, key] : chain)
  }

  /**
   * What undoes this user's last edit that stands; null if there is none.
   * @param {string | null} user
   */
  undo(user) {
    for (const [key, root] of [...this.roots].reverse()) {
      const standing = key === root && this.isBy(key, user) ? this.standing(root) : []
      if (standing.length) return this.step(root, standing[standing.length - 1], [root, ...this.chain(root)])
    }
    return null
  }

  /**
   * What redoes this user's last undo, if they have not edited since; null otherwise.
   * @param {string | null} user
   */
  redo(user) {
    for (const [key, root] of [...this.roots].reverse()) {
      if (!this.isBy(key, user)) continue
      if (root === key) return null
      if (this.events.has(root) && !this.standing(root).length) {
        return this.step(root, this.undos(root)[this.undos(root).length - 1], this.chain(root))
      }
    }
    return null
  }

  /** @param {string} key */
  of(key) {
    return this.events.get(key) ?? []
  }

  /** @param {string} root */
  chain(root) {
    return this.chains.get(root) ?? []
  }

  /**
   * @param {string} key
   * @param {string | null} user
   */
  isBy(key, user) {
    const events = this.of(key)
    return (events[0].user ?? null) === user && events.some((event) => event.ops)
  }

  /**
   * @param {string} root
   * @param {string} undoes
   * @param {string[]} leftOut
   * @returns {Step}
   */
  step(root, undoes, leftOut) {
    const order = new Map([...this.roots.keys()].map((key, place) => [key, place]))
    /** @param {string} key */
    const isLater = (key) => Number(order.get(key)) > Number(order.get(root))
    const undone = new Set(leftOut)
    for (const [other, chain] of this.chains) {
      const isLaterEdit = isLater(other) && this.roots.get(other) === other
      if (isLaterEdit && !this.standing(other).length) undone.add(other)
      const isBack = other !== root && !isLater(other) && chain.every(isLater) && this.isRedone(other)
      if (isLaterEdit || isBack) chain.forEach((key) => undone.add(key))
    }
    const touched = [root, ...this.chain(root)].flatMap((key) => this.of(key))
    const ids = [...undone].flatMap((key) => this.of(key).map(({ id }) => id))
    return { undoes, once: undoes, leftOut: new Set(ids), touched }
  }

  /**
   * Whether an edit was undone and is redone: if all that came after another edit, it changed nothing.
   * @param {string} root
   */
  isRedone(root) {
    return this.standing(root).some((key) => key !== root)
  }

  /**
   * The edit itself and its redos, as far as no undo had seen them.
   * @param {string} root
   */
  standing(root) {
    const undos = this.undos(root)
    const tokens = [root, ...this.chain(root).filter((key) => !undos.includes(key))]
    return tokens.filter((token) => !undos.some((undo) => this.saw(undo, token)))
  }

  /** @param {string} root */
  undos(root) {
    return this.chain(root).filter((key) => this.isUndo(root, key))
  }

  /**
   * Whether a link of a chain undoes the edit or a redo, rather than an undo.
   * @param {string} root
   * @param {string} key
   * @returns {boolean}
   */
  isUndo(root, key) {
    const target = undoneBy(this.of(key)[0])
    return target === root || (target !== undefined && this.events.has(target) && !this.isUndo(root, target))
  }

  /**
   * @param {string} key
   * @param {string} other
   */
  saw(key, other) {
    const { clock } = this.of(key)[0]
    return this.of(other).every((event) => (clock[event.node] ?? 0) >= event.n)
  }
}
