// Who is here, and the replica that is theirs: opened before the server was asked, if it was seen before.

import { open } from '../../sdk/syncline.js'
import { byId } from './dom.js'
import { signIn } from './sign_in.js'
import { Tokens } from './tokens.js'

/** Where the server is, also below the path of a host app. */
export const server = new URL('../../', import.meta.url)
const KEY = `syncline-demo-session:${server.pathname}`
const MODE = `syncline-demo-mode:${server.pathname}`
const NAME = 'syncline-demo-name'

/** How this server greets people without credentials: `open`, `demo` or `closed`. Remembered for when it is away. */
async function greet() {
  try {
    const answer = await fetch(new URL('v1/auth/me', server))
    if (answer.status === 200 || answer.status === 401) {
      const mode = answer.ok ? (answer.headers.has('X-Syncline-Demo') ? 'demo' : 'open') : 'closed'
      localStorage.setItem(MODE, mode)
    }
  } catch {
    // without a network it is what it was
  }
  return localStorage.getItem(MODE) ?? 'closed'
}

/** The open replica of whoever is here, live; and what they are called. */
export async function enter() {
  const tokens = new Tokens(server, KEY)
  const seen = localStorage.getItem(MODE)
  const mode = seen === null || (seen === 'closed' && !tokens.kept) ? await greet() : seen
  if (seen === mode) greet().then((now) => now !== mode && location.reload())
  const asked = new URL(location.href).searchParams.get('space') ?? 'default'
  if (mode === 'closed' && !tokens.kept) await signIn(tokens, asked)
  const { space, user } = mode === 'closed' ? tokens.kept : { space: asked, user: null }

  const token = mode === 'closed' ? tokens.fresh : undefined
  const notes = await open(`demo:${server.pathname}:${space}:${user ?? ''}`, { server: server.href, space, token })
  notes.start()
  if (mode === 'closed') askAgain(notes, tokens, space)
  showBanner(mode)
  showLeave(notes, mode === 'closed' ? tokens : null)
  return { notes, name: user ?? guestName(), space }
}

/** When the server wants credentials anew, so do we; what was done meanwhile waits. */
function askAgain(notes, tokens, space) {
  let isAsking = false
  notes.watchStatus(async () => {
    if (notes.status().state !== 'needs_auth' || isAsking) return
    isAsking = true
    await signIn(tokens, space)
    notes.signIn(tokens.fresh)
    isAsking = false
  })
}

function showBanner(mode) {
  const banner = byId('banner')
  banner.hidden = mode === 'closed'
  banner.textContent = mode === 'demo'
    ? 'Demo: nobody is asked who they are, and all of it is deleted when the server stops.'
    : 'This server is open: whoever reaches it may read and write.'
}

function showLeave(notes, tokens) {
  const button = byId('leave')
  button.hidden = tokens === null
  button.onclick = async () => {
    if (notes.status().pending) await notes.sync()
    await notes.close()
    await tokens.signOut()
    location.reload()
  }
}

const ADJECTIVES = ['Quiet', 'Bright', 'Swift', 'Gentle', 'Merry', 'Brave', 'Clever', 'Calm']
const ANIMALS = ['Otter', 'Heron', 'Lynx', 'Badger', 'Wren', 'Fox', 'Seal', 'Hare']

/** A guest's name, made up once for this browser. */
function guestName() {
  const pick = (words) => words[Math.floor(Math.random() * words.length)]
  const name = localStorage.getItem(NAME) ?? `${pick(ADJECTIVES)} ${pick(ANIMALS)}`
  localStorage.setItem(NAME, name)
  return name
}
