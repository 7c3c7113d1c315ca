// Bases: where an item stands at a seq, so that its history before that need not be at hand. A *snapshot of a space* is
// a base for each of its items at one seq.

/**
 * Whether a base with this clock has the node's event with this counter: on each item a node's n only rises, so it
 * tells also of one that comes again a year later.
 * @param {Record<string, number>} clock @param {string} node @param {number} n
 */
export const covers = (clock, node, n) => Object.hasOwn(clock, node) && n <= clock[node]
