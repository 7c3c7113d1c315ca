/**
 * A B+-tree over the runs of a sequence, whose nodes count what is visible below them.
 *
 * @typedef {import('./runs.js').Run} Run
 * @typedef {{parent: Node | null, children: any[], visible: number}} Node its children are runs or nodes
 */

const FANOUT = 32

/**
 * A node with these children.
 * @param {Node | null} parent
 * @param {any[]} children
 * @returns {Node}
 */
export function node(parent, children) {
  const made = { parent, children, visible: 0 }
  for (const child of children) {
    made.visible += child.visible
    child.parent = made
  }
  return made
}

/**
 * Makes something a run's, or a node's, next sibling. It is counted already.
 * @param {any} sibling
 * @param {any} added
 */
export function adopt(sibling, added) {
  const parent = (added.parent = sibling.parent)
  const { children } = parent
  children.splice(children.indexOf(sibling) + 1, 0, added)
  if (children.length <= FANOUT) return
  let left = parent
  if (!left.parent) parent.children = [(left = node(parent, children))] // the root stays, and what it had goes down
  const right = node(null, children.splice(FANOUT / 2))
  left.visible -= right.visible
  adopt(left, right)
}

/**
 * Adds to what is visible below a node and those above it.
 * @param {Node | null} node
 * @param {number} change
 */
export function addVisible(node, change) {
  for (; node; node = node.parent) node.visible += change
}

/** @param {Run} run */
export function visibleBefore(run) {
  let before = 0
  for (let found = /** @type {any} */ (run); found.parent; found = found.parent) {
    for (const sibling of found.parent.children) {
      if (sibling === found) break
      before += sibling.visible
    }
  }
  return before
}
