// Fresh tokens for a session that stays open: shown before the one in use expires, so that nothing is interrupted.
// Where that fails nothing is lost: the server ends the session at the old token's end, and a new one begins.

import { pause } from './waiting.js'

const EARLY_SECONDS = 40 // at the end of a token that has a leeway of 30 s
const LEAST_SECONDS = 0.5

/**
 * Shows fresh tokens for as long as there are some; `wake` is called when the session has one to show.
 * @param {import('./conversation.js').Conversation} conversation
 * @param {import('./credentials.js').Credentials} credentials
 * @param {() => void} wake
 * @param {AbortSignal} signal
 */
export async function keepValid(conversation, credentials, wake, signal) {
  while (credentials.mayChange && conversation.untilMs !== Infinity && !signal.aborted) {
    const left = (conversation.untilMs - Date.now()) / 1000
    if (left <= 0) return // the server says the rest
    await pause(Math.max(left - EARLY_SECONDS, left / 2, LEAST_SECONDS), signal)
    const token = await credentials.ask().catch(() => null)
    if (!token || token === conversation.session.token || signal.aborted) continue
    const told = new Promise((resolve) => (conversation.onTold = () => resolve(null)))
    conversation.session.renew(token)
    wake()
    await told
  }
}
