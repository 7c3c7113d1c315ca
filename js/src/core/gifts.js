// Gifts: entries that were in a log once, given back to it by who has kept them.
//
// A replica keeps of each entry that a log has lost the *voucher*: where it stood, and the receipt it had. The server
// that made the receipt believes it, whoever gives the entry.

import { sizeOf } from './canonical.js'

/** @typedef {import('./events.js').Entry} Entry */
/** @typedef {import('./events.js').Event} Event */
/** @typedef {import('./messages.js').Give} Give */

/**
 * What is kept of an entry when its log has lost it: epoch and seq it had there, its time, its receipt, and of an erased
 * event the digest, which its form does not tell.
 * @typedef {{ epoch: string, seq: number, at: number, receipt: string, digest?: string }} Voucher
 */

/** An event that a replica would give back. @typedef {{ event: Event, voucher: Voucher }} Offer */

const ENVELOPE_BYTES = 128 // of a message, beside its entries; of an entry, beside its event

/** The entries of a gift that only asks whether a log takes the epoch. */
export const NOTHING = '[]'

/**
 * What is to be kept of an entry of a log.
 * @param {string | null} epoch
 * @param {Entry} entry
 * @returns {Voucher}
 */
export const voucherOf = (epoch, { seq, at, receipt, digest }) =>
  ({ epoch: epoch ?? '', seq, at, receipt, ...(digest === undefined ? {} : { digest }) })

/**
 * Offers in the order of giving them: what the system wrote first, then as they stood in the log. If that was put back
 * twice, some stood there before the first time and some after it, so what an event has seen goes before it.
 * @param {Offer[]} offers
 */
export function inOrder(offers) {
  const unseen = queuesOf(offers)
  /** @type {Set<Offer>} */
  const given = new Set()
  for (const offer of offers.sort(byOrder)) {
    for (const each of given.has(offer) ? [] : seenBy(offer.event, unseen)) given.add(each)
    given.add(offer)
  }
  return [...given]
}

/** By item and node, the last first. @param {readonly Offer[]} offers */
function queuesOf(offers) {
  /** @type {Map<string, Offer[]>} */
  const queues = new Map()
  for (const offer of offers) {
    const name = `${offer.event.item} ${offer.event.node}`
    const queue = queues.get(name)
    if (queue) queue.push(offer)
    else queues.set(name, [offer])
  }
  for (const queue of queues.values()) queue.sort((a, b) => b.event.n - a.event.n)
  return queues
}

/** Takes out of queues what an event has seen, and itself, by ids: they rise. @param {Event} event @param {Map<string, Offer[]>} queues */
function seenBy({ item, clock }, queues) {
  const seen = []
  for (const node in clock) {
    const queue = queues.get(`${item} ${node}`) ?? []
    while (queue.length && queue[queue.length - 1].event.n <= clock[node]) seen.push(/** @type {Offer} */ (queue.pop()))
  }
  return seen.sort((a, b) => (a.event.id < b.event.id ? -1 : 1))
}

/** @param {Offer} a @param {Offer} b */
const byOrder = (a, b) => Number(isOfSystem(b)) - Number(isOfSystem(a)) || a.voucher.seq - b.voucher.seq

/** @param {Offer} offer */
const isOfSystem = ({ event }) => event.item[0] === '.'

/**
 * Those that wait for nobody else to give them: one's own and the system's, and what these may depend on. That is what
 * stands on the same items, and on the `items` where something is pending.
 * @param {readonly Offer[]} offers
 * @param {string} user
 * @param {Set<string>} items
 */
export function due(offers, user, items) {
  const mine = new Set(items)
  for (const offer of offers) if (offer.event.user === user || isOfSystem(offer)) mine.add(offer.event.item)
  return offers.filter(({ event }) => mine.has(event.item))
}

/**
 * The first offers, as many as one message may carry; at least one.
 * @param {readonly Offer[]} offers
 * @param {number} most
 * @param {number} maxBytes
 */
export function batch(offers, most, maxBytes) {
  let size = ENVELOPE_BYTES
  const end = offers.findIndex(({ event }, place) => {
    size += sizeOf(event.body) + ENVELOPE_BYTES
    return place === most || (place > 0 && size > maxBytes)
  })
  return end < 0 ? offers : offers.slice(0, end)
}

/**
 * The message that gives these, which are of one log.
 * @param {readonly Offer[]} offers
 * @returns {Give}
 */
export const giveOf = (offers) =>
  ({ type: 'give', ref: 0, epoch: offers[0].voucher.epoch, entries: `[${offers.map(encoded).join()}]` })

/** The entry that it was, its event in canonical form. @param {Offer} offer */
function encoded({ event, voucher: { epoch: _, ...place } }) {
  return `${JSON.stringify(place).slice(0, -1)},"event":${event.body}}`
}
