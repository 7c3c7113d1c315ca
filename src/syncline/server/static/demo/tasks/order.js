// Places in a list as texts: between any two there is another, and who moves a task changes no other task.

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const STEP = 4

/**
 * A place between two others, a little different each time, so that two who choose apart choose differently.
 * @param {string} low '' for the beginning
 * @param {string | null} high null for the end
 * @param {() => number} [random]
 */
export function between(low, high, random = Math.random) {
  for (let place = '', i = 0; ; i++) {
    const [from, to] = [digit(low, i, 0), digit(high ?? '', i, DIGITS.length)]
    const room = to - from - 1
    if (room > 0) return place + DIGITS[chosen(from, room, low === '', high === null, random)]
    place += DIGITS[from]
    if (to > from) high = null
  }
}

const digit = (text, i, otherwise) => (i < text.length ? DIGITS.indexOf(text[i]) : otherwise)

/** At an open end near the neighbour, so that places stay short when tasks are added one after the other. */
function chosen(from, room, isFirst, isLast, random) {
  const step = Math.floor(random() * Math.min(STEP, room))
  if (isLast && !isFirst) return from + 1 + step
  if (isFirst && !isLast) return from + room - step
  return from + 1 + Math.floor(random() * room)
}

/** Sorts documents, or rows, by their place; of two at the same place the one with the smaller item is first. */
export const inOrder = (one, other) => compare(one.plain.order ?? '', other.plain.order ?? '') || compare(one.item, other.item)

const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0)
