// Dragging a row to another place, with a mouse, a pen or a finger.

/**
 * Follows the pointer until it is let go.
 * @param {PointerEvent} event
 * @param {HTMLElement} row
 * @param {(before: Element | null) => void} dropped called with the row that it now stands before; null: it is the last
 */
export function drag(event, row, dropped) {
  if (event.button !== 0) return
  const list = /** @type {HTMLElement} */ (row.parentElement)
  const grip = /** @type {HTMLElement} */ (event.currentTarget)
  const from = row.nextElementSibling
  grip.setPointerCapture(event.pointerId)
  row.classList.add('moving')

  // The others step aside: if the row itself were moved in the document, the pointer would be lost.
  const follow = ({ clientY }) => {
    while (row.previousElementSibling && clientY < middleOf(row.previousElementSibling)) row.after(row.previousElementSibling)
    while (row.nextElementSibling && clientY > middleOf(row.nextElementSibling)) row.before(row.nextElementSibling)
  }
  const end = (isDropped) => {
    row.classList.remove('moving')
    grip.onpointermove = grip.onpointerup = grip.onpointercancel = null
    const before = row.nextElementSibling
    if (!isDropped) list.insertBefore(row, from)
    else if (before !== from) dropped(before)
  }
  grip.onpointermove = follow
  grip.onpointerup = () => end(true)
  grip.onpointercancel = () => end(false)
}

function middleOf(element) {
  const { top, height } = element.getBoundingClientRect()
  return top + height / 2
}
