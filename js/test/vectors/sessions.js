// The vectors of messages, and of both halves of a session.

import { encode as encodeCanonical } from '../../src/core/canonical.js'
import { Event } from '../../src/core/events.js'
import { decodeAnswer, encode } from '../../src/core/messages.js'
import { decodeRequest, stateOf } from '../../src/core/requests.js'
import { ServerSession } from '../../src/core/server_session.js'
import { ClientSession } from '../../src/core/session.js'
import { fromWire } from '../../src/errors.js'
import { codeOf, each, same } from './running.js'

/**
 * @typedef {import('./running.js').Read} Read
 * @typedef {import('./running.js').Test} Test
 */

/** @param {Test} test @param {Read} read */
export function sessions(test, read) {
  messages(test, read('messages'))
  each(test, 'a replica’s half', read('session_client').traces, replay)
  each(test, 'a server’s half', read('session_server').traces, serve)
}

/** A message as JSON with every member. @param {any} message */
function full(message) {
  return JSON.parse(encode(message))
}

/** Whether a value says nothing that another does not say too. @param {any} part @param {any} whole @returns {boolean} */
function isWithin(part, whole) {
  if (typeof part !== 'object' || part === null) return part === whole
  if (Array.isArray(part) !== Array.isArray(whole) || (Array.isArray(part) && part.length !== whole.length)) return false
  return Object.keys(part).every((name) => Object.hasOwn(whole, name) && isWithin(part[name], whole[name]))
}

/** @param {Test} test @param {any} vectors */
function messages(test, vectors) {
  for (const [kind, read] of /** @type {[string, (text: string) => any][]} */ ([
    ['requests', decodeRequest],
    ['answers', decodeAnswer],
  ])) {
    each(test, kind, vectors[kind], (given) => {
      const said = Object.fromEntries(Object.entries(given.full).filter(([, value]) => value !== null))
      for (const spelled of [given.message, said]) {
        const message = read(JSON.stringify(spelled))
        same(full(message), given.full)
        same(full(read(encode(message))), given.full)
        const written = JSON.parse(encode(message))
        same([isWithin(given.message, written), isWithin(written, given.full)], [true, true])
      }
    })
  }
  each(test, 'no requests', vectors.refused_requests, ({ text, code }) => same(codeOf(() => decodeRequest(text)), code))
  each(test, 'no answers', vectors.refused_answers, (text) => same(codeOf(() => decodeAnswer(text)), 'internal'))
  each(test, 'tolerated requests', vectors.tolerated, (given) => same(full(decodeRequest(given.text)), given.full))
  each(test, 'states of presences', vectors.states, ({ text, canonical, code }) => {
    same(decodeRequest(text).type, 'presence')
    if (code) same(codeOf(() => stateOf(text)), code)
    else same(stateOf(text), canonical)
  })
}

/** @param {any} trace */
function replay({ options, events: values, steps }) {
  const events = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new Event(value)]))
  const names = new Map(Object.entries(events).map(([name, event]) => [event.body, name]))
  const { batch_size: batchSize, gives_all: givesAll, ...others } = options
  const client = new ClientSession({ space: 'home', ...others, batchSize, givesAll })
  for (const step of steps) {
    if (step.next) {
      const pending = step.next.pending.map((/** @type {string} */ name) => events[name])
      const offers = step.next.offers?.map((/** @type {any} */ offer) => offerOf(events, offer))
      same(stepOf(client.next({ ...step.next, pending, offers }), names), step.step)
    } else if (step.raises) same(codeOf(() => client.receive(decodeAnswer(JSON.stringify(step.receive)))), step.raises)
    else if (step.receive) {
      same(client.receive(decodeAnswer(JSON.stringify(step.receive))).map((effect) => effectOf(effect, names)), step.effects)
    } else if (step.live) client.live = true
    else if (step.gives_all) client.givesAll = true
    else if ('withholds' in step) same(client.withholds, step.withholds)
    else if ('held' in step) same(client.heldSeconds, step.held)
    else if (step.renew) client.renew(step.renew)
    else if ('lasts' in step) same(client.lastsMs, step.lasts)
    else if (step.release) client.release()
    else throw new Error(`Nobody knows this step: ${JSON.stringify(step)}`)
  }
}

/** @param {Record<string, Event>} events @param {any} offer */
function offerOf(events, { event: name, ...voucher }) {
  const event = new Event(events[name].value)
  if (voucher.digest) event.keepDigest(voucher.digest)
  return { event, voucher }
}

/** @param {any} step @param {Map<string, string>} names */
function stepOf(step, names) {
  if (!step) return null
  const { type, node, space, token, cursor, limit, items } = step
  if (type === 'hello') return { hello: { node, space, token } }
  if (type === 'push') return { push: JSON.parse(step.events).map((/** @type {any} */ event) => names.get(encodeCanonical(event))) }
  if (type === 'give') {
    const entries = JSON.parse(step.entries)
    for (const entry of entries) entry.event = names.get(encodeCanonical(entry.event))
    return { give: { epoch: step.epoch, entries } }
  }
  if (type === 'pull') return { pull: { cursor, limit, items } }
  return type === 'auth' ? { auth: token } : { restamp: step.nowMs }
}

/** @param {any} effect @param {Map<string, string>} names */
function effectOf({ type, ...effect }, names) {
  const name = (/** @type {Event} */ event) => names.get(event.body)
  switch (type) {
    case 'rewind':
      return { rewind: effect.head }
    case 'settle':
    case 'given':
      return { [type]: effect.answers.map((/** @type {[Event, any]} */ [event, answer]) => [name(event), answer.code ?? answer]) }
    case 'apply':
      return { apply: effect.page.cursor }
    case 'mark_copied':
      return { mark_copied: name(effect.event) }
    case 'wait':
      return { wait: effect.seconds }
    case 'meet':
      return { meet: effect.peers }
  }
  return { [type]: true }
}

/** @param {any} trace */
function serve({ steps }) {
  const server = new ServerSession()
  for (const { unfollow, welcome, reject, receive, deeds } of steps) {
    if (unfollow) server.unfollow()
    else {
      const done = welcome ? server.welcome(welcome) : reject ? server.reject(fromWire(reject)) : server.receive(receive)
      same(done.map(deedOf), deeds.map(meant))
    }
  }
}

/** @param {any} deed */
function deedOf({ type, ...deed }) {
  if (type === 'commit') return { commit: { ref: deed.ref, events: JSON.parse(deed.events) } }
  if (type === 'close') return { close: [deed.code, deed.reason] }
  if (type === 'reauthenticate') return { reauthenticate: deed }
  if (type !== 'send') return { [type]: deed.hello ?? deed.pull ?? deed.live ?? (deed.inquiry && full(deed.inquiry)) ?? deed.presence }
  const message = JSON.parse(deed.text)
  if (message.type === 'error') return { send_error: { code: message.code, ref: message.ref } }
  return meant({ send: message })
}

/** A deed of which a message is part, with every member: a writer may leave out what has its default. @param {any} deed */
const meant = (deed) => (deed.send ? { send: full(decodeAnswer(JSON.stringify(deed.send))) } : deed)
