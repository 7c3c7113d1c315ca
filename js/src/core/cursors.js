// Cursors: how far a reader has come, as opaque texts that only a server can make (see cursor_codec.js).

const KEPT_CURSORS = 64

/**
 * Which of several ascending seqs a replica keeps old cursors of: at most 64, exponentially spaced.
 *
 * A seq goes when the gap this leaves is no wider than the gap's distance from the newest. Applied at every step it
 * keeps, for whatever age of the copy a server was restored from, a cursor at most about twice as old.
 * @param {readonly number[]} seqs
 */
export function thin(seqs) {
  const last = seqs[seqs.length - 1]
  /** @type {number[]} */
  const kept = []
  for (const seq of seqs) {
    while (kept.length > 1 && seq - kept[kept.length - 2] <= last - seq) kept.pop()
    kept.push(seq)
  }
  return kept.slice(-KEPT_CURSORS)
}
