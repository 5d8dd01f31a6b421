/** Somebody with an Arduino Leonardo: its boot loader waits for 8 s only, and reading a plan takes longer. */
import { expect } from '@playwright/test'
import { axe, objections } from './axe.ts'
import { readCertificate } from './certificate.ts'
import { test } from './story.ts'
import { en, like } from './words.ts'

test('a sketch is updated through a boot loader that waits as long as the page is open', async ({
  story,
  page,
}) => {
  await page.addInitScript({ content: axe })
  await story.openBench()
  await story.plug(en.practice_leonardo)
  await story.sees(story.heading(en.restart_title))
  await expect(page.getByText(like(en.restart_what, { model: 'Arduino Leonardo' }))).toBeVisible()
  await expect(page.getByText(like(en.restart_note_window, { seconds: '8' }))).toBeVisible()
  expect(await objections(page, { resultTypes: ['violations'] })).toEqual([])
  await story.press(story.button(en.restart_do))

  await story.backUp()
  await story.take('Leonardo sketch 2')
  await story.consent()
  await story.write()
  await story.press(story.button(en.prove_look))
  await story.sees(story.heading(like(en.prove_runs, { found: 'Arduino Leonardo' })))
  const { bytes } = await story.saved(story.button(en.prove_save))
  const certificate = await readCertificate(bytes)
  expect(certificate.proof).toMatchObject({ kind: 'running-version', distinct: 'no' })
})

test('its rescue sheet tells how the reset button calls the boot loader', async ({ story, page }) => {
  await page.goto('./#/rescue/arduino-native')
  await story.sees(story.heading(en.rescue_native))
  await story.reads(en.rescue_native_step_reset)
})
