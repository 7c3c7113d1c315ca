// The end of a conversation that answers for a replica, as a server does for its log; peers.js asks.

import { MAX_PAGE_BYTES } from '../core/limits.js'
import { nodeOf, summaryOf } from '../core/merkle/nodes.js'
import { DEFAULT_LIMITS, PROTOCOL, encode, errorMessage } from '../core/messages.js'
import { NO_EPOCH, batches, checkEpochs, eventsOf, sortedOut } from '../core/peering.js'
import { decodeRequest, refOf } from '../core/requests.js'
import { Entry } from '../core/events.js'
import { SynclineError, fail } from '../errors.js'
import { give, hear, holdingsOf, tellApart } from '../replica/exchange.js'
import { Bell } from './waiting.js'

/** @typedef {import('../core/events.js').Event} Event */
/** @typedef {import('../core/messages.js').Answer} Answer */
/** @typedef {import('../core/messages.js').Request} Request */
/** @typedef {import('../replica/index.js').Replica} Replica */

/** What a peer says whenever it has something new: come and compare. */
const HINT = encode({ type: 'page', ref: null, entries: [], late: [], forget: [], cursor: '', more: false })

/** @typedef {import('../transports/memory.js').Answering} Answering */

/** Answers one peer at a time. @implements {Answering} */
export class ReplicaPeer {
  /** @param {Replica} replica @param {{ token?: string | null }} [options] `token`: what a peer has to show; none: nothing */
  constructor(replica, { token = null } = {}) {
    this._replica = replica
    this._token = token
    this._isOpen = false
  }

  /** The answer to one request, both encoded. @param {string} request */
  async answer(request) {
    try {
      return encode(await this._reply(decodeRequest(request)))
    } catch (error) {
      const known = error instanceof SynclineError ? error : new SynclineError('internal', String(error))
      return encode(errorMessage(known, refOf(request)))
    }
  }

  /** A hint at once, and whenever the replica has something new: all is compared. @returns {AsyncGenerator<string, never>} */
  async *follow() {
    const bell = new Bell()
    const unwatch = this._replica.watchEvents(() => bell.ring())
    try {
      for (;;) {
        yield HINT
        await bell.next()
      }
    } finally {
      unwatch()
    }
  }

  /** @param {Request} request @returns {Promise<Answer>} */
  async _reply(request) {
    if (request.type === 'hello') return this._welcome(request)
    if (!this._isOpen) fail('hello_required', 'The first message of a session is hello.')
    switch (request.type) {
      case 'merkle':
        return this._compare(request)
      case 'fetch':
        return this._find(request)
      case 'give':
        return this._hear(request)
      case 'auth':
        this._admit(request.token)
        return { type: 'authenticated', ref: request.ref, user: this._replica.user ?? '', time: this._replica.nowMs(), expires: null }
      case 'ping':
        return { type: 'pong', ref: request.ref }
    }
    return fail('bad_request', 'This is a replica, which answers what peers ask; it keeps no log for others.')
  }

  /** @param {string | null} token */
  _admit(token) {
    if (this._token !== null && token !== this._token) {
      fail('unauthorized', 'This replica is shared with those who show its token.')
    }
  }

  /** @param {import('../core/messages.js').Hello} hello @returns {Promise<Answer>} */
  async _welcome({ protocol, token, node }) {
    if (protocol !== PROTOCOL) fail('unsupported_protocol', `This replica speaks protocol ${PROTOCOL}.`)
    this._admit(token)
    await tellApart(this._replica, node)
    this._isOpen = true
    const { user, epoch } = this._replica
    const rest = { head: 0, time: this._replica.nowMs(), own: null, limits: DEFAULT_LIMITS, rules: null, expires: null }
    return { type: 'welcome', epoch: epoch ?? '', user: user ?? '', ...rest, peer: true }
  }

  /** @param {import('../core/messages.js').Merkle} asked @returns {Promise<Answer>} */
  async _compare({ ref, items, since, summaries }) {
    const seq = this._replica.horizon
    const tree = await (await holdingsOf(this._replica)).tree({ items, since: Math.max(since, seq) })
    const found = tree.describe(summaries.map(nodeOf)).map(summaryOf)
    return { type: 'tree', ref, seq, root: tree.root, count: tree.count, summaries: found }
  }

  /** @param {import('../core/messages.js').Fetch} asked @returns {Promise<Answer>} */
  async _find({ ref, ids }) {
    const events = await give(this._replica, ids)
    const [first = []] = batches(events, MAX_PAGE_BYTES)
    const entries = first.map((event) => new Entry(0, 0, '', event))
    return { type: 'found', ref, entries, more: first.length < events.length }
  }

  /** @param {import('../core/messages.js').Give} given @returns {Promise<Answer>} */
  async _hear({ ref, epoch, entries }) {
    const theirs = epoch === NO_EPOCH ? null : epoch
    checkEpochs(this._replica.epoch, theirs)
    const read = eventsOf(entries)
    const { left } = await hear(this._replica, sortedOut(read).events, theirs)
    return { type: 'ack', ref, results: read.map((each) => resultOf(each, left)), head: 0 }
  }
}

/** What became of an event that was given: no error, or why it is not kept. @param {Event | SynclineError} read @param {Map<string, SynclineError>} left */
function resultOf(read, left) {
  const error = read instanceof SynclineError ? read : left.get(read.id)
  const id = read instanceof SynclineError ? read.details.id ?? null : read.id
  return { id, seq: null, error: error?.toWire() ?? null }
}
