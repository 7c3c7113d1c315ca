// What a node needs that serves others; a page that is served does not load it.

export { checkRule } from './core/access/shapes.js'
export { View, differences } from './core/access/views.js'
export { decodeEvents, eventOf } from './core/batch.js'
export { VectorClock } from './core/clocks.js'
export { CursorCodec, checkPlace } from './core/cursor_codec.js'
export { decode } from './core/decoding.js'
export { check as checkDependencies, namesOf, refusal } from './core/documents/dependencies.js'
export { NO_TAIL, Receipts, extend, link } from './core/log.js'
export { decodeRequest, stateOf } from './core/requests.js'
export { ServerSession } from './core/server_session.js'
export { SynclineError } from './errors.js'
