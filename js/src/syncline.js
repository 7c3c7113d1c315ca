// What an app imports: how to open a replica, the kinds that merge, and the types of what it meets.

export { Counter, ORSet, Text } from './core/documents/values.js'
export { SynclineError } from './errors.js'
export { DocumentReplica } from './replica/documents/index.js'
export { Edit, LiveDocument, PastDocument } from './replica/documents/live.js'
export { CounterView, ListView, MapView, SetView, TextView } from './replica/documents/views.js'
export { SyncedReplica, open } from './sync/background.js'
export { signedIn } from './sync/sign_in.js'

/** @typedef {import('./core/documents/conflicts.js').Conflicts} Conflicts */
/** @typedef {import('./core/documents/revisions.js').Revision} Revision */
/** @typedef {import('./core/events.js').Event} Event */
/** @typedef {import('./core/messages.js').Peer} Peer */
/** @typedef {import('./core/patches.js').Operation} Operation */
/** @typedef {import('./replica/documents/index.js').Asked} Asked */
/** @typedef {import('./replica/drafts.js').Draft} Draft */
/** @typedef {import('./replica/drafts.js').Refused} Refused */
/** @typedef {import('./replica/index.js').Status} Status */
/** @typedef {import('./sync/background.js').Settings} Settings */
/** @typedef {import('./sync/credentials.js').Token} Token */
/** @typedef {import('./sync/manager.js').SyncResult} SyncResult */
/** @typedef {import('./sync/presence.js').Presence} Presence */
/** @typedef {import('./sync/sign_in.js').SignIn} SignIn */
/** @template V @typedef {import('./replica/documents/views.js').Input<V>} Input */
