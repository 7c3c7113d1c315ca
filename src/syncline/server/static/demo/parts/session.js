// Who is here, and the replica that is theirs: open before the server was asked, if it was seen before.

import { open } from '../../sdk/syncline.js'
import { byId } from './dom.js'
import { recall, remember } from './memory.js'
import { lastSeat, signIn, signOut } from './sign_in.js'

/** Where the server is, also below the path of a host app. */
const server = new URL('../../', import.meta.url)
const GREETING = `greeting:${server.pathname}`
const NAME = 'syncline-demo-name'
const ANYONE = 'anyone'
const CLOSED = { mode: 'closed', user: null }

/**
 * How the server greets a page that shows no credentials.
 * @typedef {object} Greeting
 * @property {string} mode `closed` (it asks for them), `known` (a host app's own will do), `open`, or `demo`
 * @property {string | null} user who one is to it then
 */

/** @returns {Promise<Greeting>} what it says now; without a network what it said last */
async function greet() {
  const answer = await fetch(new URL('v1/auth/me', server)).catch(() => null)
  const isClosed = answer?.status === 401
  const greeting = answer?.ok ? modeOf(answer, (await answer.json()).user) : isClosed ? CLOSED : null
  if (greeting) await remember(GREETING, greeting)
  return greeting ?? (await recall(GREETING)) ?? CLOSED
}

function modeOf(answer, user) {
  const isDemo = answer.headers.has('X-Syncline-Demo')
  return { mode: isDemo ? 'demo' : user === ANYONE ? 'open' : 'known', user }
}

/** The last greeting, so that nothing waits for the network; if it turns out to be another, the page begins anew. */
async function greeting() {
  const last = await recall(GREETING)
  if (!last) return greet()
  greet().then((now) => (now.mode !== last.mode || now.user !== last.user) && location.reload())
  return last
}

/** The replica of whoever is here, open and live; and what they are called. */
export async function enter() {
  const { mode, user } = await greeting()
  const asked = new URL(location.href).searchParams.get('space') ?? 'default'
  const isClosed = mode === 'closed'
  const seat = isClosed ? ((await lastSeat(server)) ?? (await signIn(server, { space: asked }))) : { space: asked, user }

  const replica = `demo:${server.pathname}:${seat.space}:${seat.user}`
  const notes = await open(await lastOf(replica), { server: server.href, space: seat.space, token: seat.token })
  notes.start()
  addEventListener('beforeunload', (event) => notes.status().unsaved && event.preventDefault())
  if (isClosed) stayIn(notes, seat)
  showBanner(mode)
  const name = seat.user === ANYONE ? guestName() : seat.user
  return { notes, name, space: seat.space, beginAnew: () => beginAnew(replica) }
}

/** The name of the replica in use: a new one was begun when the server's log was made anew. */
const lastOf = async (replica) => `${replica}${(await recall(`anew:${replica}`)) ?? ''}`

/** Leaves a replica whose log the server no longer has, as it is, and begins another. */
async function beginAnew(replica) {
  await remember(`anew:${replica}`, `:${Date.now()}`)
  location.reload()
}

/** When the server wants credentials anew, so do we; what was done meanwhile waits. */
function stayIn(notes, seat) {
  let isAsking = false
  notes.watchStatus(async ({ state }) => {
    if (state !== 'needs_auth' || isAsking) return
    isAsking = true
    Object.assign(seat, await signIn(server, seat))
    notes.signIn(seat.token)
    isAsking = false
  })
  const button = byId('leave')
  button.hidden = false
  button.onclick = async () => {
    await notes.close()
    await signOut(server, seat)
    location.reload()
  }
}

function showBanner(mode) {
  const banner = byId('banner')
  banner.hidden = mode !== 'demo' && mode !== 'open'
  banner.textContent = mode === 'demo'
    ? 'Demo: nobody is asked who they are, and all of it is deleted when the server stops.'
    : 'This server is open: whoever reaches it may read and write.'
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
