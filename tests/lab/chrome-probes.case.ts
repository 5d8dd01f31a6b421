/**
 * The app in real Chromium: an STM32F103 whose program was written half is backed up, made whole and read back through each
 * kind of probe: CMSIS-DAP by WebHID (version 1) and by WebUSB (version 2), ST-Link, J-Link.
 *
 * Chips and probes are those that need few transfers: the emulated guest's processors are what takes the time. On two
 * that did much else, 3281 transfers by WebHID were 1011 s with Chromium's start, 1576 of an ST-Link 861 s, 1022 of a
 * J-Link 775 s. The one with an MCU-Link was not seen to its end yet.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { equal, lengthBeforeBlank } from '#core/bytes.ts'
import { hashesOf, readCertificate } from '../e2e/certificate.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import { writing, type LabCase } from './lab-case.ts'

const flashStart = 0x0800_0000

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What is on its wires was interrupted in its last write: the job brings it back. */
const rescued = (id: string, api: 'WebHID' | 'WebUSB'): LabCase => ({
  name: `Chromium, ${id}: a half-written chip backed up and brought back over ${api}`,
  twins: [{ id, dials: { halfWritten: true } }],
  opensSite: true,
  onDemand: true,
  timeoutMs: 1_500_000,
  async run({ guest, site, twins: [twin], measure, random }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const half = lengthBeforeBlank(before)
    const whole = before.slice(0, 2 * half)
    whole.set(random(half), half)
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.plan(whole, flashStart)
    assert(equal(twin.memory('flash'), before), 'a backup has changed the flash')
    await measure(writing(whole), () => story.writeWhole())
    await story.proveByReading()
    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    const flash = twin.memory('flash')
    assert(equal(flash.slice(0, whole.length), whole), 'the flash is not what was written')
    assert(equal(flash.slice(whole.length), before.slice(whole.length)), 'the rest has changed')
    assert.equal(certificate.proof.kind, 'read-again')
    assert.deepEqual(hashesOf(certificate, 'flash'), { before: sha256(before), after: sha256(flash) })
  },
})

export default [
  rescued('cmsis-dap:daplink-hid-stm32f103x4', 'WebHID'),
  rescued('cmsis-dap:high-speed', 'WebUSB'),
  rescued('stlink:v2', 'WebUSB'),
  rescued('jlink:v9-stm32f103', 'WebUSB'),
]
