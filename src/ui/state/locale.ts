/** The language: what the user chose, else the browser's. Found before the first paint; then the page's `lang` has it. */
import { browserLanguages } from '#host/platform.ts'
import type { Locale as LocaleName } from '../text/generated/runtime.js'
import { baseLocale, locales } from '../text/project.inlang/settings.json'
import { keep, kept } from './kept.ts'

export type { LocaleName }

const slot = 'locale'

export function findLocale(): LocaleName {
  const wanted = [kept(slot), ...browserLanguages().map((tag) => tag.split('-')[0])]
  return (wanted.find((name) => locales.some((locale) => locale === name)) ?? baseLocale) as LocaleName
}

export function showLocale(locale: LocaleName): void {
  document.documentElement.lang = locale
}

export function setLocale(locale: LocaleName): void {
  keep(slot, locale)
  showLocale(locale)
}
