/** Somebody has a firmware file and wants to know what it is, without a device, or has an archive of some. */
import { crc32 } from 'node:zlib'
import { expect, type Page } from '@playwright/test'
import { zipSync } from 'fflate'
import { hex } from '../../src/core/bytes.ts'
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
async function showDrive(page: Page, files: Readonly<Record<string, string>> = {}): Promise<void> {
  await page.evaluate(async (files) => {
    const folder = await navigator.storage.getDirectory()
    for (const [name, text] of Object.entries(files)) {
      const file = await folder.getFileHandle(name, { create: true })
      const writable = await file.createWritable()
      await writable.write(text)
      await writable.close()
    }
    Object.assign(globalThis, { showDirectoryPicker: () => Promise.resolve(folder) })
  }, files)
}
const infoUf2 = (text: string) => ({ 'Info_UF2.txt': text })

/** What was copied there. */
async function onDrive(page: Page, name: string): Promise<Buffer> {
  const copied = await page.evaluate(async (name) => {
    const folder = await navigator.storage.getDirectory()
    const file = await (await folder.getFileHandle(name)).getFile()
    return [...new Uint8Array(await file.arrayBuffer())]
  }, name)
  return Buffer.from(copied)
}

test('a UF2 is copied onto the drive of a board that it is for, and no other', async ({ page, story }) => {
  await page.goto('./#/images')
  const file = formatUf2([{ address: 0x1000_0000, bytes: new Uint8Array(4096).fill(0x5a) }], {
    family: 0xe48bff56,
  })
  await story.bring('pico.uf2', file, en.image_drop)
  await expect(story.heading('pico.uf2')).toBeVisible()
  await showDrive(page)
  await story.button(en.drive_copy).click()
  await story.reads(like(en.drive_none, { file: 'INFO_UF2.TXT' }))

  await showDrive(page, infoUf2('Model: Raspberry Pi RP2350\nBoard-ID: RP2350\n'))
  await story.button(en.drive_copy).click()
  await story.reads(like(en.drive_other_chip, { model: 'Raspberry Pi RP2350', chip: 'RP2040' }))

  await showDrive(page, infoUf2('Model: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n'))
  await story.button(en.drive_copy).click()
  await story.reads(like(en.drive_copied, { model: 'Raspberry Pi RP2' }))
  expect((await onDrive(page, 'pico.uf2')).equals(Buffer.from(file))).toBe(true)
})

/** Firmware for a DAPLink probe with a KL26Z, as its build makes it: the last word is its checksum. */
function daplink(version: number): Buffer {
  const bytes = Buffer.alloc(0x1_7c00, 0x5a)
  bytes.writeUInt32LE(0x1000_2000, 0)
  bytes.writeUInt32LE(0x0000_00c1, 4)
  for (const [i, word] of [0x9b93_9e8f, 0x9796_9901, version].entries())
    bytes.writeUInt32LE(word, 0x20 + i * 4)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4)
  return bytes
}

const details = (mode: 'Bootloader' | 'Interface', version: string, crc: number, hic = '97969901') => ({
  'DETAILS.TXT': `Unique ID: 0001000100000000000000000000000097969901\r\nHIC ID: ${hic}\r\n\
Daplink Mode: ${mode}\r\nInterface Version: ${version}\r\nInterface CRC: 0x${crc.toString(16).padStart(8, '0')}\r\n`,
})

test('a DAPLink probe is updated by its MAINTENANCE drive, and proven by what it then runs', async ({
  page,
  story,
}) => {
  const file = daplink(257)
  const crc = file.readUInt32LE(file.length - 4)
  await page.goto('./#/images')
  await story.bring('0257_kl26z.bin', file, en.image_drop)
  await expect(story.heading(en.daplink_title)).toBeVisible()
  const pick = story.button(en.daplink_pick)

  await showDrive(page, details('Interface', '0253', 1))
  await pick.click()
  await story.reads(en.daplink_refused_not_maintenance)
  await expect(story.button(en.daplink_copy)).toBeHidden()

  await showDrive(page, details('Bootloader', '0253', 1, '97969900'))
  await pick.click()
  await story.reads(like(en.daplink_refused_other_chip, { chip: 'KL26Z', other: 'K20DX' }))

  await showDrive(page, details('Bootloader', '0253', 1))
  await pick.click()
  const before = {
    chip: 'KL26Z',
    id: '0001000100000000000000000000000097969901',
    now: '0253',
    file: '0257',
  }
  await story.reads(like(en.daplink_now, before))

  await showDrive(page, details('Interface', '0253', 1)) // it was plugged in again, without RESET
  await story.button(en.daplink_copy).click()
  await story.reads(en.daplink_changed)

  await showDrive(page, details('Bootloader', '0253', 1))
  await pick.click()
  await story.reads(like(en.daplink_now, before))
  await story.button(en.daplink_copy).click()
  await story.reads(en.daplink_copied)
  expect((await onDrive(page, '0257_kl26z.bin')).equals(file)).toBe(true)

  await showDrive(page, { ...details('Bootloader', '0253', 1), 'FAIL.TXT': 'error: The transfer timed out.' })
  await story.button(en.daplink_prove).click()
  await story.reads(en.daplink_still_maintenance)
  await story.reads(like(en.daplink_says, { file: 'FAIL.TXT', text: 'error: The transfer timed out.' }))

  await showDrive(page, details('Interface', '0257', 1))
  await story.button(en.daplink_prove).click()
  await story.reads(like(en.daplink_other_content, { version: '0257' }))

  await showDrive(page, details('Interface', '0257', crc))
  await story.button(en.daplink_prove).click()
  await story.reads(like(en.daplink_proven, { version: '0257', crc: hex(crc, 8) }))
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
