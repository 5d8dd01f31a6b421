/** The page's Content-Security-Policy and Trusted Types: the app never offends them, an intruder cannot. */
import { expect, test, type Page } from '@playwright/test'
import bench from '../../src/ui/text/en/bench.json' with { type: 'json' }
import { siteFiles } from './static-host.ts'

declare global {
  interface Window {
    violations: string[]
  }
}

test.beforeEach(async ({ page }) => {
  await page.addInitScript(() => {
    window.violations = []
    addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sample }) =>
      window.violations.push(`${effectiveDirective} ${blockedURI} ${sample}`),
    )
  })
})

const violations = (page: Page) => page.evaluate(() => window.violations)

/** What the page complains about on its console. */
function complaints(page: Page): string[] {
  const heard: string[] = []
  page.on('pageerror', (error) => heard.push(error.message))
  page.on('console', (message) => message.type() === 'error' && heard.push(message.text()))
  return heard
}

test('no screen, worker or job offends the policy', async ({ page }) => {
  const heard = complaints(page)
  await page.goto('./')
  await page.evaluate(() => navigator.serviceWorker.ready)

  const links = page.getByRole('banner').getByRole('link')
  for (const link of await links.all()) {
    await link.click()
    await expect(page.getByRole('main').getByRole('heading').first()).toBeVisible()
  }
  await page.goto('./#/')
  await page.getByRole('button', { name: bench.practice_start }).click()
  await page.getByRole('button', { name: bench.practice_usbasp_board }).click()
  await expect(page.getByText('ATmega328P').first()).toBeVisible()

  expect(await violations(page)).toEqual([])
  expect(heard).toEqual([])
})

/** FIPS 180-4, example. */
const sha256OfAbc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

test('the worker for files starts under the policy', async ({ page }) => {
  await page.goto('./')
  const file = siteFiles.find((name) => /^assets\/worker-.*\.js$/.test(name)) ?? ''
  const answer = await page.evaluate(async (url) => {
    const worker = new Worker(url, { type: 'module' })
    const file = new Blob(['abc'])
    worker.postMessage({ id: 1, call: 'parse', file, name: 'a.bin', options: {}, life: 'of the call' })
    const { data } = await new Promise<MessageEvent<object>>((resolve, reject) => {
      worker.onmessage = (event: MessageEvent<object>) => {
        if ('id' in event.data) resolve(event)
      }
      worker.onerror = reject
    })
    return data
  }, `./${file}`)
  expect(answer).toMatchObject({ id: 1, result: { sha256: sha256OfAbc } })
  expect(await violations(page)).toEqual([])
})

/** Each tries what an injected script or text would; true: it was let through. */
const intrusions: Readonly<Record<string, () => boolean | Promise<boolean>>> = {
  'text as HTML': () => {
    document.body.insertAdjacentHTML('beforeend', '<b id="intruder"></b>')
    return document.getElementById('intruder') !== null
  },
  'text as code': () => {
    document.body.setAttribute('onclick', 'document.body.id = "intruder"')
    document.body.click()
    return document.body.id === 'intruder'
  },
  'a worker from elsewhere': () => Boolean(new Worker('https://example.com/worker.js')),
  'a worker made of text': () => Boolean(new Worker(URL.createObjectURL(new Blob(['0'])))),
  'an inline style': () => {
    const style = document.createElement('style')
    style.textContent = 'html { --intruded: 1 }'
    document.head.append(style)
    return getComputedStyle(document.documentElement).getPropertyValue('--intruded') !== ''
  },
  'a policy of its own': () => {
    const { trustedTypes } = window as unknown as {
      trustedTypes: { createPolicy(name: string, rules: object): unknown }
    }
    return Boolean(trustedTypes.createPolicy('intruder', {}))
  },
  'a request in the clear': async () => Boolean(await fetch('http://example.com/', { mode: 'no-cors' })),
}

for (const [name, intrude] of Object.entries(intrusions))
  test(`the policy refuses ${name}`, async ({ page }) => {
    await page.goto('./')
    const through = await page.evaluate(intrude).catch(() => false) // most are refused by an exception
    expect(through).toBe(false)
    await expect.poll(() => violations(page)).toHaveLength(1)
  })
