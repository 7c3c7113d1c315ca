// The contract of a replica's store, for each of them that runs in Node.

import 'fake-indexeddb/auto'
import { describe, test } from 'node:test'

import { openIndexedDB } from '../../src/stores/indexeddb.js'
import { MemoryDisk } from '../../src/stores/memory.js'
import { Store } from '../../src/stores/store.js'
import { contract } from './contract.js'
import { sharing } from './shared.js'

/** @type {Map<string, MemoryDisk>} */
const disks = new Map()

/** @param {string} name */
function openMemory(name) {
  const disk = disks.get(name) ?? new MemoryDisk('node')
  disks.set(name, disk)
  return Store.open(sharing(disk, () => void disks.delete(name)))
}

describe('in memory', () => contract(test, openMemory))
describe('in IndexedDB', () => contract(test, (name) => openIndexedDB(name, 'node')))
