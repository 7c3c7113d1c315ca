// A map from patterns to values that is asked by what matches: the base of views.
//
// A pattern is a literal, `*`, or a prefix with one trailing `*`. Values of equally long patterns share a table, so
// whatever the number of patterns, a look-up goes through as many tables as there are lengths, the most specific first.

const LITERAL = 1e6 // a literal's rank: longer than every name, so that `name.slice(0, LITERAL)` is the name

/**
 * How specific a pattern is, and what a name begins with that it matches.
 * @param {string} pattern
 * @returns {[number, string]}
 */
const keyOf = (pattern) => (pattern.endsWith('*') ? [pattern.length - 1, pattern.slice(0, -1)] : [LITERAL, pattern])

/**
 * The most specific pattern first, equally specific ones by name.
 * @param {string} one
 * @param {string} other
 */
export const bySpecificity = (one, other) => keyOf(other)[0] - keyOf(one)[0] || (one < other ? -1 : Number(one > other))

/** @template T */
export class PatternMap {
  /** @param {Iterable<[string, T]>} values */
  constructor(values) {
    /** @type {Map<number, Map<string, T>>} */
    const tables = new Map()
    for (const [pattern, value] of values) {
      const [rank, key] = keyOf(pattern)
      tables.set(rank, (tables.get(rank) ?? new Map()).set(key, value))
    }
    this._tables = [...tables].sort(([one], [other]) => other - one)
  }

  /**
   * The value of each pattern that matches, the most specific first; `*` matches if `isWide`.
   * @param {string} name
   * @param {boolean} isWide
   */
  *matching(name, isWide, below = LITERAL + 1) {
    for (const [rank, table] of this._tables) {
      const key = name.slice(0, rank)
      if (rank < below && (rank > 0 || isWide) && table.has(key)) yield /** @type {T} */ (table.get(key))
    }
  }

  /**
   * The values of the patterns that match all that this one matches, the most specific first.
   * @param {string} pattern
   * @param {boolean} [orItself]
   */
  covering(pattern, orItself = false) {
    const [rank, name] = keyOf(pattern)
    return this.matching(name, pattern[0] !== '.', rank + Number(orItself))
  }
}

/**
 * The patterns without those that another covers, sorted.
 * @param {Iterable<string>} patterns
 */
export function widest(patterns) {
  const all = new Set(patterns)
  const index = new PatternMap([...all].map((pattern) => [pattern, true]))
  return [...all].filter((pattern) => index.covering(pattern).next().done).sort()
}
