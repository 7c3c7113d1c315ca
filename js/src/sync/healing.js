// Healing: a replica finds every difference between what it holds and what its server shows it. What it lacks, or holds
// otherwise, it gets as it stands in the log; what the server lacks is offered by the conversation that goes on.

import { Peering } from '../core/peering.js'
import { holdingsOf, mend } from '../replica/exchange.js'

/** @typedef {import('../core/events.js').Entry} Entry */
/** @typedef {import('../replica/holdings.js').Holdings} Holdings */
/** @typedef {import('../replica/index.js').Replica} Replica */
/** @typedef {import('../transports/memory.js').Transport} Transport */

/**
 * Compares with a server that everything was pulled from before. What came there since comes with the next pull.
 *
 * `mended`: entries that this replica lacked or held otherwise, and has now; `doubtful`: the lowest seq of the entries
 * here that the server's log does not have where they were; null if there are none.
 * @param {Replica} replica @param {Transport} transport @param {readonly string[]} items
 */
export async function heal(replica, transport, items) {
  const since = replica.horizon
  const holdings = await holdingsOf(replica)
  const healing = new Peering(holdings.tree({ items, since, local: false }), { items, since })
  /** @type {number[]} */
  const doubtful = []
  let mended = 0
  for (let step; (step = healing.next()) && step.type !== 'share'; ) {
    const entries = healing.receive(/** @type {any} */ (await transport.ask(step)))
    const moved = entries.filter((entry) => hasMoved(holdings, entry))
    doubtful.push(...holdings.seqs(moved.map(({ event }) => event.id)))
    mended += await mend(replica, entries.filter((entry) => !moved.includes(entry)))
  }
  doubtful.push(...holdings.seqs(healing.lacked))
  return { mended, doubtful: doubtful.length ? doubtful.reduce((a, b) => Math.min(a, b)) : null }
}

/** Whether an entry is here, but at another seq. @param {Holdings} holdings @param {Entry} entry */
function hasMoved(holdings, { seq, event }) {
  const [here] = holdings.seqs([event.id])
  return here !== undefined && here !== seq
}
