/** Somebody has a firmware file and wants to know what it is, without a device, or has an archive of some. */
import { expect, type Page } from '@playwright/test'
import { zipSync } from 'fflate'
import { parseSRecord } from '../../src/firmware/s-record.ts'
import { formatUf2 } from '../../src/firmware/uf2.format.ts'
import { hexFile, practiceBytes, sha256 } from './firmware.ts'
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

/** The drive of a boot loader, as a folder of the browser's own; it has no picker for that. */
async function showDrive(page: Page, info: string | undefined): Promise<void> {
  await page.evaluate(async (info) => {
    const folder = await navigator.storage.getDirectory()
    if (info !== undefined) {
      const file = await folder.getFileHandle('Info_UF2.txt', { create: true })
      const writable = await file.createWritable()
      await writable.write(info)
      await writable.close()
    }
    Object.assign(globalThis, { showDirectoryPicker: () => Promise.resolve(folder) })
  }, info)
}

test('a UF2 is copied onto the drive of a board that it is for, and no other', async ({ page, story }) => {
  await page.goto('./#/images')
  const file = formatUf2([{ address: 0x1000_0000, bytes: new Uint8Array(4096).fill(0x5a) }], {
    family: 0xe48bff56,
  })
  await story.bring('pico.uf2', file, en.image_drop)
  await expect(story.heading('pico.uf2')).toBeVisible()
  await showDrive(page, undefined)
  await story.button(en.drive_copy).click()
  await story.reads(like(en.drive_none, { file: 'INFO_UF2.TXT' }))

  await showDrive(page, 'Model: Raspberry Pi RP2350\nBoard-ID: RP2350\n')
  await story.button(en.drive_copy).click()
  await story.reads(like(en.drive_other_chip, { model: 'Raspberry Pi RP2350', chip: 'RP2040' }))

  await showDrive(page, 'Model: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n')
  await story.button(en.drive_copy).click()
  await story.reads(like(en.drive_copied, { model: 'Raspberry Pi RP2' }))
  const copied = await page.evaluate(async () => {
    const folder = await navigator.storage.getDirectory()
    const file = await (await folder.getFileHandle('pico.uf2')).getFile()
    return [...new Uint8Array(await file.arrayBuffer())]
  })
  expect(Buffer.from(copied).equals(Buffer.from(file))).toBe(true)
})

const bytes = practiceBytes('USBasp 1.10 practice image for ATmega8')
const text = (content: string) => new TextEncoder().encode(content)
const archive = zipSync({
  'README.md': text('# Which one?'),
  'atmega8.hex': text(hexFile(bytes)),
  'atmega88.hex': text(hexFile(practiceBytes('USBasp 1.10 practice image for ATmega88'))),
})

test('of an archive the firmware that is chosen is saved as another format', async ({ page, story }) => {
  await page.goto('./#/images')
  await story.bring('usbasp.zip', archive, en.image_drop)
  await expect(story.heading(like(en.file_parts_title, { name: 'usbasp.zip' }))).toBeVisible()
  await expect(story.button('README.md')).toHaveCount(0)
  await expect(story.main.getByRole('listitem').filter({ hasText: 'atmega8.hex' })).toContainText('KiB')
  await story.button('atmega8.hex').click()
  await story.reads('Intel HEX · ZIP · atmega8.hex')

  await page.getByLabel(en.image_save_as).selectOption({ label: 'Motorola S-record (.s19)' })
  const saved = await story.saved(story.button(en.image_save))
  expect(saved.name).toBe('usbasp.s19')
  expect(parseSRecord(Uint8Array.from(saved.bytes)).segments).toEqual([{ address: 0, bytes }])
})

test('an image that a format cannot hold is refused in its words', async ({ page, story }) => {
  await page.goto('./#/images')
  const far = 'S3090000000001020304EC\nS309F000000001020304FC\nS70500000000FA\n'
  await story.bring('far.s37', far, en.image_drop)
  await page.getByLabel(en.image_save_as).selectOption({ label: `${en.image_format_binary} (.bin)` })
  await story.button(en.image_save).click()
  await expect(story.main.getByRole('alert')).toContainText(en.file_address_overflow)
  await page.getByLabel(en.image_save_as).selectOption({ label: 'Intel HEX (.hex)' })
  await expect(story.main.getByRole('alert')).toBeHidden()
})

test('a job asks which firmware of an archive is meant, and goes on with that', async ({ story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp()
  await story.bring('usbasp.zip', archive)
  await expect(story.heading(like(en.file_parts_title, { name: 'usbasp.zip' }))).toBeVisible()
  await expect(story.main.getByRole('alert')).toBeHidden()
  await story.button('atmega88.hex').click()
  await expect(story.heading(like(en.choose_refused))).toBeVisible()
  await story.bring('usbasp.zip', archive)
  await story.button('atmega8.hex').click()
  await story.planned()
})

test('of a raw binary in an archive the address is asked for', async ({ story }) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp()
  await story.bring('raw.zip', zipSync({ 'first.bin': bytes, 'second.bin': bytes.slice(2) }))
  await story.button('first.bin').click()
  await story.button(like(en.choose_use, { name: 'raw.zip' })).click()
  await story.planned()
})

test('two files are compared place by place, and the other need not be of the same format', async ({
  page,
  story,
}) => {
  await page.goto('./#/images')
  await story.bring('one.hex', hexFile(bytes), en.image_drop)
  const choose = async (name: string, content: Uint8Array) => {
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: /Compare with/ }).click(),
    ])
    await chooser.setFiles({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(content) })
  }
  await choose('same.bin', bytes)
  await story.reads(like(en.diff_equal))

  const changed = bytes.slice()
  changed[0x10] = (changed[0x10] ?? 0) ^ 0xff
  changed[0x100] = (changed[0x100] ?? 0) ^ 0xff
  await choose('changed.bin', changed)
  await story.reads(like(en.diff_in_places, { bytes: '2', places: '2' }))
  await story.button(en.diff_next).click()
  await story.reads(like(en.diff_place, { number: '2', count: '2' }))

  await choose('broken.hex', text(':10'))
  await expect(story.main.getByRole('alert')).toContainText(en.file_truncated)
})
