/** The states of the memory map in words. */
import type { PageState } from '../parts/memory-map.ts'
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
