/**
 * The first page is there before the app's script, in the right words and colours, and what is pressed in it
 * is honoured once the app has come: exactly once. What is not the first page never shows it.
 */
import { expect, type Page } from '@playwright/test'
import { axe, objections } from './axe.ts'
import { Story, test } from './story.ts'
import { openWithoutApp } from './without-app.ts'
import { de, like } from './words.ts'

declare global {
  interface Window {
    /** Which choosers were opened. */
    choosers: string[]
    /** What stood on the page when it was first said to be ready. */
    readyWith: string | undefined
    /** How far what was on the screen has moved by itself, as Chrome counts it. */
    shift: number
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

const phone = { width: 390, height: 844 }

for (const [name, viewport] of [
  ['a phone', phone],
  ['a laptop', { width: 1280, height: 800 }],
] as const)
  test(`on ${name} nothing moves when the app takes the page over`, async ({ page, story, words }) => {
    await page.setViewportSize(viewport)
    await page.addInitScript(() => {
      window.shift = 0
      const count = (entries: PerformanceObserverEntryList) => {
        for (const entry of entries.getEntries())
          window.shift += (entry as unknown as { value: number }).value
      }
      new PerformanceObserver(count).observe({ type: 'layout-shift', buffered: true })
    })
    const comes = await openWithoutApp(page)
    await story.sees(story.button(words.bench_choose_usb))
    await comes()
    await story.sees(page.getByText(words.promise_local))
    // what moved was counted when the next picture but one is there
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
    expect(await page.evaluate(() => window.shift)).toBe(0)
  })

test('the first page by itself has nothing that axe objects to, on a phone and in German', async ({
  browser,
}) => {
  const page = await browser.newPage({ locale: 'de-DE', viewport: phone, serviceWorkers: 'block' })
  await page.addInitScript({ content: axe })
  await openWithoutApp(page)
  await expect(page.getByRole('button', { name: de.bench_choose_usb })).toBeVisible()
  expect(await objections(page, { resultTypes: ['violations'] })).toEqual([])
  await page.close()
})

test('a press whose button the app has built anew is honoured', async ({ page, story, words }) => {
  await countChoosers(page)
  const comes = await openWithoutApp(page)
  const button = story.button(words.bench_choose_serial)
  await story.press(button)
  await button.evaluate((element) => element.replaceWith(element.cloneNode(true)))
  await comes()
  await expect.poll(() => choosers(page)).toEqual(['serial'])
})

test('a press that the app hears of too late is not done, but told', async ({ page, story, words }) => {
  await countChoosers(page)
  await page.clock.install()
  const comes = await openWithoutApp(page)
  await story.press(story.button(words.bench_choose_usb))
  await page.clock.fastForward(6000)
  await comes()
  await expect(page.getByRole('alert')).toHaveText(words.app_late)
  await expect(story.button(words.bench_choose_usb)).toBeFocused()
  expect(await choosers(page)).toEqual([])
  await page.keyboard.press('Enter')
  await expect.poll(() => choosers(page)).toEqual(['usb'])
  await expect(page.getByRole('alert')).toBeHidden()
})

test('where site data is blocked the page comes all the same, and takes another language', async ({
  page,
  story,
  words,
}) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'localStorage', {
      get: () => {
        throw new DOMException('Access is denied for this document.', 'SecurityError')
      },
    })
  })
  const heard = complaints(page)
  const comes = await openWithoutApp(page)
  await story.sees(story.button(words.bench_choose_usb))
  await comes()
  await story.sees(page.getByText(words.promise_local))
  await page.goto('./#/settings')
  await page.getByLabel('Deutsch').check()
  await expect(story.heading(de.settings_title)).toBeVisible()
  await page.getByLabel(de.settings_scheme_dark).check()
  await expect(page.locator('body')).toHaveCSS('color-scheme', 'dark')
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

test('no page is ready before what was asked for stands', async ({ page, story, words }) => {
  await page.addInitScript(() => {
    const mark = performance.mark.bind(performance)
    performance.mark = (name, options) => {
      if (name === 'ready') window.readyWith ??= document.querySelector('main')?.innerText
      return mark(name, options)
    }
  })
  for (const [address, what] of [
    ['./', words.bench_choose_usb],
    ['./#/library', words.library_title],
    ['./#/flash?v=1', words.error_link],
    [`./#/flash?size=1&sha256=${'0'.repeat(64)}&url=https://firmware.example/a.hex`, words.link_take],
  ] as const) {
    await page.goto('about:blank')
    await page.goto(address)
    await story.reads(like(what))
    await expect.poll(() => page.evaluate(() => window.readyWith), address).toMatch(like(what))
  }
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
  await page.addInitScript({ content: axe })
  await page.route('**/assets/index-*.js', (route) => route.fulfill({ status: 404 }))
  await page.goto('./#/library')
  await expect(page.getByRole('alert')).toHaveText(words.app_failed)
  await page.goto('about:blank')
  await page.goto('./')
  await expect(page.getByRole('alert')).toHaveText(words.app_failed)
  expect(await objections(page, { resultTypes: ['violations'] })).toEqual([])
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
