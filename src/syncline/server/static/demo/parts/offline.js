// Keeps the pages themselves in the browser, so that they open without a network, too.

if ('serviceWorker' in navigator) {
  navigator.serviceWorker.register(new URL('../sw.js', import.meta.url)).catch(() => {
    // an old browser, or a page without a secure context: then it works as long as it stays open
  })
}
