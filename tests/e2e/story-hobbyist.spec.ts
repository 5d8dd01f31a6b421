/**
 * The hobbyist: her USBasp says "cannot set sck period; please check for usbasp firmware update", she owns an
 * Uno or a second one, and has never done this.
 */
import { createHash } from 'node:crypto'
import { expect } from '@playwright/test'
import practiceFirmware from '../../protocols/usbasp/practice-firmware.ts'
import { blank } from '../../src/core/bytes.ts'
import { groupedHash } from '../../src/ui/text/format.ts'
import { hashesOf, readCertificate } from './certificate.ts'
import { test } from './story.ts'
import { en, like } from './words.ts'

/** The SHA-256 of an ATmega8's flash with this version and nothing else in it. */
function flashWith(version: string): string {
  const image = practiceFirmware.find((one) => one.chip === 'ATmega8' && one.version === version)
  const flash = blank(8192)
  for (const { address, bytes } of image?.build() ?? []) flash.set(bytes, address)
  return createHash('sha256').update(flash).digest('hex')
}

for (const [tool, name] of [
  ['a second USBasp', en.practice_usbasp_pair],
  ['an Uno', en.practice_arduino_pair],
] as const)
  test(`from the first page to the certificate of a USBasp updated by ${tool} in eight clicks`, async ({
    page,
    story,
  }) => {
    await story.countPresses()
    await story.openBench()
    await story.plugIn(name)
    await story.backUp()
    await story.reads(like(en.choose_holds, { name: 'USBasp practice image 1.03' }))

    // The newest is a press away without looking for it; what she has is marked.
    const newest = 'USBasp 1.10 practice image for ATmega8'
    await expect(page.getByRole('listitem').filter({ hasText: newest })).toContainText(en.offer_newest)
    await expect(page.getByRole('listitem').filter({ hasText: 'USBasp 1.03 practice image' })).toContainText(
      en.offer_on_chip,
    )
    await story.button(like(en.choose_next, { title: newest })).click()
    await story.planned()
    await story.write()
    await expect(story.heading(en.prove_by_itself)).toBeVisible()
    await story.button(en.practice_by_itself).click()
    await expect(story.heading(like(en.prove_here, { name: 'USBasp' }))).toBeVisible()
    await page.getByLabel(en.reference_label).fill('Order 7')
    await story.button(en.prove_ask).click()
    await expect(story.heading(like(en.prove_runs))).toBeVisible()
    await story.sees(story.heading(en.prove_itself))
    await story.sees(story.heading(en.aside_tool))
    await story.openCertificate()
    expect(await story.presses()).toBeLessThanOrEqual(8)

    await story.reads(en.cert_signature_valid)
    await story.reads(/^USBasp, firmware 1\.03 → 1\.10, ATmega8/)
    await story.reads('Order 7')
    const { name: file, bytes } = await story.saved(story.button(en.cert_save))
    expect(file).toMatch(/\.json$/)
    const certificate = await readCertificate(bytes)
    expect(certificate).toMatchObject({
      practice: true,
      reference: 'Order 7',
      patient: { model: 'USBasp', chip: 'ATmega8' },
      before: { firmware: { name: 'USBasp practice image', version: '1.03' } },
      after: { firmware: { name: 'USBasp practice image', version: '1.10' } },
      proof: { kind: 'running-version', distinct: 'yes', found: expect.stringContaining('1.10') as unknown },
    })
    expect(hashesOf(certificate, 'flash')).toEqual({ before: flashWith('1.03'), after: flashWith('1.10') })
    expect(certificate.steps.every(({ error }) => error === undefined)).toBe(true)

    // What is in the patient is read once more, as somebody would who does not believe it.
    await page.goBack()
    await story.button(en.practice_replug).click()
    await story.finish()
    await story.button(en.device_start).click()
    await story.backUp()
    await story.reads(like(en.choose_holds, { name: 'USBasp practice image 1.10' }))
    await story.step(en.step_back_up).click()
    await story.link(en.backup_open).click()
    await story.reads(groupedHash(flashWith('1.10')))
  })
