// Acknowledgements: which pending events are in the log, whose entries have not come back yet.
//
// Most are followed by the entry at once, so they are kept in memory until a conversation ends; one that is forgotten
// costs another push, which changes nothing.

import { isInBases } from './horizon.js'

/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('../errors.js').SynclineError} SynclineError */
/** @typedef {import('../stores/index.js').Change} Change */
/** @typedef {import('../stores/index.js').Outboxed} Outboxed */

/** The acknowledged events of a conversation. */
export class Acks {
  /** @param {import('../stores/store.js').Store} store */
  constructor(store) {
    this._store = store
    /** Their seqs, by id. @type {Map<string, number>} */
    this._acked = new Map()
    /** Entries that came before the answers. @type {Set<string>} */
    this._early = new Set()
  }

  /** @param {string} id */
  has(id) {
    return this._acked.has(id)
  }

  /** Events have their answers. @param {readonly (readonly [Event, number | SynclineError])[]} answers */
  note(answers) {
    for (const [{ id }, answer] of answers) {
      const isComing = typeof answer === 'number' && !isInBases(this._store.state, answer)
      if (!this._early.delete(id) && isComing) this._acked.set(id, answer)
    }
  }

  /** An entry of one's own came; live, it may arrive before the answer to its push. @param {string} id */
  arrived(id) {
    if (!this._acked.delete(id)) this._early.add(id)
  }

  /** What writes down those that wait for their entries. @returns {Change | null} */
  written() {
    /** @type {Outboxed[]} */
    const outbox = []
    for (const [id, seq] of this._acked) {
      const each = this._store.outbox.get(id)
      if (each?.status === 'pending' || each?.status === 'heard') outbox.push({ ...each, status: 'acked', seq })
    }
    return outbox.length ? { outbox } : null
  }

  /** The conversation is over. */
  clear() {
    this._acked.clear()
    this._early.clear()
  }
}
