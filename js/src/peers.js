// Peers: replicas that sync with each other, without a server between them. A page that meets none does not load this.

import './sync/peers.js' // at hand, should there be no network when it is needed
import { SyncManager } from './sync/manager.js'

export { ReplicaPeer } from './sync/replica_peer.js'
export { ChannelTransport, serve } from './transports/channel.js'
export { MemoryTransport } from './transports/memory.js'

/** @typedef {import('./replica/index.js').Replica} Replica */
/** @typedef {import('./sync/manager.js').SyncResult} SyncResult */
/** @typedef {import('./transports/channel.js').Channel} Channel */
/** @typedef {import('./transports/memory.js').Transport} Transport */

/**
 * Syncs a replica with the peer at the other end of a transport: `sync()` once, `start()` until `stop()`. The status of
 * the replica goes on telling how it stands to its server.
 * @param {Replica} replica
 * @param {Transport} transport
 * @param {{ token?: import('./sync/credentials.js').Token, items?: readonly string[] }} [options] `token`: what the peer
 *   wants to be shown; `items`: patterns of what to compare
 */
export const syncWith = (replica, transport, options) => new SyncManager(aside(replica), transport, options)

/** The replica itself, but nobody is told of this connection. @param {Replica} replica @returns {Replica} */
const aside = (replica) =>
  new Proxy(replica, {
    get(target, name) {
      if (name === 'setConnection') return () => {}
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
