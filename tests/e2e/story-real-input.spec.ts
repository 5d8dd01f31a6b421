/**
 * The main job on real input: a boot loader image as Debian's arduino-core-avr ships it, dropped through the
 * file input, written to the target's twin through the real screens, proven, with its certificate.
 */
import { createHash } from 'node:crypto'
import { expect } from '@playwright/test'
import { bootLoaderFile } from '../witness/arduino-core.ts'
import { hashesOf, readCertificate } from './certificate.ts'
import { test } from './story.ts'
import { en } from './words.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

test('a real optiboot goes into an ATmega8 behind a USBasp, and its certificate says so', async ({
  story,
}) => {
  const file = bootLoaderFile('optiboot/optiboot_atmega8.hex')
  await story.openBench()
  await story.plugIn(en.practice_usbasp_atmega8)
  await story.backUp()
  await story.bring('optiboot_atmega8.hex', file)
  await story.planned()
  await story.consent()
  await story.write()
  await story.button(en.prove_skip).click() // a bare chip has no plug of its own
  await expect(story.heading(en.prove_read_again)).toBeVisible()

  const certificate = await readCertificate((await story.saved(story.button(en.prove_save))).bytes)
  expect(certificate).toMatchObject({
    practice: true,
    patient: { chip: 'ATmega8' },
    source: { kind: 'file', name: 'optiboot_atmega8.hex', sha256: sha256(file), sizeBytes: file.length },
    after: { firmware: { name: expect.stringContaining('Optiboot') as unknown, version: '4.4' } },
    proof: { kind: 'read-again' },
  })
  const { before, after } = hashesOf(certificate, 'flash')
  expect(after).not.toBe(before)
})

test('the over-long optiboot for the ATmega328 is refused with the place, and nothing is written', async ({
  story,
}) => {
  await story.openBench()
  await story.plugIn(en.practice_usbasp_board)
  await story.backUp()
  await story.bring('optiboot_atmega328.hex', bootLoaderFile('optiboot/optiboot_atmega328.hex'))
  const alert = story.main.getByRole('alert')
  await expect(alert).toContainText('0x7ffe')
  await expect(alert).toContainText('35')
  await expect(story.button(en.plan_write)).toBeHidden()
})
