// Who is here: one face for each person, from the presences that are told over the connection.

import { byId, el } from './dom.js'

const HUES = ['#0b6a66', '#8a3ffc', '#b3411e', '#1f5fbf', '#a3246b', '#5b6b00', '#7a4b16', '#3d4ed1']

/** A colour for a name, always the same. @param {string} name */
export function colourOf(name) {
  let sum = 0
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) >>> 0
  return HUES[sum % HUES.length]
}

const initials = (name) => name.split(/\s+/).map((word) => [...word][0] ?? '').slice(0, 2).join('').toUpperCase()

/**
 * The face of somebody, as an item of a list.
 * @param {string} name
 * @param {boolean} [isMe]
 */
export function face(name, isMe = false) {
  const shown = el('li', { title: isMe ? `${name} (you)` : name },
    el('span', { 'aria-hidden': 'true' }, initials(name)),
    el('span', { class: 'hidden' }, isMe ? `${name}, you` : name))
  shown.style.setProperty('--who', colourOf(name))
  return shown
}

/** One face for all devices of a user; where nobody is asked who they are, for each browser. */
const whoIs = ({ user, node }) => (user === 'anyone' ? node : user)

export class People {
  /**
   * @param {any} notes
   * @param {string} name what others see of this one
   * @param {(peers: any[]) => void} [tell] called with everybody else, whenever that changes
   */
  constructor(notes, name, tell = () => {}) {
    this.notes = notes
    this.presence = notes.presence
    this.name = name
    this.tell = tell
    this.presence.watch((peers) => this._show(peers))
    this.say({})
  }

  /** Where this one is. @param {object} place @param {string | null} [item] the document it is about */
  say(place, item = null) {
    this.presence.set({ name: this.name, ...place }, item)
  }

  _show(all) {
    const peers = all.filter((peer) => typeof peer.state?.name === 'string')
    const others = new Map(peers.filter((peer) => !this._isMe(peer)).map((peer) => [whoIs(peer), peer.state.name.slice(0, 40)]))
    const faces = [...others.values()].slice(0, 5).map((name) => face(name))
    byId('people').replaceChildren(face(this.name, true), ...faces)
    this.tell(peers)
  }

  /** Another tab of this browser, or another device of this user. */
  _isMe(peer) {
    return peer.node === this.notes.node || whoIs(peer) === this.notes.user
  }
}
