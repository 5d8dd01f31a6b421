/** The app in real Chromium over real WebUSB: an STM32 in DFU mode backed up, written, and given back what it had. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { hashesOf, readCertificate } from '../e2e/certificate.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import { sameImage, writing, type LabCase } from './lab-case.ts'

const restored: LabCase = {
  name: 'Chromium, dfu:stm32f072: the whole job to the certificate, and its backup restored',
  twins: [{ id: 'dfu:stm32f072' }],
  opensSite: true,
  timeoutMs: 900_000,
  async run({ guest, site, twins: [twin], measure }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const image = sameImage(before, 8192)
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.plan(image, 0x0800_0000)
    await measure(writing(image), () => story.writeWhole())
    await story.proveByReading()
    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'read-again')
    const { before: was, after } = hashesOf(certificate, 'flash')
    assert.notEqual(was, after)
    assert(equal(twin.memory('flash').slice(0, image.length), image), 'the flash is not what was written')
    assert(
      equal(twin.memory('flash').slice(image.length), before.slice(image.length)),
      'the rest has changed',
    )

    await story.press(story.step(en.step_back_up))
    await story.press(story.link(en.backup_open))
    await story.press(story.button(en.entry_restore))
    await story.press(story.button(en.device_start))
    await story.press(story.button(en.backup_start))
    await story.planned()
    await story.consent()
    await story.writeWhole()
    assert(equal(twin.memory('flash'), before), 'the flash is not as it was')
  },
}

export default [restored]
