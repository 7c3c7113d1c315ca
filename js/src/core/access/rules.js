// Rules: who may do what with which items, and which of them decides.
//
// The most specific matching rule decides, by item, then by user, then by action (a literal beats any prefix, a longer
// prefix a shorter one, `*` is the shortest), then the newest. `*` matches nothing that begins with a dot, except that
// the action `*` includes `.read`. A replica is told the rules that concern its user; those of a whole space lie in a
// tree, in an authority.

/**
 * Whether users may do actions with items, each a pattern. `id` is the event that added it; "" for a default.
 * @typedef {object} Rule
 * @property {string} user
 * @property {string} item
 * @property {string} action
 * @property {string} type allow or deny
 * @property {number} seq
 * @property {string} id
 */

const READ = '.read'
const LITERAL = 1e6

/** How specific a pattern is. @param {string} pattern */
const rank = (pattern) => (pattern.endsWith('*') ? pattern.length - 1 : LITERAL)

/** @param {string} pattern @param {string} name */
const matches = (pattern, name, isWide = name[0] !== '.') =>
  pattern === '*' ? isWide : pattern === name || (pattern.endsWith('*') && name.startsWith(pattern.slice(0, -1)))

/** An immutable set of rules. */
export class Rules {
  /** @param {readonly Rule[]} rules */
  constructor(rules) {
    const bySpecificity = (/** @type {Rule} */ a, /** @type {Rule} */ b) =>
      rank(b.item) - rank(a.item) || rank(b.user) - rank(a.user) || rank(b.action) - rank(a.action) || b.seq - a.seq
    this._rules = [...rules].sort(bySpecificity)
  }

  /**
   * The rule that decides, if any matches.
   * @param {string} user
   * @param {string} item
   * @param {string} action
   */
  decide(user, item, action) {
    return this._rules.find(
      (rule) =>
        matches(rule.item, item) && matches(rule.user, user) && matches(rule.action, action, action[0] !== '.' || action === READ),
    )
  }

  /**
   * Whether a user may do an action with an item. Names with a leading dot are the server's own voices, which no
   * rule binds.
   * @param {string} user
   * @param {string} item
   * @param {string} action
   */
  may(user, item, action) {
    return user[0] === '.' || this.decide(user, item, action)?.type === 'allow'
  }
}
