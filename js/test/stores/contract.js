// What every store of a replica must do, in Node and in a page alike.

import { EVERYTHING, newState, orphaned, pending } from '../../src/stores/index.js'
import { KEYS } from '../../src/stores/store.js'
import { START_MS, Author, entries, entry, erasedEntry } from '../author.js'
import { Dice } from '../dice.js'
import { codeOf, same } from '../vectors/running.js'
import { Model, settledBy, standingAt } from './model.js'

/** @typedef {import('../../src/stores/index.js').Change} Change */
/** @typedef {import('../../src/stores/index.js').Outboxed} Outboxed */
/** @typedef {import('../../src/stores/store.js').Store} Store */

const SEEDS = 12

let opened = 0

/**
 * @param {(name: string, run: () => Promise<void>) => void} test
 * @param {(name: string) => Promise<Store>} open the store of a name; made for the node `node` if it is not there
 */
export function contract(test, open) {
  /** @param {string} name @param {(store: Store, again: () => Promise<Store>) => Promise<void>} run */
  const given = (name, run) =>
    test(name, async () => {
      const database = `contract ${++opened} ${Math.random()}`
      const store = await open(database)
      await run(store, () => open(database))
      store.close()
    })

  given('a new store is empty', async (store) => {
    same(store.state, newState('node'))
    same([[...store.outbox], [...store.documents], store.log], [[], [], []])
    same(store.holds(new Author().event().id), false)
  })

  // The outbox

  given('the outbox is in the order of ids', async (store, again) => {
    const events = new Author().events(5)
    await store.commit({ outbox: [3, 0, 4].map((place) => pending(events[place])) })
    await store.commit({ outbox: [1, 2].map((place) => pending(events[place])) })
    for (const each of [store, await again()]) same(bodies(each), events.map((event) => event.body))
  })

  given('a status changes, and is counted', async (store) => {
    const [one, other] = new Author().events(2)
    await store.commit({ outbox: [pending(one), pending(other)] })
    await store.commit({ outbox: [acked(one, 7), refused(other)] })
    same(store.counts, { pending: 0, acked: 1, refused: 1, heard: 0, orphan: 0, unvouched: 0 })
    same([...store.outbox.values()], [acked(one, 7), refused(other)])
    await store.commit({ drop: [other.id, 'unknown'] })
    same(store.counts, { pending: 0, acked: 1, refused: 0, heard: 0, orphan: 0, unvouched: 0 })
    same([...store.outbox.keys()], [one.id])
  })

  // Entries

  given('entries come in the order of seq', async (store, again) => {
    const all = entries(new Author().events(5))
    await store.commit({ entries: all.slice(3) })
    await store.commit({ entries: [all[1], all[0], all[2]] })
    await store.commit({ entries: all.slice(0, 2) })
    for (const each of [store, await again()]) same([each.log, await each.entries()], [all, all])
    same(await store.entries({ since: 2 }), all.slice(2))
  })

  given('an entry settles the event of its id', async (store, again) => {
    const [one, two, three, four] = new Author().events(4)
    const orphan = /** @type {Outboxed} */ ({ ...pending(three), status: 'orphan' })
    await store.commit({ outbox: [acked(one, 1), refused(two), orphan, pending(four)] })
    await store.commit({ entries: entries([one, two, three]) })
    for (const each of [store, await again()]) {
      same(bodies(each), [four.body])
      same([one, four].map(({ id }) => each.holds(id)), [true, true])
      same(each.counts, { pending: 1, acked: 0, refused: 0, heard: 0, orphan: 0, unvouched: 0 })
    }
  })

  given('forgetting an item leaves local events', async (store, again) => {
    const author = new Author()
    const [milk, bread, local] = ['milk', 'bread', 'milk'].map((item) => author.event(item))
    await store.commit({ entries: entries([milk, bread]), outbox: [pending(local)] })
    await store.commit({ settled: [settledBy(store, 'milk')] })
    await store.commit({ forget: ['milk', 'unknown'] })
    for (const each of [store, await again()]) {
      same(await each.entries(), [entry(2, bread)])
      same([each.documents.size, bodies(each)], [0, [local.body]])
      same(await each.piece('milk', 1), null)
    }
  })

  given('everything is forgotten but local events', async (store, again) => {
    await store.commit({ entries: entries(new Author('far').events(9)), outbox: [pending(new Author().event())] })
    await settle(store, ['task.1'])
    await store.commit({ entries: entries(new Author('late').events(3), 10) })
    await store.commit({ forget: [EVERYTHING], entries: entries(new Author('other').events(1)) })
    for (const each of [store, await again()]) same([(await each.entries()).length, each.outbox.size], [1, 1])
  })

  given('what a log has lost of others is forgotten by name alone', async (store, again) => {
    const orphan = (/** @type {string} */ item, user = 'bob') => orphaned(entry(1, new Author(item + user, user).event(item)), 'e')
    const unvouched = { ...orphan('milk', 'eve'), status: /** @type {const} */ ('unvouched'), error: { code: 'unvouched' } }
    const state = { ...store.state, user: 'ann' }
    await store.commit({ outbox: [orphan('milk'), unvouched, orphan('milk', 'ann'), orphan('bread')], state })
    await store.commit({ forget: [EVERYTHING] })
    same(store.outbox.size, 4)
    same([...((await store.commit({ forget: ['milk'] }))?.anew ?? [])], ['milk'])
    for (const each of [store, await again()]) {
      same([...each.outbox.values()].map(({ event }) => event.item + event.user).sort(), ['breadbob', 'milkann'])
    }
  })

  given('what was heard is in order, and says where it comes between', async (store, again) => {
    const [early, middle, late] = new Author('node').events(3, 'a')
    const other = new Author('other').event('b')
    await store.commit({ outbox: [pending(early), pending(late)] })
    const { anew, recorded } = /** @type {any} */ (await store.commit({ outbox: [heard(middle), heard(other)] }))
    same([[...anew], recorded], [['a'], [other]])
    for (const each of [store, await again()]) {
      same([each.counts.heard, each.counts.pending], [2, 2])
      const own = [...each.outbox.values()].filter(({ event }) => event.item === 'a')
      same(own.map(({ event, status }) => [event.id, status]), [[early.id, 'pending'], [middle.id, 'heard'], [late.id, 'pending']])
    }
    await store.commit({ entries: entries([middle]) })
    for (const each of [store, await again()]) same([each.counts.heard, each.outbox.has(middle.id)], [1, false])
  })

  given("what was heard goes with its item, unless it is this replica's user's", async (store, again) => {
    const state = { ...store.state, user: 'ann' }
    const [milk, bread] = ['milk', 'bread'].map((item) => new Author(item, 'bob').event(item))
    const own = new Author('phone', 'ann').event('milk')
    await store.commit({ outbox: [milk, bread, own].map(heard), state })
    await store.commit({ forget: [EVERYTHING] })
    same(store.counts.heard, 3)
    await store.commit({ forget: ['milk'] })
    for (const each of [store, await again()]) same([...each.outbox.keys()].sort(), [bread.id, own.id].sort())
  })

  given('a rewind makes orphans, which keep what vouches for them', async (store, again) => {
    const mine = new Author('node', 'ann').events(3)
    const theirs = new Author('far', 'bob').events(3)
    const state = { ...store.state, user: 'ann', epoch: 'e' }
    const system = entry(6, new Author('root', 'bob').event('.acl'))
    const erased = erasedEntry(entry(5, theirs[2]))
    const all = [...entries([mine[0], theirs[0], mine[1], theirs[1]]), erased, system]
    await store.commit({ entries: all, outbox: [acked(mine[2], 9)], state })
    await settle(store, ['task.1', '.acl'])
    await commit(store, { rewind: 2 })
    for (const each of [store, await again()]) {
      same([each.log.map(({ seq }) => seq), each.counts.acked, each.counts.orphan], [[1, 2], 1, 4])
      const found = [6, 3, 4, 5].map((seq) => all[seq - 1])
      same(each.offers().map(({ event, voucher }) => [event.body, event.digest, voucher]), found.map((entry) => {
        const { seq, at, receipt, digest, event } = entry
        return [event.body, event.digest, { epoch: 'e', seq, at, receipt, ...(digest && { digest }) }]
      }))
    }
    await store.commit({ entries: [all[3]], drop: [mine[1].id] })
    same(store.offers().map(({ voucher }) => voucher.seq), [6, 5])
    await store.commit({ outbox: [orphaned(all[2], 'e')] })
    same(store.offers().map(({ voucher }) => voucher.seq), [6, 3, 5])
  })

  given('rows of before there were vouchers are read', async (store, again) => {
    const { id, body } = new Author().event()
    await store._disk.run(async (tx) => tx.put('outbox', { id, text: body, status: 'orphan', seq: 3, error: null }), 'strict')
    const each = await again()
    same([bodies(each), each.counts.orphan, each.offers()], [[body], 1, []])
  })

  given('no byte is left of what was erased', async (store, again) => {
    const events = Array.from({ length: 9 }, (_, place) => new Author(`n${place}`).event('a', { payload: `secret ${place}` }))
    const all = entries([...events, new Author('other').event('b', { payload: 'stays' })])
    await store.commit({ entries: all.slice(0, 4) })
    await settle(store, ['a'])
    await store.commit({ entries: all.slice(4, 7) })
    await settle(store, ['a']) // the third is in a snapshot and a base, the eighth in the log, the ninth an orphan
    await store.commit({ entries: all.slice(7, 8).concat(all[9]), outbox: [orphaned(all[8], 'e')] })
    const late = [2, 7, 8].map((place) => erasedEntry(all[place]))
    await commit(store, { entries: late })
    const expected = all.map((each) => late.find(({ seq }) => seq === each.seq) ?? each)
    for (const each of [store, await again()]) same([await each.entries(), each.outbox.size], [expected, 0])
    const rows = await store._disk.run((tx) => Promise.all(Object.keys(KEYS).map((name) => tx.all(name))), 'read')
    same([2, 7, 8, 0, 3].map((place) => JSON.stringify(rows).includes(`secret ${place}`)), [false, false, false, true, true])
    same(JSON.stringify(rows).includes('stays'), true)
  })

  given('the parts of a change have an order', async (store, again) => {
    const author = new Author('node', 'ann')
    const [kept, forgotten, rewound, back] = ['a', 'b', 'c', 'd'].map((item) => author.event(item))
    await store.commit({ entries: entries([kept, forgotten, rewound, back]), state: { ...store.state, user: 'ann' } })
    await store.commit({
      rewind: 2, // rewound and back become orphans …
      forget: ['b', 'd'],
      entries: [entry(3, back)], // … the latter settles, after its item was forgotten …
      drop: [rewound.id], // … the former leaves …
      outbox: [refused(rewound)], // … and is put back.
      state: { ...store.state, user: 'bob' },
    })
    for (const each of [store, await again()]) {
      same(each.log.map(({ seq, event }) => [seq, event.item]), [[1, 'a'], [3, 'd']])
      same([...each.outbox.values()], [refused(rewound)])
      same(each.state.user, 'bob')
    }
  })

  given('a change that fails does nothing', async (store, again) => {
    const [one, other, local] = new Author().events(3)
    await store.commit({ entries: [entry(1, one)], outbox: [pending(local)] })
    const before = await told(store)
    const change = { entries: [entry(5, other)], drop: [local.id], outbox: [pending(/** @type {any} */ (null))] }
    for (const each of [change, { ...change, rewind: 0 }]) {
      let hasFailed = false
      await store.commit(each).catch(() => (hasFailed = true))
      same(hasFailed, true)
      same([await told(store), await told(await again())], [before, before])
    }
  })

  given('every field of the state is kept', async (store, again) => {
    const id = new Author().event().id
    const state = {
      version: 0, node: 'other', n: 5, stamp: id, user: 'ann', epoch: 'e', seq: 9, cursor: 'c', skewMs: -3,
      cursors: /** @type {[number, string][]} */ ([[3, 'a'], [9, 'c']]), copied: true, syncedAt: START_MS,
      forgotten: id, confirmed: id, rules: [{ user: 'ann', item: '*', action: '.read', type: 'allow', seq: 7, id: 'id' }],
    }
    await store.commit({ state })
    for (const each of [store, await again()]) same(each.state, { ...state, version: 1 })
  })

  // Several tabs

  given('a commit on an older version is not carried out', async (store, again) => {
    const other = await again()
    const [one, two] = new Author().events(2)
    await store.commit({ outbox: [pending(one)] })
    same(await other.commit({ outbox: [pending(two)], drop: [one.id] }), null)
    same([other.behind, other.state.version, await store.head()], [1, 0, 1])
    other.take({ outbox: [pending(one)] }, 1)
    same((await other.commit({ outbox: [pending(two)] }))?.recorded.length, 1)
    same([bodies(other), store.state.version], [[one.body, two.body], 1])
    await store.reread()
    same(await told(store), await told(other))
    other.close()
  })

  given('who reads again is told the new ids since', async (store, again) => {
    const [one, other, third] = [await again(), await again(), new Author().event()]
    await store.commit({ outbox: [pending(third)], renamed: new Map([['a', 'b'], ['x', 'y']]) })
    await other.reread()
    await store.commit({ renamed: new Map([['b', 'c']]) })
    same([(await one.reread()).renamed, (await one.reread()).renamed], [new Map([['b', 'c'], ['a', 'c'], ['x', 'y']]), undefined])
    same((await other.reread()).renamed, new Map([['b', 'c']]))
    same([store, one, other].map(({ state }) => state), Array(3).fill({ ...newState('node'), version: 2 }))
    const many = (/** @type {number} */ count, step = '') => new Map(Array.from({ length: count }, (_, i) => [`${i}`, `${step}${i}`]))
    await store.commit({ renamed: many(11_000, 'first ') })
    await store.commit({ renamed: many(9_000, 'second ') }) // those of before would be too many
    same((await other.reread()).renamed, many(9_000, 'second '))
    one.close()
    other.close()
  })

  given('a change tells what it did', async (store) => {
    const [one, two, three] = new Author().events(3)
    const news = (/** @type {any} */ { anew, noted, recorded }) => [anew && [...anew], noted.length, recorded.length]
    const tell = async (/** @type {Change} */ change) => news(await store.commit(change))
    same(await tell({ outbox: [pending(one), pending(two)] }), [[], 0, 2])
    same(await tell({ outbox: [acked(one, 1)] }), [[], 0, 0])
    same(await tell({ entries: [entry(1, one)] }), [[], 1, 0])
    same(await tell({ entries: [entry(1, one)] }), [[], 0, 0])
    same(await tell({ outbox: [refused(two), pending(three)] }), [['task.1'], 0, 0])
    same(await tell({ outbox: [pending(two)] }), [['task.1'], 0, 0])
    same(await tell({ drop: [two.id] }), [['task.1'], 0, 0])
    same(await tell({ forget: ['other'] }), [[], 0, 0])
    same(await tell({ rewind: 0 }), [null, 0, 0])
    same(await tell({ entries: entries([new Author('x').event('.policies')]) }), [[], 1, 0])
    same(await tell({ entries: [entry(5, new Author('y').event('.policies'))], state: { ...store.state, seq: 9 } }), [[], 1, 0])
    same(await tell({ entries: [entry(8, new Author('z').event('.policies'))] }), [null, 0, 0])
    same(await tell({ entries: [entry(9, new Author('z').event('task.1'))] }), [[], 1, 0])
    same(await tell({ forget: ['.policies'] }), [null, 0, 0])
  })

  // Settling

  given('what has settled is history', async (store, again) => {
    const all = entries(new Author().events(9))
    for (const start of [0, 3, 6]) {
      await store.commit({ entries: all.slice(start, start + 3) })
      await settle(store, ['task.1'])
    }
    for (const each of [store, await again()]) {
      same([each.log, await each.entries()], [[], all])
      const kept = each.documents.get('task.1')
      same([kept?.seq, kept?.count, kept?.number], [9, 9, 3])
      const piece = await each.piece('task.1', 3)
      same([piece?.number, JSON.parse(piece?.text ?? ''), piece?.base?.seq], [2, all.slice(6), 6])
      same([(await each.piece('task.1', 1))?.base, await each.piece('task.1', 0), await each.piece('x', 1)], [null, null, null])
    }
  })

  given('settling may be interrupted', async (store, again) => {
    const author = new Author()
    const all = entries(['a', 'b', 'a', 'b'].map((item) => author.event(item)))
    await store.commit({ entries: all })
    await store.commit({ settled: [settledBy(store, 'a')] })
    for (const each of [store, await again()]) same([each.log, await each.entries()], [[all[1], all[3]], all])
    await store.commit({ settled: [settledBy(store, 'b')], until: 1 })
    for (const each of [store, await again()]) same([each.log, await each.entries()], [[], all])
    same(await store._disk.run((tx) => tx.all('log'), 'read'), [])
  })

  given('a late entry takes up what had settled', async (store, again) => {
    const all = entries(new Author().events(12))
    for (const part of [all.slice(0, 4), all.slice(4, 6), all.slice(7)]) {
      await store.commit({ entries: part })
      await settle(store, ['task.1'])
    }
    const { version } = store.state
    same((await store.commit({ entries: [all[6]] }))?.isPartial, true)
    same(await store.entries(), all.filter(({ seq }) => seq !== 7))
    same([...((await store.commit({ entries: [all[6]] }))?.anew ?? [])], ['task.1'])
    same(store.state.version, version + 2)
    for (const each of [store, await again()]) {
      same([await each.entries(), each.documents.get('task.1')?.seq], [all, 6])
      same(each.log, all.slice(6))
    }
  })

  // Bases

  given('a base stands in place of what was up to its seq', async (store, again) => {
    const all = entries(Array.from({ length: 8 }, (_, at) => new Author(`n${at}`).event(at % 2 ? 'b' : 'a')))
    await store.commit({ entries: all.slice(0, 4) })
    await settle(store, ['a'])
    await store.commit({ entries: all.slice(4) })
    const base = standingAt('a', 5)
    const { anew } = /** @type {any} */ (await store.commit({ bases: [base, standingAt('c', 4)] }))
    same([...anew], ['a', 'c'])
    for (const each of [store, await again()]) {
      same([each.documents.get('a'), each.documents.get('c')?.base?.seq, await each.piece('a', 1)], [base, 4, null])
      same((await each.entries()).map(({ seq }) => seq), [2, 4, 6, 7, 8])
    }
  })

  given('what settles on a base is taken up again down to it', async (store, again) => {
    const base = standingAt('a', 5)
    const all = entries(Array.from({ length: 6 }, (_, at) => new Author(`n${at}`).event('a')), 6)
    await store.commit({ bases: [base] })
    for (const part of [all.slice(0, 2), all.slice(3)]) {
      await store.commit({ entries: part })
      await settle(store, ['a'])
    }
    for (const each of [store, await again()]) same([each.documents.get('a')?.number, each.documents.get('a')?.base?.seq], [2, 5])
    await commit(store, { entries: [all[2]] })
    for (const each of [store, await again()]) same([each.documents.get('a')?.base?.seq, await each.entries()], [5, all])
    await settle(store, ['a'])
    same((await store.commit({ rewind: 3, forget: [EVERYTHING] }))?.isPartial, true) // whatever breaks off now, the base is there
    for (const each of [store, await again()]) same([each.documents.get('a'), await each.entries()], [base, all])
    await commit(store, { rewind: 5 })
    for (const each of [store, await again()]) same([each.documents.get('a'), each.counts.orphan, each.log], [base, 6, []])
  })

  given('a snapshot takes the place of everything but local events', async (store, again) => {
    const all = entries(new Author('far').events(9, 'a'))
    const local = new Author('node').event('a')
    await store.commit({ entries: all.slice(0, 8), outbox: [pending(local)] })
    await settle(store, ['a'])
    await store.commit({ entries: all.slice(8), state: { ...store.state, seq: 9 } })
    const bases = Array.from({ length: 1_200 }, (_, at) => standingAt(`item.${at}`, 7))
    const policy = entry(3, new Author('root').event('.policies'))
    const change = { rewind: 7, forget: [EVERYTHING], bases, entries: [policy], state: { ...store.state, seq: 7, horizon: 7 } }
    await commit(store, change)
    for (const each of [store, await again()]) {
      same([each.documents.size, each.log, await each.entries()], [1_200, [policy], [policy]])
      same([each.counts.pending, each.counts.orphan, each.state.horizon], [1, 2, 7])
      same(await each.piece('a', 1), null)
    }
  })

  given('the store does what the model does', async (store, again) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const model = new Model(new Dice(seed))
      await store.commit({ forget: [EVERYTHING], drop: [...store.outbox.keys()], state: newState('node') })
      for (let step = 0; step < 60; step++) {
        await commit(store, model.next(store))
        same(await told(store), model.told)
        if (step % 3 === 2) same(await told(await again()), model.told)
      }
    }
  })

  // Closing

  given('a closed store says so', async (store) => {
    store.close()
    store.close()
    const event = new Author().event()
    for (const call of [() => store.commit({ outbox: [pending(event)] }), () => store.head(), () => store.piece('a', 1)]) {
      const error = await call().catch((/** @type {unknown} */ error) => error)
      same(codeOf(() => { throw error }), 'store_closed')
    }
  })

  given('an erased store is empty', async (store, again) => {
    await store.commit({ outbox: [pending(new Author().event())] })
    await store.erase()
    const fresh = await again()
    same(fresh.state, newState('node'))
    same(fresh.outbox.size, 0)
    await fresh.erase()
  })
}

/** @param {Store} store */
const bodies = (store) => [...store.outbox.values()].map(({ event }) => event.body)

/** @param {Store} store */
const told = async (store) => ({
  entries: await store.entries(),
  outbox: [...store.outbox.values()].sort((a, b) => (a.event.id < b.event.id ? -1 : 1)),
  bases: [...store.documents.values()].flatMap(({ item, base }) => (base ? [[item, base.seq]] : [])).sort(),
})

/** @param {Store} store @param {Change} change */
async function commit(store, change) {
  while ((await store.commit(change))?.isPartial);
}

/** @param {Store} store @param {string[]} items */
const settle = (store, items) =>
  store.commit({ settled: items.map((item) => settledBy(store, item)), until: store.state.version })

/** @param {import('../../src/core/events.js').Event} event @param {number} seq @returns {Outboxed} */
const acked = (event, seq) => ({ event, status: 'acked', seq, error: null })

/** @param {import('../../src/core/events.js').Event} event @returns {Outboxed} */
const heard = (event) => ({ event, status: 'heard', seq: null, error: null })

/** @param {import('../../src/core/events.js').Event} event @returns {Outboxed} */
const refused = (event) => ({ event, status: 'refused', seq: null, error: { code: 'forbidden', message: 'No.' } })
