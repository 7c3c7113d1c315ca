// Healing: a replica finds every difference between what it holds and what its server shows it. What it lacks, or holds
// otherwise, it gets as it stands in the log; what the server lacks is offered by the conversation that goes on.

import { Peering } from '../core/peering.js'
import { holdingsOf, mend } from '../replica/exchange.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../replica/index.js').Replica} Replica */
/** @typedef {import('../transports/memory.js').Transport} Transport */

/**
 * Compares with a server that everything was pulled from before. What came there since comes with the next pull.
 *
 * `mended`: entries that this replica lacked or held otherwise, and has now. `isBehind`: the log does not have all where
 * it stands here, so the replica went back to before that: it is to pull again, and to give what does not come.
 * @param {Replica} replica @param {Transport} transport @param {readonly string[]} items
 */
export async function heal(replica, transport, items) {
  const { healing, entries } = await compared(replica, transport, items)
  const holdings = await holdingsOf(replica)
  const places = new Map(entries.map(({ seq, event }) => [event.id, seq]))
  const suspects = [...healing.lacked, ...healing.differing]
  const doubtful = suspects.filter((id) => holdings.seqOf(id) !== (places.get(id) ?? -1)).map((id) => holdings.seqOf(id))
  const first = doubtful.filter(Boolean).reduce((a, b) => Math.min(a, b), Infinity)
  const isBehind = first < Infinity
  if (isBehind) await replica.perform({ type: 'rewind', head: first - 1 }) // before another entry takes its place
  return { mended: await mend(replica, entries), isBehind }
}

/** What a walk finds, and the entries that this replica lacks or holds otherwise. @param {Replica} replica @param {Transport} transport @param {readonly string[]} items */
async function compared(replica, transport, items) {
  const since = replica.horizon
  const tree = await (await holdingsOf(replica)).tree({ items, since, local: false })
  const healing = new Peering(tree, { items, since })
  /** @type {Entry[]} */
  const entries = []
  for (let step; (step = healing.next()) && step.type !== 'share'; ) {
    entries.push(...healing.receive(/** @type {any} */ (await transport.ask(step))))
  }
  return { healing, entries }
}
