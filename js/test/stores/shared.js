// A disk in memory as one tab has it open: closing it closes nothing for the others.

import { fail } from '../../src/errors.js'

/** @typedef {import('../../src/stores/store.js').Disk} Disk */

/**
 * @param {import('../../src/stores/memory.js').MemoryDisk} disk
 * @param {() => void} [erase]
 * @returns {Disk}
 */
export function sharing(disk, erase = () => {}) {
  let isClosed = false
  return {
    run: async (work) => (isClosed ? fail('store_closed') : disk.run(work)),
    close: () => void (isClosed = true),
    erase: async () => erase(),
    persist: async () => null,
  }
}
