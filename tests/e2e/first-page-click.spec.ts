/**
 * A press that was kept for the app has to count as a click when the app asks for Chrome's chooser. Whatever
 * Playwright asks a page counts as a click there, so here it asks nothing and takes no trace.
 */
import { expect } from '@playwright/test'
import { test } from './story.ts'
import { holdApp } from './without-app.ts'

declare global {
  interface Window {
    /** What became of each chooser: the error's name, or `open`. */
    outcomes: string[]
  }
}

test.use({ trace: 'off' })

test('a press that was kept still counts as a click for the chooser; without one the page asks for it', async ({
  page,
  story,
  words,
}) => {
  await page.addInitScript(() => {
    window.outcomes = []
    const ask = navigator.usb.requestDevice.bind(navigator.usb) // Chrome's own; the chooser stays open
    USB.prototype.requestDevice = (options) => {
      const answer = ask(options)
      const still = new Promise<string>((resolve) => setTimeout(resolve, 100, 'open'))
      const outcome = answer.then(String, (error: unknown) => (error as DOMException).name)
      void Promise.race([outcome, still]).then((name) => window.outcomes.push(name))
      return answer
    }
  })
  const devtools = await page.context().newCDPSession(page)
  const evaluate = async (expression: string) =>
    (await devtools.send('Runtime.evaluate', { expression, returnByValue: true })).result.value as unknown
  const button = `[...document.querySelectorAll('#app button')].find(one => one.innerText === ${JSON.stringify(words.bench_choose_usb)})`
  async function press(how: () => Promise<unknown>) {
    const comes = await holdApp(page)
    await page.goto('./', { waitUntil: 'commit' })
    await expect.poll(() => evaluate(`Boolean(${button})`)).toBe(true)
    expect(await evaluate('navigator.userActivation.isActive')).toBe(false)
    await how()
    comes()
    await expect.poll(() => evaluate('window.outcomes.length')).toBe(1)
    return evaluate('window.outcomes[0]')
  }

  const nobody = () => evaluate(`${button}.click()`)
  expect(await press(nobody)).toBe('SecurityError')
  await story.told({
    happened: words.error_click,
    safe: words.safe_nothing_written,
    now: words.error_click_now,
  })

  await page.goto('about:blank')
  const person = async () => {
    const place = (await evaluate(`${button}.getBoundingClientRect().toJSON()`)) as DOMRect
    await page.mouse.click(place.x + place.width / 2, place.y + place.height / 2)
  }
  expect(await press(person)).toBe('open')
})
