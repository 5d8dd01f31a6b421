/**
 * The app in real Chromium over real Web Serial: Arduinos by their own boot loaders through the kernel's cdc-acm
 * and ch341, and a chip behind an ArduinoISP.
 */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { readCertificate } from '../e2e/certificate.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import type { LabCase } from './lab-case.ts'

const board = (id: string, applicationBytes: number): LabCase => ({
  name: `Chromium, ${id}: the whole job to the certificate`,
  twins: [{ id }],
  timeoutMs: 1_200_000,
  async run({ guest, twins: [twin] }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = before.slice(0, applicationBytes)
    program.fill(0x5a, 1000, 1300)
    await using chrome = await Chrome.start(guest)
    const story = await chrome.backUp()
    await story.bring('sketch.hex', formatIntelHex([{ address: 0, bytes: program }]))
    await story.planned()
    await story.consent()
    await story.write()
    await story.proveByReading()

    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'read-again')
    assert(
      equal(twin.memory('flash').slice(0, applicationBytes), program),
      'the flash is not what was written',
    )
    assert(
      equal(twin.memory('flash').slice(applicationBytes), before.slice(applicationBytes)),
      'the boot loader has changed',
    )
  },
})

export default [
  board('stk500:uno', 32_256),
  board('stk500:optiboot-atmega8', 7680),
  board('stk500:arduino-isp-atmega8', 8192),
]
