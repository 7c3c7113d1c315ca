// The tokens of somebody who signed in: kept in this browser, renewed before they end, by one tab at a time.

const MARGIN_MS = 60_000

/** An answer that says no: `code` is the server's word for it. */
export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail ?? 'The server refused.')
    this.code = problem.code
    this.status = status
  }
}

async function post(url, body) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  const told = await answer.json().catch(() => ({}))
  if (!answer.ok) throw new Refused(told, answer.status)
  return told
}

export class Tokens {
  /**
   * @param {URL} server
   * @param {string} key where they are kept in localStorage
   */
  constructor(server, key) {
    this.server = server
    this.key = key
  }

  /** What is kept: space, user, access and refresh token; null if nobody is signed in. */
  get kept() {
    return JSON.parse(localStorage.getItem(this.key) ?? 'null')
  }

  /** Signs in. Throws Refused, or TypeError without a network. */
  async signIn({ space, user, password, code }) {
    const url = this._url(space, 'login')
    this._keep(space, await post(url, { user, password, label: 'demo', ...(code ? { code } : {}) }))
  }

  /** Signs out here, and tells the server if it can be reached. */
  async signOut() {
    const { space, refresh } = this.kept
    localStorage.removeItem(this.key)
    await post(this._url(space, 'logout'), { refresh_token: refresh }).catch(() => {})
  }

  /** An access token that is good for a while yet. A refresh token is good once, so tabs renew in turns. */
  fresh = () => (navigator.locks ? navigator.locks.request(this.key, () => this._renewed()) : this._renewed())

  async _renewed() {
    const { space, access, refresh, until } = this.kept
    if (Date.now() + MARGIN_MS < until) return access
    return this._keep(space, await post(this._url(space, 'refresh'), { refresh_token: refresh }))
  }

  _keep(space, { user, access_token: access, refresh_token: refresh, expires_in: seconds }) {
    const until = Date.now() + seconds * 1000
    localStorage.setItem(this.key, JSON.stringify({ space, user, access, refresh, until }))
    return access
  }

  _url(space, verb) {
    return new URL(`v1/spaces/${encodeURIComponent(space)}/auth/${verb}`, this.server)
  }
}
