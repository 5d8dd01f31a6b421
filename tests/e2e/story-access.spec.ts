/**
 * For people who do not look at the screen, or use no mouse: every screen and step passes axe, the whole job
 * goes by keyboard alone, and what a job does is said aloud.
 */
import { expect, type Locator, type Page } from '@playwright/test'
import type { RunOptions } from 'axe-core'
import { axe, objections } from './axe.ts'
import { Story, test } from './story.ts'
import { de, en, like, type Words } from './words.ts'

declare global {
  interface Window {
    /** What the job's live region said, in its order. */
    heard: string[]
  }
}

const practiceImage = (words: Words, name: string, chip: string): string =>
  words.choose_practice_image.replace('{name}', name).replace('{chip}', chip)

// ---- axe -----------------------------------------------------------------------------------------

/** What may differ when only words and colours do. */
const ofWordsAndColours = {
  type: 'rule',
  values: [
    ...['color-contrast', 'link-in-text-block', 'document-title', 'html-has-lang', 'html-lang-valid'],
    ...['button-name', 'link-name', 'label', 'select-name', 'summary-name', 'svg-img-alt', 'empty-heading'],
  ],
} satisfies RunOptions['runOnly']

for (const [language, colorScheme, options] of [
  ['en', 'light', {} as RunOptions],
  ['de', 'dark', { runOnly: ofWordsAndColours }],
] as const)
  test(`axe objects to no screen and no step, ${language} and ${colorScheme}`, async ({ browser }) => {
    test.setTimeout(120_000)
    const words = language === 'de' ? de : en
    const page = await browser.newPage({
      locale: language,
      colorScheme,
      serviceWorkers: 'block',
      reducedMotion: 'reduce',
    })
    await page.addInitScript({ content: axe })
    const story = new Story(page, words)
    const look = async (screen: string) => {
      expect(await objections(page, { ...options, resultTypes: ['violations'] }), screen).toEqual([])
    }
    async function visit(path: string, heading: string) {
      await page.goto(`./#/${path}`)
      await expect(story.heading(heading)).toBeVisible()
      await look(path)
    }

    await visit('', words.bench_title)
    await expect(page.locator('html')).toHaveAttribute('lang', language)
    await page.getByText(words.bench_not_listed).click()
    await look('help with the list')
    await visit('library', words.library_title)
    await visit('images', words.image_title)
    await story.bring('blink.hex', ':040000000C945C0000\n:00000001FF\n', words.image_drop)
    await expect(story.button(words.image_use)).toBeVisible()
    await look('an image')
    await visit('links', words.makelink_title)
    await expect(story.button(words.makelink_copy)).toBeVisible()
    await look('a link made')
    await visit('rescue', words.rescue_title)
    await visit('rescue/usbasp', words.rescue_usbasp)
    await visit('rescue/bring-usbasp', words.bring_usbasp)
    await visit('settings', words.settings_title)
    await visit('job', words.job_none)

    await story.openBench(1)
    await story.plugIn(words.practice_usbasp_pair)
    await story.button(words.backup_start).click()
    await expect(story.button(words.job_stop)).toBeVisible()
    await look('while it reads')

    await story.openBench()
    const faults = page.getByText(words.practice_faults, { exact: true })
    await faults.click()
    await look('the practice bench')
    await faults.click()
    await story.plug(words.practice_usbasp_board, words.dial_no_target)
    await expect(page.getByRole('alert')).toBeVisible()
    await look('stopped')
    await page.goto('./#/')
    await story.plugIn(words.practice_usbasp_board, words.dial_locked)
    await look('a locked chip')
    await story.button(words.backup_start).click()
    await page.getByLabel(words.backup_acknowledge).check()
    await look('what cannot be saved')
    await story.button(words.backup_go_on).click()
    await story.backedUp()
    await story.take(practiceImage(words, 'Blink 2', 'ATmega328P'))
    await look('a plan with consents')

    await page.goto('./#/')
    await story.plugIn(words.practice_usbasp_pair)
    await look('before the backup')
    await story.backUp()
    await look('the choice')
    await story.take(practiceImage(words, 'USBasp 1.10', 'ATmega8'))
    await look('the plan')
    await story.write()
    await look('while it writes')
    await expect(story.heading(words.prove_by_itself)).toBeVisible()
    await look('before the proof')
    await story.button(words.prove_practice).click()
    await story.button(words.prove_ask).click()
    await expect(story.heading(like(words.prove_runs))).toBeVisible()
    await look('the proof')
    for (const step of [words.step_connect, words.step_check, words.step_write]) {
      await story.step(step).click()
      await look(`${step}, opened again`)
    }
    await story.step(words.step_prove).click()
    await story.openCertificate()
    await look('the certificate')
    await story.link(words.cert_backup).click()
    await expect(story.button(words.entry_restore)).toBeVisible()
    await look('a backup')
    await page.close()
  })

// ---- the keyboard --------------------------------------------------------------------------------

const hasFocus = (locator: Locator): Promise<boolean> =>
  locator.evaluateAll((all) => all.some((element) => element === document.activeElement))

/** Tabs to it, as far as a person would go, and sees where the focus is. */
async function reach(page: Page, locator: Locator, mostTabs = 60): Promise<void> {
  await expect(locator.first()).toBeVisible()
  for (let tabs = 0; tabs < mostTabs; tabs++) {
    if (await hasFocus(locator)) {
      const { outlineStyle, outlineWidth } = await locator.evaluateAll((all) => {
        const element = all.find((one) => one === document.activeElement) ?? document.body
        const { outlineStyle, outlineWidth } = getComputedStyle(element)
        return { outlineStyle, outlineWidth }
      })
      expect(outlineStyle).not.toBe('none')
      expect(parseFloat(outlineWidth)).toBeGreaterThanOrEqual(2)
      return
    }
    await page.keyboard.press('Tab')
  }
  throw new Error(`${String(mostTabs)} tabs did not reach ${String(locator)}`)
}

test('the whole job goes by keyboard alone, and each step is read from its heading', async ({
  page,
  story,
}) => {
  await story.countPresses()
  await page.goto('./')
  const press = async (locator: Locator) => {
    await reach(page, locator)
    await page.keyboard.press('Enter')
  }
  /** What had the focus is gone with its step; the next one begins at its heading. */
  const reads = (heading: string | RegExp) => expect(story.heading(heading)).toBeFocused()

  await press(story.button(en.practice_start))
  await reads(en.practice_panel)
  await reach(page, page.getByLabel(en.practice_speed))
  await page.keyboard.press('End')
  await press(page.getByRole('button', { name: en.practice_usbasp_pair }))
  await reads(like(en.backup_title))
  await press(story.button(en.backup_start))
  await reads(en.choose_title)
  await press(story.button(like(en.offer_take_this, { title: 'USBasp 1.10 practice image for ATmega8' })))
  await reads(like(en.plan_title))

  // The map is a picture that arrow keys walk through, cell by cell, in words.
  const map = page.getByRole('slider', { name: like(en.map_cursor, { memory: en.memory_flash }) })
  await reach(page, map)
  await page.keyboard.press('ArrowRight')
  await expect(map).toHaveAttribute('aria-valuetext', /0x0040.*new bytes/)

  await press(story.button(en.plan_write))
  await reads(en.prove_by_itself)
  await press(story.button(en.prove_practice))
  await reads(like(en.prove_here))
  await press(story.button(en.prove_ask))
  await reads(like(en.prove_runs))
  await press(story.link(en.prove_certificate))
  await expect(story.heading(en.cert_title)).toBeVisible()
  await reach(page, story.button(en.cert_save))
  expect(await story.presses()).toBe(0)
})

// ---- what is said --------------------------------------------------------------------------------

/** Notes what the page's polite live regions say from now on. */
const listen = (page: Page): Promise<void> =>
  page.evaluate(() => {
    window.heard = []
    const note = () => {
      const said = document.querySelector('main > [role=status]')?.textContent.trim()
      if (said && said !== window.heard.at(-1)) window.heard.push(said)
    }
    note()
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true })
  })

test('a backup says what it does and its quarters, and no more', async ({ page, story }) => {
  await story.openBench(5)
  await story.plugIn(en.practice_usbasp_pair)
  await listen(page)
  await story.backUp()
  const heard = await page.evaluate(() => window.heard)
  const flash = { memory: en.memory_flash }
  expect(heard.some((said) => like(en.operation_read, flash).test(said))).toBe(true)
  expect(heard.some((said) => like(en.operation_confirm, flash).test(said))).toBe(true)
  expect(heard.filter((said) => like(en.job_announce).test(said)).length).toBeGreaterThan(0)
  expect(heard.length, heard.join('\n')).toBeLessThan(50)
  expect(new Set(heard).size, 'nothing is said twice').toBe(heard.length)
})

test('what stops a job is an alert, and is read first', async ({ page, story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_board, en.dial_flicker)
  await story.button(en.backup_start).click()
  const alert = page.getByRole('alert')
  await expect(alert).toHaveCount(1)
  await expect(alert.getByRole('heading')).toBeFocused()
  await expect(story.step(en.step_back_up)).toHaveAccessibleName(new RegExp(en.step_state_failed))
  await reach(page, story.button(en.job_try_again))
})
