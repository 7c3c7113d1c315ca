// What a node needs that serves others; a page that is served does not load it.

export { SynclineError } from './errors.js'
