/**
 * The first page is there before the app's script, in the right words and colours, and what is pressed in it
 * is honoured once the app has come: exactly once. What is not the first page never shows it.
 */
import { expect, type Page } from '@playwright/test'
import { Story, test } from './story.ts'
import { de } from './words.ts'

declare global {
  interface Window {
    /** Which choosers were opened. */
    choosers: string[]
  }
}

/** Opens the page and holds the app's script back; gives what lets it come. */
async function openWithoutApp(page: Page, address = './'): Promise<() => Promise<void>> {
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  await page.route('**/assets/index-*.js', async (route) => {
    await held
    await route.continue()
  })
  await page.goto(address, { waitUntil: 'commit' })
  await expect(page.locator('html')).toHaveAttribute('data-scheme') // what runs before the app has run
  return async () => {
    release()
    await page.waitForLoadState()
  }
}

/** All that the console says, but for Playwright's own word. */
function complaints(page: Page): string[] {
  const heard: string[] = []
  page.on('pageerror', (error) => heard.push(error.message))
  page.on('console', (message) => message.text().includes('by Playwright') || heard.push(message.text()))
  return heard
}

/** Choosers stay open. */
const countChoosers = (page: Page) =>
  page.addInitScript(() => {
    window.choosers = []
    USB.prototype.requestDevice = () => (window.choosers.push('usb'), new Promise(() => undefined))
    Serial.prototype.requestPort = () => (window.choosers.push('serial'), new Promise(() => undefined))
  })
const choosers = (page: Page) => page.evaluate(() => window.choosers)

test('the main button, pressed before the app is there, opens one chooser', async ({
  page,
  story,
  words,
}) => {
  await countChoosers(page)
  const comes = await openWithoutApp(page)
  await story.press(story.button(words.bench_choose_usb))
  await story.press(story.button(words.bench_choose_usb)) // nothing seemed to happen
  expect(await choosers(page)).toEqual([])
  await comes()
  await expect.poll(() => choosers(page)).toEqual(['usb'])
  await story.press(story.button(words.bench_choose_serial))
  await expect.poll(() => choosers(page)).toEqual(['usb', 'serial'])
})

for (const key of ['Enter', 'Space'])
  test(`${key} before the app is there is honoured, and the focus stays`, async ({ page, story, words }) => {
    await countChoosers(page)
    const comes = await openWithoutApp(page)
    await story.button(words.bench_choose_serial).press(key)
    await comes()
    await expect.poll(() => choosers(page)).toEqual(['serial'])
    await expect(story.button(words.bench_choose_serial)).toBeFocused()
  })

test('practice, help and links wait for the app as well', async ({ page, story, words }) => {
  let comes = await openWithoutApp(page)
  await story.press(page.getByText(words.bench_not_listed))
  await story.press(story.button(words.practice_start))
  await comes()
  await story.sees(story.button(words.practice_leave))

  comes = await openWithoutApp(page)
  await story.press(page.getByText(words.bench_not_listed))
  await comes()
  await story.sees(story.button(words.bench_choose_any))

  comes = await openWithoutApp(page)
  await story.press(story.link(words.nav_library))
  await story.sees(story.heading(words.bench_title))
  await comes()
  await story.sees(story.heading(words.library_title))

  comes = await openWithoutApp(page)
  await story.link(words.nav_skip).press('Enter')
  await comes()
  await expect(story.main).toBeFocused()
})

test('the app takes the page over as it stands, and says nothing of it', async ({ page, story, words }) => {
  const heard = complaints(page)
  const comes = await openWithoutApp(page)
  const button = story.button(words.bench_choose_usb)
  const [before, place] = [await button.elementHandle(), await button.boundingBox()]
  await comes()
  await expect(page).toHaveTitle(`${words.nav_bench} · ${words.app_name}`)
  await story.sees(page.getByText(words.promise_local))
  expect(await before.evaluate((element) => element.isConnected)).toBe(true)
  expect(await button.boundingBox()).toEqual(place)
  expect(heard).toEqual([])
})

test('words and colours are the right ones from the start', async ({ browser }) => {
  const page = await browser.newPage({ locale: 'de-AT', serviceWorkers: 'block' })
  const story = new Story(page, de)
  const heard = complaints(page)
  const comes = await openWithoutApp(page)
  await story.sees(story.button(de.bench_choose_usb))
  await expect(page.locator('html')).toHaveAttribute('lang', 'de')
  await comes()
  await expect(page).toHaveTitle(`${de.nav_bench} · ${de.app_name}`)
  await story.sees(story.button(de.bench_choose_usb))
  expect(heard).toEqual([])
  await page.close()
})

test('words and colours that were chosen come before those of the computer', async ({ page }) => {
  await page.addInitScript(() => {
    localStorage.setItem('locale', 'de')
    localStorage.setItem('scheme', 'dark')
  })
  const story = new Story(page, de)
  const comes = await openWithoutApp(page)
  await story.sees(story.button(de.bench_choose_usb))
  await expect(page.locator('body')).toHaveCSS('color-scheme', 'dark')
  await comes()
  await expect(page).toHaveTitle(`${de.nav_bench} · ${de.app_name}`)
})

test('another address shows nothing of the first page', async ({ page, story, words }) => {
  let comes = await openWithoutApp(page, './#/library')
  await expect(page.locator('#app')).toBeEmpty()
  await comes()
  await story.sees(story.heading(words.library_title))

  await page.goto('about:blank')
  comes = await openWithoutApp(page, './#/flash?v=1')
  await expect(page.locator('#app')).toBeEmpty()
  await comes()
  await story.sees(story.main.getByRole('alert'))

  await page.goto('about:blank')
  comes = await openWithoutApp(page)
  await page.evaluate(() => (location.hash = '#/library'))
  await comes()
  await story.sees(story.heading(words.library_title))
  await expect(story.heading(words.bench_title)).toBeHidden()
})

test('a browser without WebUSB is not shown what it cannot do', async ({ page, story, words }) => {
  await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, 'usb'))
  const comes = await openWithoutApp(page)
  await expect(page.locator('#app')).toBeEmpty()
  await comes()
  await story.sees(story.button(words.bench_choose_serial))
  await expect(story.button(words.bench_choose_usb)).toBeHidden()
})

test('a script that never comes is told, and nothing pretends to wait for it', async ({ page, words }) => {
  await page.route('**/assets/index-*.js', (route) => route.fulfill({ status: 404 }))
  await page.goto('./')
  await expect(page.getByRole('alert')).toHaveText(words.app_failed)
  await page.getByRole('link', { name: words.nav_library }).first().click()
  await expect(page).toHaveURL(/#\/library$/)
})

test('a press with the Shift key is honoured as well', async ({ page, story, words }) => {
  await countChoosers(page)
  const comes = await openWithoutApp(page)
  await story.button(words.bench_choose_usb).click({ modifiers: ['Shift'] })
  await comes()
  await expect.poll(() => choosers(page)).toEqual(['usb'])
})
