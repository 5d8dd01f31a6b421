/** The app in real Chromium over real Web Serial, with even parity: an STM32 by the boot loader in its ROM. */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { readCertificate } from '../e2e/certificate.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import { sameImage, writing, type LabCase } from './lab-case.ts'

const flashStart = 0x0800_0000

const wholeJob: LabCase = {
  name: 'Chromium, stm32-uart:stm32f030: the whole job to the certificate',
  twins: [{ id: 'stm32-uart:stm32f030' }],
  opensSite: true,
  onDemand: true,
  timeoutMs: 1_200_000,
  async run({ guest, site, twins: [twin], measure }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const image = sameImage(before, before.length)
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.plan(image, flashStart, 'STM32 (ROM boot loader, serial)')
    await measure(writing(image), () => story.writeWhole())
    await story.proveByReading()
    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'read-again')
    assert(equal(twin.memory('flash'), image), 'the flash is not what was written')
  },
}

export default [wholeJob]
