/** After the first visit the app needs no network, and a newer app comes only between jobs. */
import { expect, test, type Page } from '@playwright/test'
import bench from '../../src/ui/text/en/bench.json' with { type: 'json' }
import update from '../../src/ui/text/en/update.json' with { type: 'json' }
import { siteFiles, StaticHost } from './static-host.ts'

let host: StaticHost
test.beforeEach(async () => {
  host = await StaticHost.start()
})
test.afterEach(() => host.stop())

/** Opens the app and waits until its worker has kept every file. */
async function visit(page: Page): Promise<void> {
  await page.goto(host.url)
  await expect(page).toHaveTitle(/Reflasher/)
  await page.evaluate(() => navigator.serviceWorker.ready)
}

const release = (page: Page) => page.locator('html').getAttribute('data-release')

const jobs = (page: Page) => page.evaluate(async () => (await navigator.locks.query()).held?.length)

async function practise(page: Page): Promise<void> {
  await page.getByRole('button', { name: bench.practice_start }).click()
  await page.getByRole('button', { name: bench.practice_usbasp_board }).click()
  await page.waitForURL('**/#/job')
}

test('after the first visit the app starts without a network, by any address of it', async ({ page }) => {
  await visit(page)
  await host.stop()
  for (const address of ['', '?from=a-bookmark', 'index.html', '#/rescue', '?x=1#/library']) {
    await page.goto('about:blank')
    await page.goto(host.url + address)
    await expect(page, address).toHaveTitle(/Reflasher/)
    await expect(page.getByRole('heading', { level: 1 }), address).toBeVisible()
  }
})

test('every file that is loaded later is there without a network', async ({ page }) => {
  await visit(page)
  await host.stop()
  await page.reload()
  const needed = siteFiles.filter((file) => !/^(sw\b|icon-)/.test(file)) // the browser's own
  const missing = await page.evaluate(async (files) => {
    const answers = await Promise.allSettled(files.map((file) => fetch(`./${file}`)))
    return files.filter((_, i) => {
      const answer = answers[i]
      return answer?.status !== 'fulfilled' || !answer.value.ok
    })
  }, needed)
  expect(needed.length).toBeGreaterThan(10)
  expect(missing).toEqual([])
})

test('a job begins without a network: drivers, twins, store and the screen are there', async ({ page }) => {
  await visit(page)
  await host.stop()
  await page.reload()
  await practise(page)
  await expect(page.getByText('ATmega328P').first()).toBeVisible()
})

test('a newer app waits for a job in another tab, then every tab changes to it', async ({ context }) => {
  const [here, there] = [await context.newPage(), await context.newPage()]
  await visit(here)
  await visit(there)
  await practise(there)

  host.publishNext()
  await here.reload()
  const offer = here.getByRole('button', { name: update.update_apply })
  await offer.click()
  await expect(here.getByText(update.update_hindrance_job)).toBeVisible()
  await expect(there.getByText(update.update_waiting)).toBeVisible()
  expect(await release(here)).toBe('1')
  expect(await release(there)).toBe('1')
  await here.reload()
  expect(await release(here), 'nothing but the offer changes the app').toBe('1')

  await there.goto(`${host.url}#/`)
  await there.getByRole('button', { name: bench.practice_leave }).click() // and so its job
  await expect.poll(() => jobs(here)).toBe(0)
  await offer.click()
  await expect.poll(() => release(here)).toBe('2')
  await expect.poll(() => release(there)).toBe('2')
  await expect(here.getByText(update.update_waiting)).toBeHidden()
})

test('a newer app waits for the job of its own tab', async ({ page }) => {
  await visit(page)
  await practise(page)
  host.publishNext()
  await page.evaluate(async () => (await navigator.serviceWorker.ready).update())
  await page.getByRole('button', { name: update.update_apply }).click()
  await expect(page.getByText(update.update_hindrance_job)).toBeVisible()
  expect(await release(page)).toBe('1')
})
