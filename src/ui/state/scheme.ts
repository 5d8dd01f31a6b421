/** Light, dark, or as the computer says. Read before the first paint, so it is kept where that is possible. */
import { keep, kept } from './kept.ts'

export const schemes = ['auto', 'light', 'dark'] as const
export type Scheme = (typeof schemes)[number]

const slot = 'scheme'

export const storedScheme = (): Scheme => schemes.find((scheme) => scheme === kept(slot)) ?? 'auto'

/** `tokens.css` does the rest. */
export function showScheme(scheme: Scheme = storedScheme()): void {
  document.documentElement.dataset['scheme'] = scheme
}

export function setScheme(scheme: Scheme): void {
  keep(slot, scheme)
  showScheme(scheme)
}
