/** The language: what the user chose, else the browser's. Found before the first paint; then the page's `lang` has it. */
import { browserLanguages } from '#host/platform.ts'
import type { Locale as LocaleName } from '../text/generated/runtime.js'
import { baseLocale, locales } from '../text/project.inlang/settings.json'

export type { LocaleName }

const slot = 'locale'

export function findLocale(): LocaleName {
  const wanted = [localStorage.getItem(slot), ...browserLanguages().map((tag) => tag.split('-')[0])]
  return (wanted.find((name) => locales.some((locale) => locale === name)) ?? baseLocale) as LocaleName
}

export const keepLocale = (locale: LocaleName): void => localStorage.setItem(slot, locale)

export const shownLocale = (): LocaleName => document.documentElement.lang as LocaleName

export function showLocale(locale: LocaleName): void {
  document.documentElement.lang = locale
}
