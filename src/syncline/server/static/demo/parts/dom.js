// Elements made by functions. Whatever somebody typed becomes a text node or a value, never HTML.

const PROPERTIES = new Set(['checked', 'disabled', 'hidden', 'max', 'min', 'textContent', 'value'])

/**
 * An element: `el('li', { class: 'task', onclick: open }, 'words', child)`. Children that are null or false are left out.
 * @param {string} name
 * @param {Record<string, unknown>} [properties] listeners (`on…`), properties, and otherwise attributes
 * @param {...(Node | string | null | false)} children
 */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) set(element, key, value)
  element.append(...children.filter((child) => child !== null && child !== false))
  return element
}

function set(element, key, value) {
  if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
  else if (PROPERTIES.has(key)) element[key] = value
  else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? '' : value)
}

/** The element of this id. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id)

/** A random id, also in pages without a secure context. */
export const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join('')

let silence = 0

/** Says something, to eyes and to screen readers, for a while. @param {string} words */
export function say(words) {
  const said = byId('said')
  clearTimeout(silence)
  said.textContent = words
  silence = setTimeout(() => (said.textContent = ''), 6000)
}
