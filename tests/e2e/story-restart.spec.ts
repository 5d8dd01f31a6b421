/** Somebody with a Black Magic Probe in use: its own firmware can only be reached through its boot loader. */
import { expect } from '@playwright/test'
import { axe, objections } from './axe.ts'

import { readCertificate } from './certificate.ts'
import { test } from './story.ts'
import { en, like } from './words.ts'

test('a programmer that runs its firmware is started anew, updated, and proven by its own version', async ({
  story,
  page,
}) => {
  await page.addInitScript({ content: axe })
  await story.openBench()
  await story.plug(en.practice_black_magic_probe)
  await story.sees(story.heading(en.restart_title))
  await expect(page.getByText(like(en.restart_what, { model: 'Black Magic Probe' }))).toBeVisible()
  expect(await objections(page, { resultTypes: ['violations'] })).toEqual([])
  await story.press(story.button(en.restart_do))

  // found by itself, as it is allowed already
  await story.backUp()
  await expect(story.step(en.step_connect)).toContainText(en.step_state_done)
  await story.take('Black Magic Probe 2.0.0')
  await story.consent()
  await story.write()
  await story.press(story.button(en.prove_ask))
  await story.sees(story.heading(like(en.prove_runs, { found: 'Black Magic Probe 2.0.0' })))
  const { bytes } = await story.saved(story.button(en.prove_save))
  const certificate = await readCertificate(bytes)
  expect(certificate.proof).toMatchObject({ kind: 'running-version', distinct: 'yes' })
})

test('a chip that lets nothing be read is told so, erased with the word, found again and written', async ({
  story,
  page,
}) => {
  await story.openBench()
  await story.plugIn(en.practice_stm32f072, en.dial_locked)
  await story.press(story.button(en.backup_start))
  await story.sees(story.heading(en.backup_nothing))
  await expect(story.main).not.toContainText('SHA-256')
  await page.getByLabel(en.backup_acknowledge).check()
  await story.press(story.button(en.backup_go_on))
  await story.backedUp()
  await story.take('Program 2')
  await expect(story.button(en.plan_write)).toBeDisabled()
  await story.consent()
  await story.write()
  await story.proveByReading()
})
