// What a Merkle tree is made of, and its hashes: nodes as they are told to others, and as they travel.
//
// Entries stand below the 32 hex digits of their ids. A subtree of 16 entries or fewer is a leaf; any other branches at
// the first digit in which its ids differ, so no node has one child, and a hash depends on the entries below it alone:
//
//     empty   SHA-256(0x00)
//     leaf    SHA-256(0x00 + the digests of its events in order of their ids)
//     branch  SHA-256(0x01 + the hashes of its children in order of their digits)

import { fail } from '../../errors.js'
import { fromHex, sha256, toHex } from '../sha256.js'
import { isId } from '../stamps.js'

/** @typedef {import('../messages.js').Summary} Summary */

/**
 * What somebody holds below the prefix `at`. `within` is the longest prefix that all its ids have (of no entries: `at`).
 * A leaf has `mask` 0, its `ids` and their digests in `hashes`. A branch has a bit (1 << digit) for each child, and their
 * hashes in order of the digits. Hashes are hex digits, cut to 12 bytes.
 * @typedef {{at: string, within: string, mask: number, hashes: string[], ids: string[]}} Node
 */

/** So many entries a leaf has at most. */
export const LEAF_ENTRIES = 16
export const DIGITS = '0123456789abcdef'
const KEY_DIGITS = 32
/** So many hex digits of a hash or digest are told. */
export const HASH_DIGITS = 24

const PREFIX = /^[0-9a-f]{0,32}$/

/** @param {string} id */
export const keyOf = (id) => id.replaceAll('-', '')

/** @param {string} key */
export const idOf = (key) => key.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

/** @param {readonly string[]} digests */
export const leafHash = (digests) => toHex(sha256(fromHex('00' + digests.join(''))))

/** @param {readonly string[]} hashes */
export const branchHash = (hashes) => toHex(sha256(fromHex('01' + hashes.join(''))))

/** The prefix and the hash of each child of a branch. @param {Node} node @returns {[string, string][]} */
export function slotsOf({ within, mask, hashes }) {
  const digits = [...DIGITS].filter((_, place) => (mask >> place) & 1)
  return digits.map((digit, place) => [within + digit, hashes[place]])
}

/** The node itself if it has the shape of one. Fails with bad_request. @param {Node} node */
export function checkNode(node) {
  const { at, within, mask, hashes, ids } = node
  const children = mask ? hashes.length : ids.length
  const isGood =
    PREFIX.test(at) &&
    PREFIX.test(within) &&
    within.startsWith(at) &&
    mask >= 0 &&
    mask < 1 << 16 &&
    hashes.length === (mask ? bits(mask) : ids.length) &&
    (mask ? children >= 2 : children <= LEAF_ENTRIES) &&
    hashes.every((hash) => hash.length === HASH_DIGITS) &&
    (mask ? !ids.length && within.length < KEY_DIGITS : areInOrder(ids, within))
  return isGood ? node : fail('bad_request', `merkle: the node at ${at.slice(0, KEY_DIGITS)} is not one.`)
}

/** @param {number} mask */
const bits = (mask) => [...DIGITS].filter((_, place) => (mask >> place) & 1).length

/** Whether these are ids of events, rising, and below a prefix. @param {readonly string[]} ids @param {string} prefix */
const areInOrder = (ids, prefix) =>
  ids.every((id, place) => isId(id) && keyOf(id).startsWith(prefix) && (!place || ids[place - 1] < id))

/** The node, to be sent. @param {Node} node @returns {Summary} */
export const summaryOf = ({ at, within, mask, hashes, ids }) => [at, within, mask, toBase64(hashes.join('')), ids]

/** The node that was sent. Fails with bad_request. @param {Summary} summary @returns {Node} */
export function nodeOf([at, within, mask, text, ids]) {
  const hex = fromBase64(text) ?? fail('bad_request', `merkle: the hashes at ${at.slice(0, KEY_DIGITS)} are not base64.`)
  return checkNode({ at, within, mask, hashes: hex.match(/.{1,24}/g) ?? [], ids: [...ids] })
}

/** @param {string} hex */
const toBase64 = (hex) => btoa(String.fromCharCode(...fromHex(hex)))

/** The hex digits of a text in base64 (RFC 4648); null if it is none. @param {string} text */
function fromBase64(text) {
  try {
    return toHex(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)))
  } catch {
    return null
  }
}
