// Light, dark, or as the system says. A plain script that runs before the page is painted, so that nothing flashes.
'use strict'

{
  const KEY = 'syncline-demo-theme'
  const system = matchMedia('(prefers-color-scheme: dark)')
  const root = document.documentElement

  const shown = () => root.dataset.theme ?? (system.matches ? 'dark' : 'light')

  const label = () => {
    const button = document.getElementById('theme')
    if (!button) return
    const next = shown() === 'dark' ? 'Light' : 'Dark'
    button.title = `${next} colours`
    button.setAttribute('aria-label', button.title)
  }

  const toggle = () => {
    root.dataset.theme = shown() === 'dark' ? 'light' : 'dark'
    localStorage.setItem(KEY, root.dataset.theme)
    label()
  }

  const chosen = localStorage.getItem(KEY)
  if (chosen === 'light' || chosen === 'dark') root.dataset.theme = chosen
  system.addEventListener('change', label)
  document.addEventListener('DOMContentLoaded', () => {
    label()
    document.getElementById('theme').addEventListener('click', toggle)
  })
}
