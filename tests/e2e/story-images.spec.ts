/** Somebody has a firmware file and wants to know what it is, without a device. */
import { expect } from '@playwright/test'
import { formatUf2 } from '../../src/firmware/uf2.format.ts'
import { sha256 } from './firmware.ts'
import { test } from './story.ts'
import { en, like } from './words.ts'

test('a file for several chips asks which one is meant', async ({ page, story }) => {
  const content = (fill: number) => [{ address: 0x1000_0000, bytes: new Uint8Array(512).fill(fill) }]
  const file = Buffer.concat([
    formatUf2(content(0x5a), { family: 0xe48bff56 }),
    formatUf2(content(0xa5), { family: 0xe48bff59 }),
  ])
  await page.goto('./#/images')
  await page
    .getByLabel(en.image_drop)
    .setInputFiles({ name: 'both.uf2', mimeType: 'application/octet-stream', buffer: file })
  await expect(story.heading(like(en.file_parts_title, { name: 'both.uf2' }))).toBeVisible()
  await expect(story.main.getByRole('alert')).toBeHidden()

  await story.button('RP2350-ARM-S').click()
  await expect(story.heading('both.uf2')).toBeVisible()
  await story.reads('UF2')
  const hash = sha256(new Uint8Array(512).fill(0xa5))
  await story.reads(new RegExp(`${hash.slice(0, 4)} ${hash.slice(4, 8)}`))
})
