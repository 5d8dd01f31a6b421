/**
 * Files that are none, or not for this chip, through the file input: the screen says what is wrong and
 * where, nothing can be written, and the right file afterwards is taken as if nothing had been.
 */
import { open } from 'node:fs/promises'
import { expect } from '@playwright/test'
import { blank } from '../../src/core/bytes.ts'
import { cortexProgram } from '../../src/inspector/test-firmware.ts'
import { hashesOf, readCertificate } from './certificate.ts'
import { hexEnd, hexFile, hexRecord, practiceBytes, sha256 } from './firmware.ts'
import { test, type Story } from './story.ts'
import { en, like } from './words.ts'

const image = practiceBytes('USBasp 1.10 practice image for ATmega8')
const otherChip = practiceBytes('USBasp 1.10 practice image for ATmega88')
const good = hexFile(image)
const lines = good.split('\n')
const perLine = lines[0]?.length ?? 0

/** The good file with another third line. */
const withThird = (line: string): string => lines.with(2, line).join('\n')
/** The first byte of the image that can be in no text. */
const control = image.findIndex((value) => value < 0x20 && ![0x09, 0x0a, 0x0d, 0x1a].includes(value))
const hex = (value = 0) => `0x${value.toString(16).padStart(2, '0')}`
const thirdAt = 2 * (perLine + 1)
const third = hexRecord(0x20, image.subarray(0x20, 0x30)).trim()
const wrongSum = hexRecord(0x20, image.subarray(0x20, 0x30), { sum: 1 }).trim()

/** `told`: all that is said of the reason and the place. */
interface BadFile {
  readonly name: string
  readonly content: string | Uint8Array
  readonly told: readonly (string | RegExp)[]
}

const line = (number: number) => like(en.file_place_line, { line: String(number) })
const byte = (offset: number) => like(en.file_place_offset, { offset: offset.toLocaleString('en-GB') })
const found = (text: string) => like(en.file_place_found, { found: text })
const expected = (text: string) => like(en.file_place_expected, { expected: text })
const address = (text: string) => like(en.file_place_address, { address: text })

const unreadable: readonly BadFile[] = [
  { name: 'empty.hex', content: '', told: [en.file_empty] },
  {
    name: 'binary.hex',
    content: image,
    told: [like(en.file_not_text, { format: 'Intel HEX' }), byte(control), found(hex(image[control]))],
  },
  { name: 'rar.hex', content: 'Rar!\x1a\x07', told: [like(en.file_foreign, { format: 'RAR' })] },
  { name: 'elf.hex', content: '\x7fELF\x01\x01\x01', told: [en.file_truncated, byte(7)] },
  { name: 'page.hex', content: '<!doctype html><title>404</title>', told: [en.file_web_page] },
  { name: 'notes.txt', content: 'Flash this one.', told: [en.file_plain_text] },
  {
    name: 'checksum.hex',
    content: withThird(wrongSum),
    told: [
      ...[en.file_bad_checksum, line(3), byte(thirdAt + perLine - 2)],
      ...[found(`0x${wrongSum.slice(-2)}`), expected(`0x${third.slice(-2)}`)],
    ],
  },
  {
    name: 'digit.hex',
    content: withThird(`${third.slice(0, 20)}g${third.slice(21)}`),
    told: [en.file_bad_digit, line(3), byte(thirdAt + 20), found('g')],
  },
  {
    name: 'cut.hex',
    content: good.slice(0, thirdAt + 20),
    told: [en.file_truncated, line(3), byte(thirdAt + 20)],
  },
  {
    name: 'no-end.hex',
    content: good.slice(0, thirdAt),
    told: [en.file_no_end_record, line(3), byte(thirdAt)],
  },
  {
    name: 'overlap.hex',
    content: withThird(hexRecord(8, new Uint8Array(8)).trim()),
    told: [
      ...[en.file_overlap, line(3), byte(thirdAt), address('0x0008')],
      like(en.file_place_first_line, { line: '1' }),
    ],
  },
]

/** Well formed, and refused by what the chip is. */
const unfit: readonly BadFile[] = [
  {
    name: 'beyond.hex',
    content: good.replace(hexEnd, hexRecord(0x1ff8, new Uint8Array(16).fill(0x5a)) + hexEnd),
    told: [like(en.check_size_refused, { memory: en.memory_flash, excess: '8', beyond: '0x2000' })],
  },
  {
    name: 'other-chip.hex',
    content: hexFile(otherChip),
    told: [like(en.check_vectors_other, { vectors: '26 × 2', expected: '19 × 2' }), /ATmega88\b/],
  },
  {
    name: 'probe.hex',
    content: hexFile(cortexProgram(0, 0x2000_4000, 4096)),
    told: [like(en.check_content_refused, { found: 'Arm Cortex-M', expected: 'ATmega8' }), /0x2000_4000/],
  },
]

async function cannotWrite(story: Story): Promise<void> {
  await expect(story.button(en.plan_write)).toHaveCount(0)
  await expect(story.step(en.step_write)).toBeDisabled()
}

/** What cannot be read is told in an alert that says what to do. */
async function refusesUnread(story: Story, { name, told }: Pick<BadFile, 'name' | 'told'>): Promise<void> {
  const alert = story.main.getByRole('alert')
  await expect(alert).toHaveCount(1)
  for (const text of [name, ...told]) await expect(alert.getByRole('heading')).toContainText(text)
  await expect(alert.getByRole('definition').first()).toHaveText(en.safe_file)
  await expect(alert.getByRole('definition').last()).not.toBeEmpty()
  await cannotWrite(story)
}

async function takesGood(story: Story): Promise<void> {
  await story.bring('usbasp.hex', good)
  await story.planned()
  await expect(story.main.getByRole('alert')).toBeHidden()
}

test('no bad file can be written, each is told with its reason and place, and a good one goes on', async ({
  page,
  story,
}) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp()

  for (const { name, content, told } of unreadable)
    await test.step(name, async () => {
      await story.bring(name, content)
      await refusesUnread(story, { name, told })
    })

  await test.step('a file of 1 GiB', async () => {
    const path = test.info().outputPath('huge.hex')
    const file = await open(path, 'w')
    await file.truncate(2 ** 30) // sparse: it takes no room
    await file.close()
    await page.getByLabel(en.drop_file).setInputFiles(path)
    await refusesUnread(story, {
      name: 'huge.hex',
      told: [en.file_too_large, found('1024 MiB'), expected('192 MiB')],
    })
  })

  await test.step('a binary that is larger than the chip', async () => {
    await story.bring('large.bin', new Uint8Array(0x2001).fill(0x5a))
    await story.button(like(en.choose_use, { name: 'large.bin' })).click()
    await expect(story.heading(like(en.choose_refused, { name: 'large.bin' }))).toBeVisible()
    await story.reads(like(en.check_size_refused, { excess: '1', beyond: '0x2000' }))
    await cannotWrite(story)
  })

  for (const { name, content, told } of unfit)
    await test.step(name, async () => {
      await story.bring(name, content)
      await expect(story.heading(like(en.choose_refused, { name }))).toBeVisible()
      for (const text of told) await story.reads(text)
      await cannotWrite(story)
      await takesGood(story)
      await story.button(en.plan_other).click()
    })

  await takesGood(story)
  await story.write()
  await story.button(en.practice_by_itself).click()
  await story.button(en.prove_ask).click()
  await expect(story.heading(like(en.prove_runs))).toBeVisible()
  const { bytes } = await story.saved(story.button(en.prove_save))
  const certificate = await readCertificate(bytes)
  const flash = blank(8192)
  flash.set(image)
  expect(hashesOf(certificate, 'flash').after).toBe(sha256(flash))
  expect(certificate.source).toMatchObject({
    kind: 'file',
    name: 'usbasp.hex',
    sha256: sha256(Buffer.from(good)),
  })
})

test('one refusal takes the place of the one before, and what was chosen is kept only by name', async ({
  story,
}) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_pair)
  await story.backUp()
  await story.bring('other-chip.hex', hexFile(otherChip))
  await expect(story.heading(like(en.choose_refused, { name: 'other-chip.hex' }))).toBeVisible()
  await story.bring('empty.hex', '')
  await refusesUnread(story, { name: 'empty.hex', told: [en.file_empty] })
  await expect(story.heading(like(en.choose_refused))).toBeHidden()

  await takesGood(story)
  await story.button(en.plan_other).click()
  await story.bring('page.hex', '<!doctype html>')
  await refusesUnread(story, { name: 'page.hex', told: [en.file_web_page] })
  await expect(story.button(like(en.job_back_to))).toBeHidden()
  await expect(story.main.locator('button.primary:visible')).toHaveCount(0)
  await story.button(like(en.job_keep)).click()
  await story.planned()
  await expect(story.main.getByRole('alert')).toBeHidden()
})

test('Images tells the same of the same files, without a device', async ({ page, story }) => {
  await page.goto('./#/images')
  const input = page.getByLabel(new RegExp(`${en.image_drop.slice(0, 20)}|${en.image_other}`))
  for (const { name, content, told } of unreadable)
    await test.step(name, async () => {
      await input.setInputFiles({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(content) })
      const alert = story.main.getByRole('alert')
      for (const text of told) await expect(alert.getByRole('heading')).toContainText(text)
      await expect(story.button(en.image_use)).toBeHidden()
    })
  await input.setInputFiles({ name: 'usbasp.hex', mimeType: 'text/plain', buffer: Buffer.from(good) })
  await expect(story.heading('usbasp.hex')).toBeVisible()
  await expect(story.main.getByRole('alert')).toBeHidden()
  await story.button(en.image_use).click()
  await expect(story.heading(en.pending_title)).toBeVisible()
})
