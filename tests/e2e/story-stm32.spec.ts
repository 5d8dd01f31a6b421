/** Somebody with an STM32 on a serial adapter, which does not say what is behind it. */
import { expect } from '@playwright/test'
import { practiceProgram } from '../../src/chips/cortex-m-program.ts'
import { formatIntelHex } from '../../src/firmware/intel-hex.ts'
import { axe, objections } from './axe.ts'
import { test } from './story.ts'
import { en } from './words.ts'

const loader = 'STM32 (ROM boot loader, serial)'
const start = 0x0800_0000
const program = formatIntelHex([{ address: start, bytes: practiceProgram(start, 4000, 3) }])

test('what is behind an adapter is asked, and then backed up, written and read back', async ({
  story,
  page,
}) => {
  await page.addInitScript({ content: axe })
  await story.openBench()
  await story.plugIn(en.practice_stm32f103_uart)
  await story.backUp()
  await page.goto('./#/')
  await expect(story.main.getByText(en.device_which)).toBeVisible()
  await expect(story.button('Arduino (STK500v1)')).toBeVisible()
  await story.reads(en.notice_boot_pins)
  expect(await objections(page, { resultTypes: ['violations'] })).toEqual([])
  await story.press(story.button(loader))
  await story.sees(story.button(en.backup_start))
  await story.backUp()
  await story.take('Program 2')
  await story.write()
  await story.proveByReading()
})

test('a protected one is erased with the word, asked anew through the same adapter and written', async ({
  story,
  page,
}) => {
  await story.openBench()
  await story.plugIn(en.practice_stm32f030_uart, en.dial_locked)
  await story.press(story.button(en.backup_start))
  await page.getByLabel(en.backup_acknowledge).check()
  await story.press(story.button(en.backup_go_on))
  await story.backedUp()
  await story.bring('program.hex', program)
  await story.planned()
  await expect(story.button(en.plan_write)).toBeDisabled()
  await story.consent()
  await story.write()
  await story.proveByReading()
})
