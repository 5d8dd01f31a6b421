/** The language: the browser's, or what the user chose. Switching it redraws, nothing is loaded anew. */
import {
  baseLocale,
  extractLocaleFromNavigator,
  isLocale,
  locales,
  overwriteGetLocale,
} from '../text/generated/runtime.js'

export type LocaleName = (typeof locales)[number]

const slot = 'locale'

export class Locale {
  now: LocaleName = $state(stored() ?? extractLocaleFromNavigator() ?? baseLocale)

  constructor() {
    overwriteGetLocale(() => this.now)
    document.documentElement.lang = this.now
  }

  set(locale: LocaleName): void {
    this.now = locale
    document.documentElement.lang = locale
    localStorage.setItem(slot, locale)
  }
}

function stored(): LocaleName | undefined {
  const value = localStorage.getItem(slot)
  return isLocale(value) ? value : undefined
}
