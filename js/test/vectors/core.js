// The vectors of canonical JSON, events, stamps, clocks, the log, cursors, patterns and access.

import { Rules } from '../../src/core/access/rules.js'
import { checkRule } from '../../src/core/access/shapes.js'
import { View, differences } from '../../src/core/access/views.js'
import { decodeEvents, eventOf } from '../../src/core/batch.js'
import { digest, encode, sizeOf } from '../../src/core/canonical.js'
import { VectorClock } from '../../src/core/clocks.js'
import { CursorCodec, checkPlace } from '../../src/core/cursor_codec.js'
import { thin } from '../../src/core/cursors.js'
import { decode } from '../../src/core/decoding.js'
import { NO_TAIL, Receipts, link } from '../../src/core/log.js'
import { check, matcher } from '../../src/core/patterns.js'
import { fromHex } from '../../src/core/sha256.js'
import { NIL_ID, Stamp, StampClock, driftLimit, nodeHash } from '../../src/core/stamps.js'
import { codeOf, each, same } from './running.js'

/**
 * @typedef {import('./running.js').Read} Read
 * @typedef {import('./running.js').Test} Test
 */

const DEPTH = 64

/** @param {Test} test @param {Read} read */
export function core(test, read) {
  canonical(test, read('canonical'))
  decoding(test, read('decoding'))
  events(test, read('events'))
  stamps(test, read('stamps'))
  clocks(test, read('clocks'))
  log(test, read('log'))
  cursors(test, read('cursors'))
  patterns(test, read('patterns'))
  access(test, read('access'))
}

/** @param {string} bits */
const double = (bits) => new DataView(fromHex(bits).buffer).getFloat64(0)

/** @param {Test} test @param {any} vectors */
function canonical(test, vectors) {
  each(test, 'numbers', [...vectors.numbers, ...vectors.more_numbers], ({ bits, text }) => {
    same(encode(double(bits)), text)
    same(encode(decode(text, DEPTH)), text)
    same(encode(JSON.parse(text)), text)
  })
  each(test, 'no numbers', vectors.no_numbers, (bits) => same(codeOf(() => encode(double(bits))), 'number_out_of_range'))
  each(test, 'canonical texts', vectors.texts, (given) => {
    const body = encode(decode(given.text, DEPTH))
    same(body, given.canonical)
    same(digest(body), given.digest)
    same(encode(JSON.parse(body)), body)
  })
}

/** @param {Test} test @param {any} vectors */
function decoding(test, vectors) {
  each(test, 'texts that are refused', vectors.refused, ({ hex, text, code }) => {
    same(codeOf(() => decode(hex ? fromHex(hex) : text, vectors.max_depth)), code)
  })
  each(test, 'texts that are read', vectors.read, (given) => {
    same(encode(decode(given.text, vectors.max_depth)), given.canonical)
  })
}

/** By itself, and in a batch: the answer is the same. @param {string} text */
function readEvent(text) {
  const alone = codeOf(() => eventOf(decode(text, DEPTH)))
  const batch = () => decodeEvents(`[${text}]`)
  if (alone) same(codeOf(batch) ?? /** @type {any} */ (batch()[0]).code, alone)
  const event = eventOf(decode(text, DEPTH))
  same(batch(), [event])
  return event
}

/** @param {Test} test @param {any} vectors */
function events(test, vectors) {
  each(test, 'events', vectors.cases, (given) => {
    if (given.code) return same(codeOf(() => readEvent(given.text)), given.code)
    const event = readEvent(given.text)
    same(event.body, given.canonical)
    same(event.digest, given.digest)
  })
  each(test, 'events of a size', vectors.padded, ({ event, character, bytes, code }) => {
    const room = bytes - sizeOf(encode({ ...event, payload: '' }))
    const body = encode({ ...event, payload: character.repeat(room / sizeOf(character)) })
    same(sizeOf(body), bytes)
    same(codeOf(() => readEvent(body)), code)
  })
}

/** @param {Test} test @param {any} vectors */
function stamps(test, vectors) {
  each(test, 'stamps', vectors.parse, ({ id, ms, counter, node_hash, random }) => {
    const stamp = new Stamp(ms, counter, node_hash, random)
    same(Stamp.parse(id), stamp)
    same(String(stamp), id)
  })
  each(test, 'no stamps', vectors.refused, (id) => same(codeOf(() => Stamp.parse(id)), 'invalid_event'))
  each(test, 'node hashes', vectors.node_hash, ({ node, hash }) => same(nodeHash(node), hash))
  each(test, 'stamp clocks', vectors.clocks, ({ node, last, steps }) => {
    const clock = new StampClock(node, last ?? NIL_ID)
    for (const { receive, next, id, code } of steps) {
      if (receive) clock.receive(receive)
      else if (code) same(codeOf(() => clock.next(next[0], next[1])), code)
      else same(clock.next(next[0], next[1]), id)
    }
  })
  each(test, 'drift', vectors.drift, ({ now, refused_from }) => same(driftLimit(now), refused_from))
  test('the order of ids', () => same([...vectors.order].sort(), vectors.order))
}

/** @param {Test} test @param {any} vectors */
function clocks(test, vectors) {
  each(test, 'clocks compare', vectors.compare, ([left, right, ordering]) => {
    same(new VectorClock(left).compare(new VectorClock(right)), ordering)
  })
  each(test, 'clocks merge', vectors.merge, ([left, right, merged]) => {
    same(new VectorClock(left).merge(new VectorClock(right)), merged)
    same(new VectorClock(right).merge(new VectorClock(left)), merged)
  })
  each(test, 'texts of clocks', vectors.texts, ({ text, clock }) => {
    same(VectorClock.parse(text), clock)
    same(String(new VectorClock(clock)), text)
  })
  each(test, 'no texts of clocks', vectors.refused_texts, (text) => same(codeOf(() => VectorClock.parse(text)), 'invalid_event'))
  each(test, 'no clocks', vectors.refused, (clock) => same(codeOf(() => new VectorClock(clock)), 'invalid_event'))
}

/** @param {Test} test @param {any} vectors */
function log(test, vectors) {
  const receipts = new Receipts(fromHex(vectors.key))
  each(test, 'tails', vectors.tails, ({ digests, tail }) => same(digests.reduce(link, NO_TAIL), tail))
  each(test, 'receipts', vectors.receipts, ({ epoch, seq, digest, receipt }) => {
    same(receipts.issue(epoch, seq, digest), receipt)
    same(receipts.verify(epoch, seq, digest, receipt), true)
  })
  each(test, 'forged receipts', vectors.forged, ({ epoch, seq, digest, receipt }) => {
    same(receipts.verify(epoch, seq, digest, receipt), false)
  })
}

/** @param {Test} test @param {any} vectors */
function cursors(test, vectors) {
  const codec = new CursorCodec(fromHex(vectors.key))
  each(test, 'cursors', vectors.cursors, ({ text, ...cursor }) => {
    same(codec.encode(cursor), text)
    same(codec.decode(text), cursor)
  })
  each(test, 'no cursors', vectors.refused, (text) => same(codeOf(() => codec.decode(text)), 'bad_cursor'))
  const { cases, tails, ...head } = vectors.resume
  each(test, 'resuming', cases, (given) => {
    const code = codeOf(() => checkPlace(given, head, (seq) => tails[seq]))
    same(code ? [code] : [undefined, given.seq], [given.code, given.from].slice(0, code ? 1 : 2))
  })
  each(test, 'thinning', vectors.thin, ({ seqs, kept }) => {
    same(seqs.reduce((/** @type {number[]} */ before, /** @type {number} */ seq) => thin([...before, seq]), []), kept)
  })
}

/** @param {Test} test @param {any} vectors */
function patterns(test, vectors) {
  each(test, 'patterns', vectors.checked, ({ given, used }) => same(check(given), used))
  each(test, 'no patterns', vectors.refused, (given) => same(codeOf(() => check(given)), 'bad_request'))
  each(test, 'matches', vectors.matches, (given) => same(matcher(check(given.patterns))(given.item), given.matches))
}

/** @param {any} decisions @returns {[string, boolean][]} */
const pairs = (decisions) => Object.entries(decisions)

/** @param {Test} test @param {any} vectors */
function access(test, vectors) {
  each(test, 'shapes of rules', vectors.taken, (rule) => same(checkRule(rule), rule))
  each(test, 'no rules', vectors.refused, (rule) => same(codeOf(() => checkRule(rule)), 'bad_request'))
  each(test, 'deciding', vectors.decided, ({ rules, questions }) => {
    const made = rules.map((/** @type {string[]} */ [user, item, action, type], /** @type {number} */ place) => {
      return { user, item, action, type, seq: place + 1, id: `e${place + 1}` }
    })
    for (const [user, item, action, place] of questions) {
      same(new Rules(made).decide(user, item, action) ?? null, place === null ? null : made[place])
    }
  })
  each(test, 'views', vectors.views, ({ decisions, asked, scope, shown, digest, items }) => {
    const view = View.of(pairs(decisions), asked).narrowed(scope ?? [])
    same(view.decisions, shown)
    same(view.digest, digest)
    for (const [item, isShown] of pairs(items)) same(view.shows(item), isShown)
  })
  each(test, 'differences', vectors.differences, ({ old, new: now, patterns }) => {
    const [one, other] = [old, now].map(([decisions, asked]) => View.of(pairs(decisions), asked))
    same(differences(one, other), patterns)
    same(differences(other, one), patterns)
  })
}

