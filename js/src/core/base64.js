// base64url without padding (RFC 4648, section 5), for what a server writes and reads in bytes.

/** @param {Uint8Array} bytes */
export const toBase64 = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

/**
 * The bytes of a text; null if it is none, or not written as `toBase64` writes it.
 * @param {string} text
 */
export function fromBase64(text) {
  if (!/^[\w-]*$/.test(text) || text.length % 4 === 1) return null
  const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
  return toBase64(bytes) === text ? bytes : null
}
