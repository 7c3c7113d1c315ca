// The service worker: the pages and the SDK are kept here, so that they open without a network. Data are not its business.
//
// A page is made of what was kept together: newer files are fetched behind it, all or none, and are for the next page.

const KEPT = 'syncline-demo'
const NEXT = 'syncline-demo-next'
const PAGES = ['./', './note/', './manifest.webmanifest', './icon.svg', './icon-192.png', './icon-512.png']
const NAMED = /(?:\bfrom|\bimport|\bsrc=|\bhref=)\s*["'](\.[^"']+)["']/g
const here = new URL('./', self.location.href)
const sdk = new URL('../sdk/', here)

const isOurs = (url) =>
  url.origin === here.origin && (url.pathname.startsWith(here.pathname) || url.pathname.startsWith(sdk.pathname))

self.addEventListener('install', (event) => {
  self.skipWaiting()
  event.waitUntil(refresh().then((isDone) => isDone || Promise.reject(new Error('the server is away'))))
})

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url)
  if (event.request.method !== 'GET' || !isOurs(url)) return
  const isPage = event.request.mode === 'navigate'
  event.respondWith(answer(event.request, url, isPage))
  if (isPage) event.waitUntil(refresh())
})

/** From what is kept, a page also by its longer or shorter name; otherwise from the server. */
async function answer(request, url, isPage) {
  if (isPage) await takeNext()
  const cache = await caches.open(KEPT)
  const kept = await cache.match(url.origin + url.pathname)
  if (kept || !isPage) return kept ?? fetch(request)
  const folder = url.origin + url.pathname.replace(/(\/index\.html)?$/, '/')
  return (await cache.match(folder)) ? Response.redirect(folder + url.search) : fetch(request)
}

/** What was fetched since becomes what is kept. */
const takeNext = () => inTurn(async () => {
  const next = await caches.open(NEXT)
  if (!(await next.match(here))) return // the first page is put there last: it is not whole without
  await caches.delete(KEPT)
  await copy(await responses(next), KEPT)
  await caches.delete(NEXT)
})

let turn = Promise.resolve()

/** One changes the caches, the others wait. */
const inTurn = (work) => (turn = turn.then(work, work))

let refreshing = null

/** Fetches everything that the pages need, and keeps it for the next page if something is new; false if not all came. */
const refresh = () => (refreshing ??= refreshed().finally(() => (refreshing = null)))

async function refreshed() {
  const found = new Map()
  try {
    await follow(PAGES.map((path) => new URL(path, here).href), found)
  } catch {
    return false // the server is away: what is kept stays
  }
  await inTurn(async () => {
    const kept = await responses(await caches.open(KEPT))
    const isSame = kept.size === found.size && [...found].every(([url, fresh]) => tag(fresh) === tag(kept.get(url)))
    if (!isSame) await copy(found, kept.size ? NEXT : KEPT)
  })
  return true
}

/** Follows what each file names, as its page or module will ask for it. */
async function follow(urls, found) {
  const fresh = urls.filter((url) => !found.has(url) && isOurs(new URL(url)))
  for (const url of fresh) found.set(url, null)
  await Promise.all(fresh.map(async (url) => {
    const response = await fetch(url, { cache: 'no-cache' })
    if (!response.ok) throw new Error(url)
    found.set(url, response.clone())
    if (!/html|javascript/.test(response.headers.get('Content-Type') ?? '')) return
    const names = [...(await response.text()).matchAll(NAMED)].map(([, name]) => new URL(name, url).href)
    await follow(names, found)
  }))
}

async function responses(cache) {
  const found = new Map()
  for (const { url } of await cache.keys()) found.set(url, await cache.match(url))
  return found
}

async function copy(files, name) {
  const cache = await caches.open(name)
  await cache.delete(here)
  for (const [url, response] of files) if (url !== here.href) await cache.put(url, response)
  await cache.put(here, files.get(here.href))
}

const tag = (response) => response?.headers.get('ETag')
