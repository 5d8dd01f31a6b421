/** The language of the screens. Another one redraws, nothing is loaded anew; `setLocale` keeps the choice. */
import { overwriteGetLocale } from '../text/generated/runtime.js'
import type { LocaleName } from './locale.ts'

export class Locale {
  now = $state(document.documentElement.lang as LocaleName)

  constructor() {
    overwriteGetLocale(() => this.now)
  }
}
