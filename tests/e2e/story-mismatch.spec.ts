/** A worn cell and a bad contact: the bytes that differ are on the screen; and while a job runs nothing else begins. */
import { expect } from '@playwright/test'
import { test } from './story.ts'
import { en, like } from './words.ts'

test('a chip that does not hold a byte: the screen shows it beside what it should be, and on its page', async ({
  story,
}) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair, en.dial_stuck)
  await story.backUp()
  await story.take('USBasp 1.10 practice image for ATmega8')
  await story.consent()
  await story.write()

  const alert = story.main.getByRole('alert')
  await expect(alert.getByRole('columnheader')).toHaveText([
    en.mismatch_address,
    en.mismatch_expected,
    en.mismatch_read,
  ])
  const [address, expected, read] = await alert.getByRole('row').nth(1).getByRole('cell').allTextContents()
  expect(address).toMatch(/^0x[0-9a-f]{4}$/)
  expect(expected).toMatch(/^[0-9a-f]{2}$/)
  expect(read).toMatch(/^[0-9a-f]{2}$/)
  expect(read).not.toBe(expected)
})

test('while a job runs the first page leads back to it and begins nothing', async ({ page, story }) => {
  await story.openBench(1)
  await story.plugIn(en.practice_usbasp_pair)
  await story.button(en.backup_start).click()
  await story.link(en.app_name).click()

  await expect(story.heading(like(en.bench_running_on, { chip: 'ATmega8' }))).toBeVisible()
  await expect(page.getByRole('button', { name: en.practice_usbasp_board })).toHaveCount(0)
  await expect(story.button(en.practice_start)).toHaveCount(0)
  await story.link(en.bench_running_back).click()
  await story.button(en.job_stop).click()
  await expect(story.main.getByRole('alert')).toBeVisible()
  await story.link(en.app_name).click()
  await expect(page.getByRole('button', { name: en.practice_usbasp_board })).toBeVisible()
})
