// The form to sign in, over the page until somebody did; and who did last, for the next time.

import { signedIn } from '../../sdk/syncline.js'
import { el } from './dom.js'
import { recall, remember } from './memory.js'

/**
 * Who sits at this browser.
 * @typedef {object} Seat
 * @property {string} space
 * @property {string} user
 * @property {any} [token] a source of tokens; none if the session has ended
 */

/** Whoever signed in last and did not sign out. @param {URL} server @returns {Promise<Seat | null>} */
export async function lastSeat(server) {
  const seat = await recall(keyOf(server))
  if (!seat) return null
  const token = await signedIn({ server: server.href, space: seat.space, storage: localStorage }).catch(() => undefined)
  return { ...seat, token }
}

/** @param {URL} server @param {Seat} seat */
export async function signOut(server, { token }) {
  await remember(keyOf(server), null)
  await token?.signOut().catch(() => {}) // without a network the session ends by itself, later
}

const keyOf = (server) => `seat:${server.pathname}`

/**
 * Asks until somebody has signed in.
 * @param {URL} server
 * @param {{ space: string, user?: string }} given what stands in the form at first; a user who is given stays
 * @returns {Promise<Seat>}
 */
export function signIn(server, given) {
  return new Promise((resolve) => {
    const dialog = form(given, async (answers) => {
      const token = await signedIn({ server: server.href, storage: localStorage, ...answers })
      const seat = { space: answers.space, user: token.user }
      await remember(keyOf(server), seat)
      dialog.close()
      dialog.remove()
      resolve({ ...seat, token })
    })
    document.body.append(dialog)
    dialog.showModal()
  })
}

function form({ space, user }, answer) {
  const wrong = el('p', { class: 'wrong', role: 'alert' })
  const code = field('code', 'Code of the second factor', { autocomplete: 'one-time-code', inputmode: 'numeric' })
  code.hidden = true
  const button = el('button', { class: 'primary' }, 'Sign in')
  const fixed = user !== undefined

  const submit = async (event) => {
    event.preventDefault()
    button.disabled = true
    try {
      await answer(Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== '')))
    } catch (error) {
      if (error.code === 'second_factor_required') code.hidden = false
      wrong.textContent = error.message
    } finally {
      button.disabled = false
    }
  }
  return el('dialog', { class: 'sign-in', 'aria-labelledby': 'sign-in', oncancel: (event) => event.preventDefault() },
    el('form', { onsubmit: submit },
      el('h2', { id: 'sign-in' }, 'Sign in'),
      el('p', {}, 'This server asks who you are. What you do here works without a network afterwards.'),
      field('space', 'Space', { value: space, required: true, readonly: fixed, autocomplete: 'organization', spellcheck: 'false' }),
      field('user', 'Name', { value: user ?? '', required: true, readonly: fixed, autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false' }),
      field('password', 'Password', { type: 'password', required: true, autocomplete: 'current-password' }),
      code, wrong, button))
}

function field(name, label, more) {
  const id = `sign-in-${name}`
  return el('div', {}, el('label', { for: id }, label), el('input', { id, name, ...more }))
}
