/**
 * Before the app: the colours, the language and, where it is what was asked for, the first page as it was
 * rendered at build time (`prerender.ts`). What is pressed in it is kept, and pressed once the app is there,
 * if that is soon: what comes later than a click counts (5 s in Chrome) would surprise, and is told.
 */
import { findLocale, showLocale } from '#ui/state/locale.ts'
import { parseRoute } from '#ui/state/route.ts'
import { showScheme } from '#ui/state/scheme.ts'

const pressable = 'a, button, summary'
const soonMs = 5000

const locale = findLocale()
showLocale(locale)
showScheme()

const root = document.getElementById('app')
const page = document.querySelector<HTMLTemplateElement>(`template[lang=${locale}]`)
const { screen, part } = parseRoute(location.hash)
if (root && page) {
  const note = document.createElement('p')
  note.role = 'alert'
  const waiting = new AbortController()
  const { signal } = waiting
  const tell = (what: 'failed' | 'late') => {
    waiting.abort()
    note.className = `note ${what}`
    note.textContent = page.dataset[what] ?? ''
    root.before(note)
  }

  /** By its words: the app may build it anew, or show something else. */
  let pressed: string | null | undefined
  let pressedAt = 0
  root.addEventListener('hydrated', () => {
    waiting.abort()
    note.remove()
    const meant = [...root.querySelectorAll<HTMLElement>(pressable)].find(
      ({ textContent }) => textContent === pressed,
    )
    if (performance.now() - pressedAt < soonMs) meant?.click()
    else if (meant) {
      tell('late')
      meant.focus()
      root.onclick = () => note.remove()
    }
  })
  // A file of the app did not come, or its script did not run: what is pressed would never be honoured.
  addEventListener('error', () => tell('failed'), { capture: true, signal })

  if (screen === 'bench' && part !== 'flash' && 'usb' in navigator && 'serial' in navigator) {
    root.append(page.content)
    const keep = (event: MouseEvent) => {
      const on = (event.target as Element).closest(pressable)
      if (on?.matches('a') && (event.ctrlKey || event.metaKey || event.shiftKey)) return // opened elsewhere
      event.preventDefault()
      if (!on) return
      pressed = on.textContent
      pressedAt = performance.now()
    }
    root.addEventListener('click', keep, { signal })
    performance.mark('ready')
  }
}
