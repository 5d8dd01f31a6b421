/** Somebody whose programmer behaves strangely saves what went over the wire, to show it to somebody else. */
import { expect } from '@playwright/test'
import { test } from './story.ts'

test('what went over the wire is saved, emptied or whole', async ({ page, story, words }) => {
  const bytes = async () => Buffer.from((await story.saved(story.button(words.settings_wire_save))).bytes)
  await story.openBench()
  await story.plugIn(words.practice_usbasp_pair)
  await story.backUp()
  await page.evaluate(() => (location.hash = '#/settings'))
  await story.reads(words.settings_wire_without)
  const emptied = await bytes()
  await page.getByLabel(words.settings_wire_contents).check()
  await story.reads(words.settings_wire_with)
  const whole = await bytes()
  expect([...whole.subarray(0, 4)]).toEqual([0x0a, 0x0d, 0x0d, 0x0a])
  expect(whole.length).toBe(emptied.length)
  const inFirmware = Buffer.from('fischl', 'utf16le')
  expect(whole.includes(inFirmware)).toBe(true)
  expect(emptied.includes(inFirmware)).toBe(false)
})

test('a bug report plays the device again on the practice bench, without it', async ({
  page,
  story,
  words,
}) => {
  await story.openBench()
  await story.plugIn(words.practice_usbasp_pair)
  await story.backUp()
  const chip = await page.getByText('ATmega8').count()
  expect(chip).toBeGreaterThan(0)
  await page.evaluate(() => (location.hash = '#/settings'))
  await page.getByLabel(words.settings_wire_contents).check()
  const report = await story.saved(story.button(words.settings_report_save))
  const buffer = Buffer.from(report.bytes)

  await story.openBench()
  await page.getByText(words.practice_report, { exact: true }).click()
  const open = async (file: Buffer) => {
    const chooser = page.waitForEvent('filechooser')
    await story.button(words.practice_report_open).click()
    await (await chooser).setFiles({ name: report.name, mimeType: 'application/json', buffer: file })
  }
  await open(buffer.subarray(0, buffer.length - 2))
  await story.sees(page.getByRole('alert'))
  await open(buffer)
  await story.backUp()
  await story.reads('ATmega8')
})
