// Who is here, and the replica that is theirs: opened before the server was asked, if it was seen before.

import { open } from '../../sdk/syncline.js'
import { byId } from './dom.js'
import { signIn } from './sign_in.js'
import { Tokens } from './tokens.js'

/** Where the server is, also below the path of a host app. */
export const server = new URL('../../', import.meta.url)
const KEY = `syncline-demo-session:${server.pathname}`
const GREETING = `syncline-demo-greeting:${server.pathname}`
const NAME = 'syncline-demo-name'
const ANYONE = 'anyone'

/**
 * How this server greets a page that shows no credentials; remembered for when it is away.
 *
 * `mode`: `closed` (it asks for them), `known` (a host app's own), `open`, or `demo`. `user`: who one is to it then.
 * @returns {Promise<{ mode: string, user: string | null }>}
 */
async function greet() {
  try {
    const answer = await fetch(new URL('v1/auth/me', server))
    if (answer.ok) remember(answer.headers.has('X-Syncline-Demo'), (await answer.json()).user)
    else if (answer.status === 401) localStorage.setItem(GREETING, JSON.stringify({ mode: 'closed', user: null }))
  } catch {
    // without a network it is what it was
  }
  return remembered() ?? { mode: 'closed', user: null }
}

function remember(isDemo, user) {
  const mode = isDemo ? 'demo' : user === ANYONE ? 'open' : 'known'
  localStorage.setItem(GREETING, JSON.stringify({ mode, user }))
}

const remembered = () => JSON.parse(localStorage.getItem(GREETING) ?? 'null')

/** The open replica of whoever is here, live; and what they are called. */
export async function enter() {
  const tokens = new Tokens(server, KEY)
  const { mode, user: known } = await greeting(tokens)
  const isClosed = mode === 'closed'
  const asked = new URL(location.href).searchParams.get('space') ?? 'default'
  if (isClosed && !tokens.kept) await signIn(tokens, asked)
  const { space, user } = isClosed ? tokens.kept : { space: asked, user: known }

  const name = `demo:${server.pathname}:${space}:${user}`
  const notes = await open(name, { server: server.href, space, token: isClosed ? tokens.fresh : undefined })
  notes.start()
  if (isClosed) askAgain(notes, tokens, space)
  showBanner(mode)
  showLeave(notes, isClosed ? tokens : null)
  return { notes, name: user === ANYONE ? guestName() : user, space }
}

/** The last greeting, so that nothing waits for the network; if it turns out to be another, the page begins anew. */
async function greeting(tokens) {
  const last = remembered()
  if (!last || (last.mode === 'closed' && !tokens.kept)) return greet()
  greet().then((now) => (now.mode !== last.mode || now.user !== last.user) && location.reload())
  return last
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
  banner.hidden = mode !== 'demo' && mode !== 'open'
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
