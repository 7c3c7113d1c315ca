// What changed, for people: two texts with what went and what came marked, and a patch as a list of lines.

import { el } from './dom.js'

/** Splits two texts into what is alike at both ends and what differs between. @param {string} one @param {string} other */
export function split(one, other) {
  const limit = Math.min(one.length, other.length)
  let start = 0
  while (start < limit && one[start] === other[start]) start++
  if (isInsidePair(one, start) || isInsidePair(other, start)) start--
  let end = 0
  while (end < limit - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end++
  if (isInsidePair(one, one.length - end) || isInsidePair(other, other.length - end)) end--
  return { start, gone: one.slice(start, one.length - end), come: other.slice(start, other.length - end), end }
}

const isInsidePair = (text, index) => /[\uDC00-\uDFFF]/.test(text[index] ?? '') && /[\uD800-\uDBFF]/.test(text[index - 1] ?? '')

/** A text with the difference to the one before it marked, in whole words. @param {string} before @param {string} after */
export function marked(before, after) {
  let { start, gone, come, end } = split(before, after)
  const head = /\S*$/.exec(after.slice(0, start))[0]
  const tail = /^\S*/.exec(after.slice(after.length - end))[0]
  start -= head.length
  end -= tail.length
  gone = gone && head + gone + tail
  come = come && head + come + tail
  return [
    after.slice(0, start),
    gone ? el('del', {}, gone) : null,
    come ? el('ins', {}, come) : null,
    after.slice(after.length - end),
  ].filter((part) => part !== null && part !== '')
}

/**
 * Lines for what differs between two states: the keys in `labels`, in their order.
 * @param {Record<string, any> | null} before
 * @param {Record<string, any>} after
 * @param {Record<string, ((value: any) => string) | null>} labels how each key's value reads; null: only that it changed
 */
export function lines(before, after, labels) {
  return Object.entries(labels).flatMap(([key, read]) => {
    const [one, other] = [before?.[key], after[key]]
    if (one === other || (!read && (one === undefined || other === undefined))) return []
    const texts = [one, other].map((value) => (value === undefined || !read ? '' : read(value)))
    if (read && texts[0] === texts[1]) return [] // nothing, and empty
    return [line(key, read ? marked(texts[0], texts[1]) : ['changed'])]
  })
}

const line = (name, what) => el('li', {}, el('span', { class: 'name' }, name), el('span', { class: 'what' }, ...what))
