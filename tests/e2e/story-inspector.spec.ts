/** Somebody has a file that nobody knows, and asks what it is and from what that follows. */
import { expect } from '@playwright/test'
import { concat } from '../../src/core/bytes.ts'
import { cortexProgram, noise } from '../../src/inspector/test-firmware.ts'
import { axe, objections } from './axe.ts'
import { test } from './story.ts'
import { en, like } from './words.ts'

/** A program for STM32 with something encrypted behind it; nothing says where it goes. */
const file = concat(cortexProgram(0x0800_4000, 0x2000_5000, 8192), noise(8192))

for (const colorScheme of ['light', 'dark'] as const)
  test(`what an unknown file is, with the bytes that say so, ${colorScheme}`, async ({ page, story }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.addInitScript({ content: axe })
    await page.goto('./#/images')
    await story.bring('unknown.bin', file, en.image_drop)
    await expect(story.heading(en.inspect_title)).toBeVisible()

    const first = story.main.getByRole('listitem').filter({ hasText: en.say_cortex_program })
    await expect(first).toContainText(en.confidence_certain)
    await story.reads(like(en.say_cortex_base_chips, { base: '0x0800_4000' }))
    expect(await objections(page, { resultTypes: ['violations'] })).toEqual([])

    const reset = like(en.clue_reset, { value: '0x0800_4119' })
    await first.getByRole('button', { name: reset }).click()
    await expect(story.heading(en.image_bytes)).toBeFocused()
    const bytes = page.getByRole('grid')
    await expect(bytes).toBeInViewport()
    await story.reads(like(en.hex_at, { address: '0x0004', hex: '19' }))
    await expect(bytes.locator('.found').first()).toHaveText('19')
  })

test('the strip goes by keyboard, and what it says leads to the bytes', async ({ page, story }) => {
  await page.goto('./#/images')
  await story.bring('unknown.bin', file, en.image_drop)
  const strip = page.getByRole('slider', { name: en.texture_cursor })
  await expect(strip).toHaveAttribute(
    'aria-valuetext',
    like(en.texture_cell, { first: '0x0000', last: '0x00ff' }),
  )
  await strip.focus()
  await strip.press('End')
  const last = like(en.texture_cell, { first: '0x3f00', last: '0x3fff', kind: en.texture_random })
  await expect(strip).toHaveAttribute('aria-valuetext', last)
  await strip.press('Enter')
  await story.reads(like(en.hex_at, { address: '0x3f00' }))
})
