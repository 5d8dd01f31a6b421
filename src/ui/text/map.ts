/** The states of the memory map in words. */
import type { MapLayout, PageState } from '../parts/memory-map.ts'
import { count, size } from './format.ts'
import { m } from './generated/messages.js'

const names: Record<PageState, () => string> = {
  unread: m.map_state_unread,
  blank: m.map_state_blank,
  content: m.map_state_content,
  keep: m.map_state_keep,
  reserved: m.map_state_reserved,
  read: m.map_state_read,
  reread: m.map_state_reread,
  confirmed: m.map_state_confirmed,
  clear: m.map_state_clear,
  refill: m.map_state_refill,
  program: m.map_state_program,
  erased: m.map_state_erased,
  written: m.map_state_written,
  checking: m.map_state_checking,
  verified: m.map_state_verified,
  mismatch: m.map_state_mismatch,
}

export const mapStateName = (state: PageState): string => names[state]()

/** `1 MiB · 12 sectors of 16 KiB to 128 KiB`; a memory of one page has its size only. */
export function sizeText({ length, pageBytes, sectors = [], isOfFile }: MapLayout, pages: number): string {
  const whole = size(length)
  if (pages === 1) return whole
  const lengths = sectors.map((sector) => sector.length)
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)]
  if (least < most)
    return m.map_size_of_sectors({
      size: whole,
      sectors: count(lengths.length),
      least: size(least),
      most: size(most),
    })
  return (isOfFile ? m.map_size_of_file : m.map_size)({
    size: whole,
    pages: count(pages),
    page: size(pageBytes),
  })
}
