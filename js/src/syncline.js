// What an app imports. Everything reachable from here is at most 25 kB, minified and gzipped.

export { Counter, ORSet, Text } from './core/documents/values.js'
export { SynclineError } from './errors.js'
export { DocumentReplica } from './replica/documents/index.js'
export { Edit, LiveDocument, PastDocument } from './replica/documents/live.js'
export { CounterView, ListView, MapView, SetView, TextView } from './replica/documents/views.js'
export { SyncedReplica, open } from './sync/background.js'
export { signedIn } from './sync/sign_in.js'
