/**
 * The newest firmware of each J-Link that public logs of its owners show, by hardware version: SEGGER publishes no list, and
 * its own program brings whatever that has inside. Found by its VERSION text in public repositories and issues, November 2026.
 */
import type { Notice } from '#core/programmer.ts'
import type { Firmware } from './packets.ts'

/** The day it was compiled on. */
const newest: Readonly<Record<string, string>> = {
  'J-Link ARM V8': '2014-11-28',
  'J-Link V9': '2023-12-08',
  'J-Link V10': '2023-01-30',
  'J-Link V11': '2024-12-06',
  'J-Link V12': '2023-08-02',
}

/** Of one whose firmware is older than another that is known; of all others nothing can be said. */
export function olderThanKnown({ text, date }: Firmware): Notice | undefined {
  const model = text.replace(/\s+compiled .*/s, '')
  const known = newest[model]
  if (date === undefined || known === undefined || date >= known) return undefined
  return { code: 'jlink-older', level: 'info', values: { model, date, newest: known } }
}
