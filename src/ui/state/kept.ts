/**
 * What is chosen once and known before the first paint. Where site data is blocked the mere name
 * `localStorage` throws; a choice then lasts as long as the page.
 */
export function kept(slot: string): string | null {
  try {
    return localStorage.getItem(slot)
  } catch {
    return null // blocked: as if nothing was ever chosen
  }
}

export function keep(slot: string, value: string): void {
  try {
    localStorage.setItem(slot, value)
  } catch {
    // blocked or full: the page shows the choice all the same
  }
}
