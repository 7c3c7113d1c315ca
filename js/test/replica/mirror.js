// A replica that derives something of its log by its hooks alone, and can tell whether that is what a new look shows.

import { encode } from '../../src/core/canonical.js'
import { saw } from '../../src/replica/clocks.js'
import { Replica } from '../../src/replica/index.js'

/** @typedef {import('../../src/core/events.js').Event} Event */

/** Of each item: how many entries it has, the ids and clocks after its snapshot, and those of local events. */
export class Mirror extends Replica {
  /**
   * @param {import('../../src/stores/store.js').Store} store
   * @param {import('../../src/replica/index.js').Sources} [sources]
   */
  constructor(store, sources) {
    super(store, sources)
    this.derived = this.look()
    /** What was called. @type {string[]} */
    this.calls = []
  }

  /** What a new look shows. */
  look() {
    /** @type {Map<string, { known: number, entries: string[], local: string[] }>} */
    const items = new Map()
    for (const { item, count } of this.store.documents.values()) of(items, item).known = count
    for (const { event } of this.store.log) of(items, event.item).entries.push(event.body)
    for (const event of this.onTheirWay()) of(items, event.item).local.push(event.body)
    return items
  }

  /** @param {import('../../src/core/events.js').Entry[]} entries */
  noted(entries) {
    this.calls.push('noted')
    for (const { event } of entries) {
      const derived = of(this.derived, event.item)
      derived.entries.push(event.body)
      derived.local = derived.local.filter((/** @type {string} */ body) => !body.includes(`"id":"${event.id}"`))
    }
  }

  /** @param {Event[]} events */
  recorded(events) {
    this.calls.push('recorded')
    for (const event of events) of(this.derived, event.item).local.push(event.body)
  }

  /** @param {Set<string> | null} items */
  rewritten(items) {
    this.calls.push('rewritten')
    const now = this.look()
    for (const item of items ?? new Set([...now.keys(), ...this.derived.keys()])) {
      this.derived.set(item, now.get(item) ?? { known: 0, entries: [], local: [] })
    }
  }

  /** @param {import('../../src/stores/index.js').Kept[]} kepts */
  settled(kepts) {
    this.calls.push('settled')
    for (const { item, count } of kepts) {
      const derived = of(this.derived, item)
      derived.entries.splice(0, count - derived.known)
      derived.known = count
    }
  }

  /**
   * A snapshot holds the item's clock.
   * @param {string} item @param {import('../../src/core/events.js').Entry[]} entries
   */
  snapshot(item, entries) {
    const old = this.store.documents.get(item)
    const { count = 0, number = 0, since = 0 } = old ?? {}
    const { seq, at } = entries[entries.length - 1]
    const clock = new Map(Object.entries(old ? this.clockIn(old) : {}))
    for (const { event } of entries) saw(clock, event)
    const more = { count: count + entries.length, number: number + 1, since: since + entries.length }
    const kept = { item, text: encode(Object.fromEntries(clock)), seq, at, revision: 0, group: null, ...more }
    return { kept, piece: { item, number, text: JSON.stringify(entries), base: number % 2 ? null : (old ?? null) } }
  }

  /** @param {import('../../src/stores/index.js').Kept} kept @returns {Record<string, number>} */
  clockIn(kept) {
    return JSON.parse(kept.text)
  }

  /** @param {string} item */
  readClock(item) {
    const kept = this.store.documents.get(item)
    const clock = new Map(Object.entries(kept ? this.clockIn(kept) : {}))
    for (const { event } of this.store.log) if (event.item === item) saw(clock, event)
    for (const event of this.onTheirWay()) if (event.item === item) saw(clock, event)
    return clock
  }

  /** What is derived, in an order of its own. */
  get told() {
    return inOrder(this.derived)
  }

  /** The same, as a new look shows it. */
  get seen() {
    return inOrder(this.look())
  }
}

/** @param {Map<string, any>} items @param {string} item */
function of(items, item) {
  if (!items.has(item)) items.set(item, { known: 0, entries: [], local: [] })
  return items.get(item)
}

/** @param {Map<string, { known: number, entries: string[], local: string[] }>} items */
const inOrder = (items) =>
  [...items].filter(([, { known, entries, local }]) => known || entries.length || local.length).sort(([a], [b]) => (a < b ? -1 : 1))
