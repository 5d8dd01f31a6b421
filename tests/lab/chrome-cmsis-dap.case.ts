/**
 * The app in real Chromium: an STM32 backed up, written and read back through a CMSIS-DAP probe, over real WebHID (version 1,
 * with a small chip, as a report takes a tenth of a second here) and over real WebUSB (version 2).
 */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { en } from '../e2e/words.ts'
import { readCertificate } from '../e2e/certificate.ts'
import { Chrome } from './chrome.ts'
import { sameImage, writing, type LabCase } from './lab-case.ts'

const flashStart = 0x0800_0000

/** What is on its wires was interrupted in its last write: the job brings it back. */
const rescued = (id: string, api: string): LabCase => ({
  name: `Chromium, ${id}: a half-written chip backed up and brought back over ${api}`,
  twins: [{ id, dials: { halfWritten: true } }],
  opensSite: true,
  onDemand: true,
  timeoutMs: 1_500_000,
  async run({ guest, site, twins: [twin], measure }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const image = sameImage(before, 4096)
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.plan(image, flashStart)
    await measure(writing(image), () => story.writeWhole())
    await story.proveByReading()
    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'read-again')
    const flash = twin.memory('flash')
    assert(equal(flash.slice(0, image.length), image), 'the flash is not what was written')
    assert(equal(flash.slice(image.length), before.slice(image.length)), 'the rest has changed')
  },
})

export default [
  rescued('cmsis-dap:daplink-hid-stm32f030', 'WebHID'),
  rescued('cmsis-dap:stm32f103', 'WebUSB'),
]
