/**
 * Hooks for React: what a replica shows, in components that are rendered again when it changes. React is the app's own.
 *
 * Each hook reads through `useSyncExternalStore`, so that a component never shows two states at once; what it returns is
 * the same object until something changed.
 */

import { useEffect, useMemo, useSyncExternalStore } from 'react'

/** @typedef {import('./replica/documents/index.js').DocumentReplica} DocumentReplica */
/** @typedef {import('./replica/documents/index.js').Asked} Asked */
/** @template {object} [T=any] @typedef {import('./replica/documents/live.js').LiveDocument<T>} LiveDocument */

/**
 * What a document shows, as plain JSON; null if there is none.
 * @template {object} [T=any]
 * @param {DocumentReplica} replica
 * @param {string} item
 * @returns {T | null}
 */
export function useDocument(replica, item) {
  const [subscribe, get] = useMemo(() => documentSource(replica, item), [replica, item])
  return /** @type {T | null} */ (useSyncExternalStore(subscribe, get, get))
}

/**
 * @param {DocumentReplica} replica
 * @param {string} item
 */
const documentSource = (replica, item) => /** @type {const} */ ([
  (/** @type {() => void} */ tell) => replica.watch(item, tell),
  () => replica.plain(item),
])

/**
 * The documents that a query finds, in order: another array whenever one of them changed.
 * @template {object} [T=any]
 * @param {DocumentReplica} replica
 * @param {string} [pattern]
 * @param {Asked} [asked] compared by what it says, so it may be written where it is used
 * @returns {LiveDocument<T>[]}
 */
export function useQuery(replica, pattern = '*', asked = {}) {
  const question = JSON.stringify(asked)
  const [subscribe, get] = useMemo(() => querySource(replica, pattern, JSON.parse(question)), [replica, pattern, question])
  return useSyncExternalStore(subscribe, get, get)
}

/**
 * @param {DocumentReplica} replica
 * @param {string} pattern
 * @param {Asked} asked
 */
function querySource(replica, pattern, asked) {
  let found = replica.query(pattern, asked)
  let shown = found.map((document) => document.plain)
  const subscribe = (/** @type {() => void} */ tell) => replica.watchQuery(pattern, asked, (documents) => {
    const plain = documents.map((document) => document.plain)
    if (isSame(plain, shown) && isSame(documents.map(itemOf), found.map(itemOf))) return
    found = documents
    shown = plain
    tell()
  })
  return /** @type {const} */ ([subscribe, () => found])
}

/** @param {LiveDocument} document */
const itemOf = (document) => document.item

/**
 * @param {readonly unknown[]} one
 * @param {readonly unknown[]} other
 */
const isSame = (one, other) => one.length === other.length && one.every((each, place) => each === other[place])

/**
 * How the replica stands to its server, and to its disk.
 * @param {DocumentReplica} replica
 */
export function useStatus(replica) {
  const [subscribe, get] = useMemo(() => statusSource(replica), [replica])
  return useSyncExternalStore(subscribe, get, get)
}

/** @param {DocumentReplica} replica */
function statusSource(replica) {
  let status = replica.status()
  const subscribe = (/** @type {() => void} */ tell) => {
    const note = (/** @type {typeof status} */ now) => {
      if (isSame(Object.values(now), Object.values(status))) return
      status = now
      tell()
    }
    const stop = replica.watchStatus(note)
    note(replica.status())
    return stop
  }
  return /** @type {const} */ ([subscribe, () => status])
}

/**
 * Steps back and forth of one document, to be given to buttons. Each tells, in a promise, whether there was anything to do.
 * @param {DocumentReplica} replica
 * @param {string} item
 */
export const useUndo = (replica, item) => useMemo(() => ({
  undo: () => replica.document(item).undo(),
  redo: () => replica.document(item).redo(),
}), [replica, item])

/**
 * Everyone else who is here; of an item, if one is given, everyone at it. Others see this state of this tab as long as
 * the component is mounted.
 * @param {import('./sync/background.js').SyncedReplica} replica
 * @param {unknown} [state] any JSON, compared by what it says; left out: nothing is shown
 * @param {string} [item]
 */
export function usePresence(replica, state, item) {
  const said = JSON.stringify(state)
  useEffect(() => {
    if (said === undefined) return undefined
    replica.presence.set(JSON.parse(said), item)
    return () => replica.presence.clear()
  }, [replica, said, item])
  const [subscribe, get] = useMemo(() => presenceSource(replica, item), [replica, item])
  return useSyncExternalStore(subscribe, get, get)
}

/**
 * @param {import('./sync/background.js').SyncedReplica} replica
 * @param {string} [item]
 */
function presenceSource(replica, item) {
  /** @type {import('./sync/presence.js').Peer[]} */
  let peers = []
  const subscribe = (/** @type {() => void} */ tell) => replica.presence.watch((found) => {
    peers = found
    tell()
  }, { item })
  return /** @type {const} */ ([subscribe, () => peers])
}
