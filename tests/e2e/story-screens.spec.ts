/**
 * How the screens stand in their window: on a phone, on a laptop and on a large screen, light and dark, in
 * the language with the longer words where room is short. Nothing is cut, nothing stands out sideways, and
 * the one thing to do next is in sight. A picture of each screen that has one is left in `test-results`.
 */
import { expect, type Page } from '@playwright/test'
import { Story, test } from './story.ts'
import { de, en, like, type Words } from './words.ts'

const windows = [
  { name: 'a phone', width: 390, height: 844, language: 'de' },
  { name: 'a laptop', width: 1280, height: 800, language: 'de' },
  { name: 'a large screen', width: 1920, height: 1080, language: 'en' },
] as const
const schemes = ['light', 'dark'] as const

const practiceImage = (words: Words, name: string, chip: string): string =>
  words.choose_practice_image.replace('{name}', name).replace('{chip}', chip)

/** What is wrong with the page as it stands, in words for whoever reads the failure. */
const faults = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const isShown = (element: Element) =>
      element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
      !element.closest('.visually-hidden, [aria-hidden=true], svg, .unseen') &&
      getComputedStyle(element).clipPath === 'none'
    const scrolls = (element: Element) =>
      [...ancestors(element)].some(({ scrollWidth, clientWidth, tagName }) => {
        return tagName !== 'HTML' && tagName !== 'BODY' && scrollWidth > clientWidth + 1
      })
    function* ancestors(element: Element) {
      for (let one = element.parentElement; one; one = one.parentElement) yield one
    }
    const holdsText = (element: Element) =>
      [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue?.trim())
    const named = (element: Element) => `${element.tagName} "${element.textContent.trim().slice(0, 60)}"`

    const found: string[] = []
    const { scrollWidth } = document.documentElement
    if (scrollWidth > innerWidth) found.push(`the page is ${String(scrollWidth)} wide`)
    for (const element of document.body.querySelectorAll('*')) {
      if (!holdsText(element) || !isShown(element)) continue
      const { left, right } = element.getBoundingClientRect()
      if ((right > innerWidth + 1 || left < -1) && !scrolls(element)) found.push(`outside: ${named(element)}`)
      const { overflowX } = getComputedStyle(element)
      if (overflowX !== 'visible' && overflowX !== 'auto' && element.scrollWidth > element.clientWidth + 1)
        found.push(`cut: ${named(element)}`)
    }
    return found
  })

for (const { name, width, height, language } of windows)
  test(`on ${name} every screen and every step stands whole, light and dark`, async ({ browser }, info) => {
    test.setTimeout(120_000)
    const words = language === 'de' ? de : en
    const page = await browser.newPage({
      viewport: { width, height },
      locale: language,
      serviceWorkers: 'block',
      reducedMotion: 'reduce',
    })
    const story = new Story(page, words)

    /** Looks at what is on the screen now; `act`: there is one thing to do next, and it is in sight. */
    async function look(screen: string, act: 'act' | 'read' = 'read') {
      const grounds = new Set<string>()
      for (const colorScheme of schemes) {
        await page.emulateMedia({ colorScheme })
        grounds.add(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor))
        if (act === 'act')
          await page.screenshot({ path: info.outputPath(`${screen}-${colorScheme}.jpeg`), quality: 80 })
      }
      expect(grounds.size, `${screen} has a light and a dark ground`).toBe(schemes.length)
      expect(await faults(page), screen).toEqual([])
      const primary = page.locator('.primary:visible')
      if (act === 'act') {
        await expect(primary, `${screen} has one primary action`).toHaveCount(1)
        await expect(primary, screen).toBeInViewport({ ratio: 1 })
      } else expect(await primary.count(), `${screen} has at most one primary action`).toBeLessThanOrEqual(1)
    }
    async function visit(path: string, heading: string, act: 'act' | 'read' = 'read') {
      await page.goto(`./#/${path}`)
      await expect(story.heading(heading)).toBeVisible()
      await look(path.replace('/', '-') || 'bench', act)
    }

    await visit('', words.bench_title, 'act')
    await visit('library', words.library_title)
    await visit('images', words.image_title)
    await visit('links', words.makelink_title)
    await visit('rescue', words.rescue_title)
    await visit('rescue/usbasp', words.rescue_usbasp, 'act')
    await visit('rescue/bring-usbasp', words.bring_usbasp, 'act')
    await visit('settings', words.settings_title)
    await visit('job', words.job_none, 'act')

    await story.openBench()
    await look('practice')
    await story.plug(words.practice_usbasp_board, words.dial_no_target)
    await expect(page.getByRole('alert')).toBeVisible()
    await look('1-connect-stopped', 'act')
    await page.goto('./#/')
    await expect(story.link(words.job_open_back)).toBeVisible()
    await look('bench-with-a-job')
    await story.plugIn(words.practice_usbasp_pair)
    await story.breakTransfer(words.fault_hang, 100_000) // the open panel must fit too
    await look('2-back-up', 'act')
    await story.backUp()
    await look('3-choose', 'act')
    await story.take(practiceImage(words, 'USBasp 1.10', 'ATmega8'))
    await look('5-plan', 'act')
    await story.write()
    await expect(story.heading(words.prove_by_itself)).toBeVisible()
    await look('7-prove', 'act')
    await story.button(words.prove_practice).click()
    await story.button(words.prove_ask).click()
    await expect(story.heading(like(words.prove_runs))).toBeVisible()
    await look('7-proven', 'act')
    for (const [number, step] of [
      ['1', words.step_connect],
      ['3', words.step_choose],
      ['4', words.step_check],
      ['6', words.step_write],
    ] as const) {
      await story.step(step).click()
      await look(`${number}-opened-again`, 'act')
    }
    await story.step(words.step_prove).click()
    await story.openCertificate()
    await look('certificate', 'act')
    await story.link(words.cert_backup).click()
    await expect(story.button(words.entry_restore)).toBeVisible()
    await look('library-entry', 'act')
    await page.close()
  })

test('light or dark is for the user to choose, and is chosen before the first picture of the next visit', async ({
  page,
  story,
}) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  await page.emulateMedia({ colorScheme: 'light' })
  await page.goto('./#/settings')
  const light = await ground()
  await page.getByLabel(en.settings_scheme_dark).check()
  const dark = await ground()
  expect(dark).not.toBe(light)
  await page.reload({ waitUntil: 'commit' })
  await page.waitForFunction(() => document.querySelector('main'))
  expect(await ground()).toBe(dark)
  await expect(page.getByLabel(en.settings_scheme_dark)).toBeChecked()
  await page.getByLabel(en.settings_scheme_auto).check()
  expect(await ground()).toBe(light)
  await expect(story.heading(en.settings_title)).toBeVisible()
})
