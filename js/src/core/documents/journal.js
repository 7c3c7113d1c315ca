/**
 * What came, went and moved in a list while events were folded: one step for each element, in the words of RFC 6902.
 *
 * Steps are indexes at the time when they were made. If an element comes, goes or moves again, its earlier step is
 * taken out of the journal and those after it are rewritten as if it had stayed where it was; so an insertion that is
 * taken back leaves nothing, and a drag over many places is one move.
 *
 * @typedef {import('./objects.js').Element} Element
 * @typedef {import('./objects.js').List} List
 */

/** The index of an element that is not there. It comes after all others and stays when those before it shift. */
export const NOWHERE = Infinity

/** How many steps are rewritten at most because one element came, went or moved again. */
const LOOKBACK = 128

/**
 * An element of a list came, went or moved: its index before and after, as things stood then, or NOWHERE.
 * As in RFC 6902 the index after is that in the list without the element.
 *
 * @typedef {{element: Element, at: number, now: number}} Step
 */

/** The steps from a list as it was to the list as it is, at most one for each element. */
export class Journal {
  /** @param {List} target */
  constructor(target) {
    /** @type {Step[]} */
    this.steps = []
    /** Those elements that have a step. @type {Set<Element>} */
    this._stepped = new Set()
    this._target = target
    /** The list as it was, once steps are not kept any more, because too many would have to be rewritten. */
    this.was = /** @type {Element[] | null} */ (null)
  }

  /** The elements of the list as it was. */
  before() {
    if (this.was) return this.was
    const elements = [...this._target.visible()]
    for (const { element, at, now } of [...this.steps].reverse()) {
      if (now !== NOWHERE) elements.splice(now, 1)
      if (at !== NOWHERE) elements.splice(at, 0, element)
    }
    return elements
  }

  /**
   * Takes the step that the list has just made.
   * @param {Step} step
   */
  add(step) {
    if (this.was) return
    this.steps.push(step)
    if (!this._stepped.has(step.element)) {
      this._stepped.add(step.element)
      return
    }
    const least = Math.max(this.steps.length - 1 - LOOKBACK, 0)
    let last = this.steps.length - 2
    while (last >= least && this.steps[last].element !== step.element) last--
    if (last < least) this.was = this.before()
    else this._join(last)
  }

  /**
   * Makes one step of an element's earlier step and the one at the end. The element is left where it was until the
   * end; the steps in between are told as they are without the first.
   * @param {number} last
   */
  _join(last) {
    const [first] = this.steps.splice(last, 1)
    const { now } = /** @type {Step} */ (this.steps.pop())
    let { element, at: there, now: here } = first
    for (let place = last; place < this.steps.length; place++) {
      let step
      ;[step, there, here] = past(this.steps[place], there, here)
      this.steps[place] = step
    }
    if (there === now) this._stepped.delete(element)
    else this.steps.push({ element, at: there, now })
  }
}

/**
 * A step in a list in which one element is not `here` but still `there`, and where that is afterwards.
 * @param {Step} step
 * @param {number} there
 * @param {number} here
 * @returns {[Step, number, number]}
 */
function past({ element, at, now }, there, here) {
  if (at !== NOWHERE) {
    const bare = at - Number(here < at) // the index in the list without that element
    here -= Number(at < here)
    at = bare + Number(there <= bare)
    there -= Number(at < there)
  }
  if (now !== NOWHERE) {
    const bare = now - Number(here < now)
    here += Number(now <= here)
    now = bare + Number(there < bare)
    there += Number(now <= there)
  }
  return [{ element, at, now }, there, here]
}
