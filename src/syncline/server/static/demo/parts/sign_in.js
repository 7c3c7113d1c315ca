// The form to sign in, over the page until somebody did.

import { el } from './dom.js'

/**
 * Asks until somebody is signed in.
 * @param {import('./tokens.js').Tokens} tokens
 * @param {string} space what stands in the form at first
 */
export function signIn(tokens, space) {
  return new Promise((resolve) => {
    const dialog = form(tokens, space, () => {
      dialog.close()
      dialog.remove()
      resolve(undefined)
    })
    document.body.append(dialog)
    dialog.showModal()
  })
}

function form(tokens, space, done) {
  const wrong = el('p', { class: 'wrong', role: 'alert' })
  const code = field('code', 'Code of the second factor', { autocomplete: 'one-time-code', inputmode: 'numeric' })
  code.hidden = true
  const button = el('button', { class: 'primary' }, 'Sign in')

  const submit = async (event) => {
    event.preventDefault()
    button.disabled = true
    try {
      await tokens.signIn(Object.fromEntries(new FormData(event.target)))
      done()
    } catch (error) {
      if (error.code === 'second_factor_required') code.hidden = false
      wrong.textContent = error.code ? error.message : 'The server cannot be reached.'
    } finally {
      button.disabled = false
    }
  }
  return el('dialog', { class: 'sign-in', 'aria-labelledby': 'sign-in', oncancel: (event) => event.preventDefault() },
    el('form', { onsubmit: submit },
      el('h2', { id: 'sign-in' }, 'Sign in'),
      el('p', {}, 'This server asks who you are. What you do here works without a network afterwards.'),
      field('space', 'Space', { value: space, required: true, autocomplete: 'organization', spellcheck: 'false' }),
      field('user', 'Name', { required: true, autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false' }),
      field('password', 'Password', { type: 'password', required: true, autocomplete: 'current-password' }),
      code, wrong, button))
}

function field(name, label, more) {
  const id = `sign-in-${name}`
  return el('div', {}, el('label', { for: id }, label), el('input', { id, name, ...more }))
}
