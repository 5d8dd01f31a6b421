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
  const keep = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return // a link, to be opened elsewhere
    event.preventDefault()
    pressed = (event.target as Element).closest<HTMLElement>('a, button, summary') ?? pressed
  }
  root.addEventListener('click', keep)
  root.addEventListener('hydrated', () => {
    root.removeEventListener('click', keep)
    pressed?.click()
  })
  performance.mark('ready')
}
