// Over anything that carries texts between two programs: a MessagePort, a BroadcastChannel or a worker with one other
// end, or an RTCDataChannel. One end asks (`ChannelTransport`), the other answers (`serve`).
//
// A message goes in frames, because data channels carry only so much at once: the last begins with '.', others with '+'.

import { SynclineError } from '../errors.js'
import { decodeRequest } from '../core/requests.js'
import { encode, errorMessage } from '../core/messages.js'
import { LineTransport } from './line.js'

/** @typedef {import('../core/messages.js').Live} Live */
/** @typedef {import('./line.js').Wire} Wire */
/** @typedef {import('./memory.js').Answering} Answering */

/** @typedef {{ postMessage: (message: any) => void, start?: () => void }} Posting */
/** @typedef {{ send: (text: string) => void, readyState: string }} Sending */
/**
 * What carries: texts that one end posts or sends arrive at the other as `data` of `message` events. Whoever opened it
 * closes it.
 * @typedef {(Posting | Sending) & Pick<EventTarget, 'addEventListener' | 'removeEventListener'>} Channel
 */

const FRAME_CHARS = 16_000 // at most 48 kB; every browser takes 64

/** @param {Channel} channel @param {string} text */
function put(channel, text) {
  for (let start = 0; start < text.length; start += FRAME_CHARS) {
    const frame = (start + FRAME_CHARS < text.length ? '+' : '.') + text.slice(start, start + FRAME_CHARS)
    if ('postMessage' in channel) channel.postMessage(frame)
    else channel.send(frame)
  }
}

/**
 * Calls with each message that arrives, and when the channel closes; returns the way to stop.
 * @param {Channel} channel @param {(text: string) => void} call @param {() => void} onClose
 */
function receive(channel, call, onClose) {
  let text = ''
  const onMessage = (/** @type {any} */ { data }) => {
    if (typeof data !== 'string') return
    text += data.slice(1)
    if (data[0] === '+') return
    const whole = text
    text = ''
    call(whole)
  }
  channel.addEventListener('message', onMessage)
  channel.addEventListener('close', onClose)
  if ('start' in channel) channel.start?.()
  return () => {
    channel.removeEventListener('message', onMessage)
    channel.removeEventListener('close', onClose)
  }
}

/** The end that asks. */
export class ChannelTransport extends LineTransport {
  /** @param {Channel} channel */
  constructor(channel) {
    super()
    this._channel = channel
  }

  /** @override @returns {Promise<Wire>} */
  async _connect() {
    const channel = this._channel
    /** @type {Wire} */
    const wire = { onmessage: null, onclose: null, onerror: null, send: (text) => put(channel, text), close: () => stop() }
    const stop = receive(channel, (data) => wire.onmessage?.({ data }), () => wire.onclose?.(null))
    return wire
  }
}

/**
 * Answers what arrives on a channel; returns the way to stop. It also ends when the channel closes.
 * @param {Channel} channel @param {Answering} peer
 */
export function serve(channel, peer) {
  const ending = new AbortController()
  const { signal } = ending
  let last = Promise.resolve() // one answer after the other
  const stop = receive(channel, (text) => void (last = last.then(() => take(text))), () => ending.abort())
  signal.addEventListener('abort', stop)
  const say = (/** @type {string} */ text) => signal.aborted || put(channel, text)

  let telling = new AbortController()

  /** @param {string} text */
  async function take(text) {
    const type = typeOf(text)
    if (type === 'hello') telling.abort() // whoever was told before has gone
    if (type === 'live') void tell(text)
    else if (type !== 'pong') say(await peer.answer(text))
  }

  /** @param {string} text */
  async function tell(text) {
    telling.abort()
    const { signal: ended } = (telling = new AbortController())
    try {
      const live = /** @type {Live} */ (decodeRequest(text))
      for await (const page of peer.follow(live)) {
        if (ended.aborted || signal.aborted) return
        say(page)
      }
    } catch (error) {
      say(encode(errorMessage(error instanceof SynclineError ? error : new SynclineError('internal', String(error)))))
    }
  }
  return () => ending.abort()
}

/** The type of a message; the answer tells what is wrong with one that has none. @param {string} text */
function typeOf(text) {
  try {
    return JSON.parse(text).type
  } catch {
    return undefined
  }
}
