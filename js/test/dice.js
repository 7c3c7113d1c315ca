// Random choices that are the same for the same seed.

export class Dice {
  /** @param {number} seed */
  constructor(seed) {
    this.state = seed >>> 0
  }

  /** A number from 0 on, less than 1 (mulberry32). */
  random() {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /**
   * A whole number from 0 on, less than `end`.
   * @param {number} end
   */
  below(end) {
    return Math.floor(this.random() * end)
  }

  /**
   * One of these.
   * @template T
   * @param {ArrayLike<T>} members
   * @returns {T}
   */
  choose(members) {
    return members[this.below(members.length)]
  }

  /**
   * As many of these as asked for, any of them several times.
   * @template T
   * @param {ArrayLike<T>} members
   * @param {number} count
   */
  several(members, count) {
    return Array.from({ length: count }, () => this.choose(members))
  }
}
