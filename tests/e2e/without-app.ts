/** The first page before the app's script has come, and what lets it come. */
import { expect, type Page } from '@playwright/test'

/** Holds the app's script back; gives what lets it come. */
export async function holdApp(page: Page): Promise<() => void> {
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  await page.route('**/assets/index-*.js', async (route) => {
    await held
    await route.continue()
  })
  return () => release()
}

/** Opens the page without the app's script; gives what lets it come. */
export async function openWithoutApp(page: Page, address = './'): Promise<() => Promise<void>> {
  const release = await holdApp(page)
  await page.goto(address, { waitUntil: 'commit' })
  await expect(page.locator('html')).toHaveAttribute('data-scheme') // what runs before the app has run
  return async () => {
    release()
    await page.waitForLoadState()
  }
}
