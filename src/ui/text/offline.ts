/** Whether the app works without a network, in words. */
import type { Update } from '../state/update.svelte.ts'
import { m } from './generated/messages.js'

const texts: Record<Update['offline'], () => string> = {
  preparing: m.offline_preparing,
  ready: m.offline_ready,
  unavailable: m.offline_unavailable,
}

/** Undefined: nobody has looked yet. */
export const offlineText = (offline: Update['offline'] = 'preparing'): string => texts[offline]()
