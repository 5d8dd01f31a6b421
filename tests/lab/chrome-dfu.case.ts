/**
 * The app in real Chromium over real WebUSB: an STM32 in DFU mode backed up, written, and given back what it had; a Black
 * Magic Probe from its application through its boot loader and back.
 */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { hashesOf, readCertificate } from '../e2e/certificate.ts'
import { blackMagicProgram } from '../../protocols/dfu/images.ts'
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

const restarted: LabCase = {
  name: 'Chromium, dfu:black-magic-probe: updated through its boot loader, chosen in a second chooser, and proven by itself',
  twins: [{ id: 'dfu:black-magic-probe' }],
  opensSite: true,
  timeoutMs: 900_000,
  async run({ guest, site, twins: [twin] }) {
    assert(twin)
    const program = blackMagicProgram(0x0800_2000, 16 * 1024, 3)
    await using chrome = await Chrome.start({ guest, site }, 'chooser')
    const story = await chrome.open()
    await story.sees(story.button(en.bench_choose_usb))
    await chrome.pick(story.button(en.bench_choose_usb))
    await story.press(story.button(en.restart_do))
    await story.sees(story.button(en.restart_choose))
    await chrome.pick(story.button(en.restart_choose))
    await story.press(story.button(en.backup_start))
    await story.backedUp()
    await story.bring('probe.hex', formatIntelHex([{ address: 0x0800_2000, bytes: program }]))
    await story.planned()
    await story.consent()
    await story.write()
    // its application was chosen at the beginning, so nobody is asked again
    await story.press(story.button(en.prove_ask))
    await story.sees(story.link(en.prove_certificate))
    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'running-version')
    assert.match(certificate.proof.found, /2\.0\.0/)
    assert(equal(twin.memory('flash').slice(0, program.length), program), 'the flash is not what was written')
  },
}

export default [restored, restarted]
