// What an author decides of an event before it is one, and what came back of those that were not taken.

/**
 * An event to be: everything of it that its author decides. `id` is one that the replica has set aside for it.
 * @typedef {object} Draft
 * @property {string} item
 * @property {string} action
 * @property {any} [payload]
 * @property {any} [ops]
 * @property {Record<string, any>} [meta]
 * @property {string} [id]
 */

/**
 * An event that the server refused, and why.
 * @typedef {{ event: import('../core/events.js').Event, error: Record<string, any> }} Refused
 */

export {}
