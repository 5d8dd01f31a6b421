/**
 * The app in real Chromium over real WebUSB: an RP2040 in BOOTSEL mode backed up, given a UF2, started, and proven by the
 * version that it then says; a program of the SDK told to start BOOTSEL mode, which is found again by itself.
 */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { formatUf2 } from '#firmware/uf2.format.ts'
import { flashAddress } from '#chips/rp2-chips.ts'
import { Play, practiceProgram } from '../../protocols/picoboot/images.ts'
import { hashesOf, readCertificate } from '../e2e/certificate.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import { writing, type LabCase } from './lab-case.ts'

const family = 0xe48b_ff56

const updated: LabCase = {
  name: 'Chromium, picoboot:rp2040: a UF2 written, started, and proven by its version',
  twins: [{ id: 'picoboot:rp2040' }],
  opensSite: true,
  timeoutMs: 900_000,
  async run({ guest, site, twins: [twin], measure }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const program = practiceProgram({
      ...{ chip: 'RP2040', plays: Play.probe, version: 0x0231, length: 65_536 },
    })
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.backUp()
    await story.bring('debugprobe.uf2', formatUf2([{ address: flashAddress, bytes: program }], { family }))
    await story.planned()
    await story.consent()
    await measure(writing(program), async () => {
      await story.write()
      await story.sees(story.button(en.prove_ask))
    })
    await story.press(story.button(en.prove_ask))
    await story.sees(story.link(en.prove_certificate))
    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'running-version')
    assert.match(certificate.proof.found, /2\.3\.1$/) // bcdDevice
    const { before: was, after } = hashesOf(certificate, 'flash')
    assert.notEqual(was, after)
    const flash = twin.memory('flash')
    assert(equal(flash.slice(0, program.length), program), 'the flash is not what was written')
    assert(equal(flash.slice(program.length), before.slice(program.length)), 'the rest has changed')
  },
}

const restarted: LabCase = {
  name: 'Chromium, picoboot:pico-running: starts BOOTSEL mode, and is backed up there',
  twins: [{ id: 'picoboot:pico-running' }],
  opensSite: true,
  onDemand: true,
  timeoutMs: 900_000,
  async run({ guest, site, twins: [twin] }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.open()
    await story.press(story.button(en.device_start))
    await story.press(story.button(en.restart_do))
    await story.press(story.button(en.backup_start))
    await story.backedUp()
    assert(equal(twin.memory('flash'), before), 'the flash has changed')
  },
}

export default [updated, restarted]
