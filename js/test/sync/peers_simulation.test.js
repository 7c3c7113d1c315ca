// Replicas that edit, meet and sync at random, over connections that break: in the end all hold the same, and the log
// holds what anybody recorded, once.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { MemoryTransport, ReplicaPeer, syncWith } from '../../src/peers.js'
import { encode } from '../../src/core/canonical.js'
import { fail } from '../../src/errors.js'
import { holdingsOf } from '../../src/replica/exchange.js'
import { DocumentReplica } from '../../src/replica/documents/index.js'
import { Store } from '../../src/stores/store.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { SyncManager } from '../../src/sync/manager.js'
import { HttpTransport } from '../../src/transports/http.js'
import { Dice } from '../dice.js'
import { Server, token } from '../serving.js'

const SEEDS = 6
const STEPS = 120
const USERS = 3
const REPLICAS = 4

/** @type {Server} */
let server
before(async () => void (server = await Server.start()))
after(() => server.stop())

/** A conversation that breaks now and then: before something was done, or when it was and nobody hears of it. */
class Breaking extends MemoryTransport {
  /** @param {ReplicaPeer} peer @param {Dice} dice */
  constructor(peer, dice) {
    super(peer)
    this._dice = dice
  }

  /** @override @param {import('../../src/core/messages.js').Inquiry} inquiry */
  async ask(inquiry) {
    const die = this._dice.below(12)
    if (die === 0) fail('connection_lost')
    const reply = await super.ask(inquiry)
    if (die === 1) fail('connection_lost')
    return reply
  }
}

/** @typedef {{ replica: DocumentReplica, key: string }} Place */

class World {
  /** @param {number} seed */
  constructor(seed) {
    this.dice = new Dice(seed)
    this.space = token()
    /** @type {Place[]} */
    this.places = []
    /** How many events were recorded. */
    this.recorded = 0
  }

  /** Users with a replica each, and one with two. */
  async begin() {
    const users = await Promise.all(Array.from({ length: USERS }, () => server.user(this.space)))
    const keys = await Promise.all(users.map((user) => server.keyOf(this.space, user)))
    for (let place = 0; place < REPLICAS; place++) {
      const user = users[place % USERS]
      const replica = new DocumentReplica(new MemoryStore(), { user: this.dice.below(3) ? user : undefined })
      this.places.push({ replica, key: keys[place % USERS] })
    }
  }

  /** @param {Place} place */
  edit({ replica }) {
    const document = replica.document(`task.${this.dice.below(5)}`)
    const die = this.dice.below(6)
    const before = replica.pending().length
    if (die === 0 && document.exists) document.delete()
    else if (die < 3) document.put(`key${this.dice.below(3)}`, this.dice.below(100))
    else {
      document.edit('several', (edit) => {
        edit.put('a', this.dice.below(9))
        edit.put('b', [this.dice.below(9)])
      })
    }
    this.recorded += replica.pending().length - before
  }

  /** @param {Place} one @param {Place} other */
  async meet(one, other, breaks = true) {
    const peer = new ReplicaPeer(other.replica)
    const { failure } = await syncWith(one.replica, breaks ? new Breaking(peer, this.dice) : new MemoryTransport(peer)).sync()
    if (failure && failure.code !== 'connection_lost') throw failure
  }

  /** @param {Place} place @param {'sync' | 'heal'} [how] */
  async sync({ replica, key }, how = 'sync') {
    const { failure, errors } = await new SyncManager(replica, new HttpTransport(server.url), { space: this.space, token: key })[how]()
    if (failure) throw failure
    assert.deepEqual(errors, [])
  }

  /** A page is closed and opened again. @param {Place} place */
  async reopen(place) {
    await place.replica.saved()
    await place.replica.settle()
    const disk = place.replica.store._disk
    clearInterval(place.replica._ticking)
    place.replica = new DocumentReplica(await Store.open(disk))
  }

  async step() {
    const [one, other] = [this.dice.choose(this.places), this.dice.choose(this.places)]
    const die = this.dice.below(20)
    if (die < 10) this.edit(one)
    else if (die < 16 && one !== other) await this.meet(one, other)
    else if (die < 18) await this.sync(one)
    else if (die < 19) await this.reopen(one)
    else await this.sync(one, 'heal')
  }

  /** Everybody meets, then everybody syncs: without and with a server all are alike. */
  async end() {
    for (const round of [0, 1]) {
      for (const one of this.places) for (const other of this.places) if (one !== other) await this.meet(one, other, false)
      if (round) await this.areAlike(true)
    }
    for (let round = 0; round < USERS + 2; round++) for (const place of this.places) await this.sync(place)
    await this.areAlike(false)
    const entries = await server.events(this.space)
    const ids = entries.filter((/** @type {any} */ { item }) => item[0] !== '.').map((/** @type {any} */ { id }) => id)
    assert.deepEqual([ids.length, new Set(ids).size], [this.recorded, this.recorded])
    for (const { replica } of this.places) {
      const { pending, heard, refused, orphan, unvouched } = replica.status()
      assert.deepEqual({ pending, heard, refused, orphan, unvouched }, { pending: 0, heard: 0, refused: 0, orphan: 0, unvouched: 0 })
    }
  }

  /** @param {boolean} local */
  async areAlike(local) {
    const told = await Promise.all(this.places.map(async ({ replica }) => {
      const shown = replica.items().map((item) => [item, replica.get(item)?.plain])
      return [(await (await holdingsOf(replica)).tree({ local })).root, encode(shown)]
    }))
    for (const each of told) assert.deepEqual(each, told[0])
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`peers and a server agree, seed ${seed}`, async () => {
    const world = new World(seed)
    await world.begin()
    try {
      for (let step = 0; step < STEPS; step++) await world.step()
      await world.end()
    } finally {
      for (const { replica } of world.places) await replica.close()
    }
  })
}
