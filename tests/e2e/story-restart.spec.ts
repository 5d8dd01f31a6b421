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
