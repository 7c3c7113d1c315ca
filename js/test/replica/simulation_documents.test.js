// Tabs in a simulation, with documents: what a tab has kept up to date is what a new look shows.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { encode } from '../../src/core/canonical.js'
import * as snapshots from '../../src/core/documents/snapshots.js'
import { DocumentReplica, Text } from '../../src/syncline.js'
import { Simulation } from './simulation.js'

/** @typedef {import('../../src/stores/store.js').Store} Store */

const SEEDS = Number(process.env.SEEDS ?? 20)
const ITEMS = ['a', 'b', 'c']

class Documents extends Simulation {
  /** @param {Store} store @param {import('../../src/replica/index.js').Sources} sources */
  make(store, sources) {
    return new DocumentReplica(store, sources)
  }

  /** @param {import('./simulation.js').Tab} tab */
  edit({ replica }) {
    const item = this.dice.choose(ITEMS)
    const { exists, plain } = replica.document(item)
    if (!exists) replica.create(item, { title: 'x', text: new Text('hello'), list: [1] })
    else if (plain.list && plain.text !== undefined) this.change(replica, replica.document(item))
    else replica.document(item).put('title', ++this.count) // what made it was refused
  }

  /** @param {DocumentReplica} replica @param {import('../../src/syncline.js').LiveDocument} document */
  change(replica, document) {
    const text = document.text('text')
    this.dice.choose([
      () => document.put('title', ++this.count),
      () => text.insert(this.dice.below(text.length + 1), `n${++this.count}`),
      () => document.list('list').push(++this.count),
      () => replica.transaction(() => {
        document.put('title', ++this.count)
        if (replica.get('a')) replica.document('a').put('other', this.count)
      }),
    ])()
  }

  /** @param {any} replica */
  compare(replica) {
    if (this.dice.below(10)) return // it would always look anew
    for (const item of ITEMS) {
      const told = look(replica, item)
      replica.library.letGo(item)
      assert.deepEqual(told, look(replica, item))
    }
  }

  /** @param {Store} fresh */
  async finish(fresh) {
    const again = new DocumentReplica(fresh, { user: 'ann' })
    for (const { replica } of this.tabs) for (const item of ITEMS) assert.deepEqual(look(replica, item), look(again, item))
  }
}

/** @param {DocumentReplica} replica @param {string} item */
const look = ({ library }, item) => [
  encode(library.document(item).plain()),
  snapshots.encode(library.document(item)),
  library.revision(item),
]

for (let seed = 1; seed <= SEEDS; seed++) test(`documents in tabs, seed ${seed}`, () => new Documents(seed).run())
