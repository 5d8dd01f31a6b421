/** The language of the screens. Switching it redraws, nothing is loaded anew. */
import { overwriteGetLocale } from '../text/generated/runtime.js'
import { keepLocale, showLocale, shownLocale, type LocaleName } from './locale.ts'

export class Locale {
  now: LocaleName = $state(shownLocale())

  constructor() {
    overwriteGetLocale(() => this.now)
  }

  set(locale: LocaleName): void {
    this.now = locale
    showLocale(locale)
    keepLocale(locale)
  }
}
