// Peers: two replicas that sync with no server between them. One asks, the other answers; then both hold the same.
//
// Neither has authority: no seq goes between them, and what one gives is *heard* by the other. This is the end that
// asks; replica_peer.js answers.

import { MAX_FETCH_IDS } from '../core/limits.js'
import { Peering, batches, checkEpochs, eventsFound, giveOf, sortedOut } from '../core/peering.js'
import { SynclineError, fromWire } from '../errors.js'
import { give, hear, holdingsOf } from '../replica/exchange.js'

/** @typedef {import('../core/messages.js').Welcome} Welcome */
/** @typedef {import('../replica/index.js').Replica} Replica */
/** @typedef {import('../transports/memory.js').Transport} Transport */

/** How often one comparison begins: at both horizons, and again if one of them moves meanwhile. */
const MAX_BEGINNINGS = 4

/**
 * What it took until two replicas held the same, and why single events did not go over.
 * @typedef {{ given: number, heard: number, errors: SynclineError[] }} Agreed
 */

/**
 * Compares with a peer that was greeted, fetches what this replica lacks, and gives what the peer lacks. Fails with
 * epoch_changed if both know logs that are not the same.
 * @param {Replica} replica @param {Transport} transport @param {Welcome} peer @param {readonly string[]} items
 * @returns {Promise<Agreed>}
 */
export async function agree(replica, transport, peer, items) {
  checkEpochs(replica.epoch, peer.epoch)
  let peering = await begun(replica, items, replica.horizon)
  let beginnings = 1
  /** @type {Agreed} */
  const agreed = { given: 0, heard: 0, errors: [] }
  for (let step; (step = peering.next()); ) {
    if (step.type === 'share') await share(replica, transport, step.ids, agreed)
    else {
      const answer = /** @type {any} */ (await transport.ask(step))
      if (answer.type === 'tree' && answer.seq > peering.since) {
        if (++beginnings > MAX_BEGINNINGS) throw new SynclineError('bad_request', 'merkle: what the peer compares begins later each time.')
        peering = await begun(replica, items, answer.seq) // what is in its bases, nobody need give it
        continue
      }
      const { events, errors } = sortedOut(eventsFound(peering.receive(answer)))
      const { news, left } = await hear(replica, events, peer.epoch || null)
      agreed.heard += news.length
      agreed.errors.push(...errors, ...left.values())
    }
  }
  return agreed
}

/** A course that begins; of what is in logs, both compare what came after the horizon of either. @param {Replica} replica @param {readonly string[]} items @param {number} since */
async function begun(replica, items, since) {
  return new Peering(await (await holdingsOf(replica)).tree({ items, since }), { items, since })
}

/**
 * Gives events in order of their ids, and counts those that the peer lacked and took.
 * @param {Replica} replica @param {Transport} transport @param {string[]} ids @param {Agreed} agreed
 */
async function share(replica, transport, ids, agreed) {
  for (let start = 0; start < ids.length; start += MAX_FETCH_IDS) {
    for (const batch of batches(await give(replica, ids.slice(start, start + MAX_FETCH_IDS)))) {
      const { results } = /** @type {any} */ (await transport.ask(giveOf(replica.epoch, batch)))
      const refusals = results.flatMap((/** @type {any} */ { error }) => (error ? [fromWire(error)] : []))
      agreed.given += batch.length - refusals.length
      agreed.errors.push(...refusals)
    }
  }
}

/**
 * Calls back when the peer says that it has something new, or this replica has. Resolves or fails when the conversation
 * ends.
 * @param {Replica} replica @param {Transport} transport @param {() => void} call
 */
export async function follow(replica, transport, call) {
  const unwatch = replica.watchEvents(call)
  try {
    for await (const _ of transport.subscribe({ type: 'live', cursor: null, items: [] })) call()
  } finally {
    unwatch()
  }
}
