// What an app imports. Everything reachable from here is at most 25 kB, minified and gzipped.

export { SynclineError } from './errors.js'
