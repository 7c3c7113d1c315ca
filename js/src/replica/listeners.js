// Who listens to a replica: callbacks, which are told as something is recorded or arrives.

import { matcher } from '../core/patterns.js'

/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('./index.js').Status} Status */

/** The callbacks of one replica. One that throws keeps nothing else from happening. */
export class Listeners {
  constructor() {
    /** @type {Set<{ wants: (item: string) => boolean, call: (events: Event[]) => void }>} */
    this._events = new Set()
    /** @type {Set<(status: Status) => void>} */
    this._status = new Set()
  }

  /**
   * Calls back with events of these items; returns the way to stop.
   * @param {(events: Event[]) => void} call @param {readonly string[]} items
   */
  onEvents(call, items) {
    const listener = { wants: matcher(items), call }
    this._events.add(listener)
    return () => void this._events.delete(listener)
  }

  /** Calls back with the status; returns the way to stop. @param {(status: Status) => void} call */
  onStatus(call) {
    this._status.add(call)
    return () => void this._status.delete(call)
  }

  /**
   * Tells of events, if there are any, and of the status as it is then.
   * @param {Event[]} events @param {() => Status} status
   */
  tell(events, status) {
    for (const { wants, call } of events.length ? [...this._events] : []) {
      const found = events.filter((event) => wants(event.item))
      if (found.length) safely(() => call(found))
    }
    for (const call of [...this._status]) safely(() => call(status()))
  }
}

/** @param {() => void} call */
function safely(call) {
  try {
    call()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
