// The new ids of events that got one, on the disk: a tab that was not told of them may have named the old ones.

/** @typedef {import('./store.js').Transaction} Transaction */
/** @typedef {{ key: 'renamed', steps: { version: number, names: [old: string, now: string][] }[] }} Row */

const KEPT_NAMES = 10_000 // of older steps; the last one is kept whole

/**
 * Writes down what a commit renamed.
 * @param {Transaction} tx @param {number} version @param {Map<string, string>} renamed
 */
export async function keepRenamed(tx, version, renamed) {
  const steps = [{ version, names: [...renamed] }, ...((await readRenamed(tx))?.steps ?? [])]
  let left = KEPT_NAMES
  const kept = steps.filter(({ names }, place) => (left -= names.length) >= 0 || place === 0)
  tx.put('state', { key: 'renamed', steps: kept })
}

/** @param {Transaction} tx @returns {Promise<Row | undefined>} */
export const readRenamed = (tx) => tx.get('state', 'renamed')

/**
 * The ids that events have now which had others at a version; undefined if none was given since.
 * @param {Row | undefined} row @param {number} version
 */
export function renamedSince(row, version) {
  const steps = row?.steps.filter((step) => step.version > version) ?? []
  /** @type {Map<string, string>} */
  const names = new Map()
  for (const step of steps) for (const [old, now] of step.names) names.set(old, names.get(now) ?? now) // the newest first
  return steps.length ? names : undefined
}
