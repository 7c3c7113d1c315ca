// Keeps the pages themselves in the browser, so that they open without a network, too. `data-kept` says when that is done.

const { serviceWorker } = navigator

if (serviceWorker) {
  serviceWorker.register(new URL('../sw.js', import.meta.url)).catch(() => {
    // blocked, or the server went away meanwhile: then the page works as long as it stays open
  })
  serviceWorker.ready.then(() => (document.documentElement.dataset.kept = 'true'))
}
