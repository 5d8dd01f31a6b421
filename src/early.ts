/**
 * Before the app: the colours, the language and, where it is what was asked for, the first page as it was
 * rendered at build time (`prerender.ts`). What is pressed in it is kept, and pressed once the app is there.
 */
import { findLocale, showLocale } from '#ui/state/locale.ts'
import { parseRoute } from '#ui/state/route.ts'
import { showScheme } from '#ui/state/scheme.ts'

const locale = findLocale()
showLocale(locale)
showScheme()

const root = document.getElementById('app')
const page = document.querySelector<HTMLTemplateElement>(`template[lang=${locale}]`)
const { screen, part } = parseRoute(location.hash)
if (root && page && screen === 'bench' && part !== 'flash' && 'usb' in navigator && 'serial' in navigator) {
  root.append(page.content)

  let pressed: HTMLElement | undefined
  const waiting = new AbortController()
  const { signal } = waiting
  const keep = (event: MouseEvent) => {
    const on = (event.target as Element).closest<HTMLElement>('a, button, summary')
    if (on?.matches('a') && (event.ctrlKey || event.metaKey || event.shiftKey)) return // opened elsewhere
    event.preventDefault()
    pressed = on ?? pressed
  }
  root.addEventListener('click', keep, { signal })
  root.addEventListener('hydrated', () => {
    waiting.abort()
    pressed?.click()
  })
  // A file of the app did not come, or its script did not run: what is pressed would never be honoured.
  const fail = () => {
    waiting.abort()
    const note = document.createElement('p')
    note.role = 'alert'
    note.textContent = page.dataset['failed'] ?? ''
    root.prepend(note)
  }
  addEventListener('error', fail, { capture: true, signal })
  performance.mark('ready')
}
