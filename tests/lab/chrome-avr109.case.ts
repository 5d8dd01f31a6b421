/**
 * The app in real Chromium over real Web Serial: an Arduino Leonardo from its sketch through the touch and its boot loader,
 * chosen in a second chooser, and back to a sketch that shows itself.
 */
import assert from 'node:assert/strict'
import { practiceImages } from '#bench/practice-images.ts'
import { equal } from '#core/bytes.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { hashesOf, readCertificate } from '../e2e/certificate.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import type { LabCase } from './lab-case.ts'

const updated: LabCase = {
  name: 'Chromium, avr109:leonardo: touched, chosen in a second chooser, updated, and proven by the port that it then is',
  twins: [{ id: 'avr109:leonardo' }],
  clockSpeed: 0.1, // a person chooses within 8 s
  opensSite: true,
  onDemand: true,
  timeoutMs: 1_200_000,
  async run({ guest, site, twins: [twin], setClockSpeed }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const eeprom = twin.memory('eeprom').slice()
    const segments = (await practiceImages('avr109')).find(({ name }) => name.startsWith('Leonardo'))?.build()
    const [image] = segments ?? []
    assert(segments && image)
    await using chrome = await Chrome.start({ guest, site }, 'chooser')
    const story = await chrome.open()
    await story.sees(story.button(en.bench_choose_serial))
    await chrome.pick(story.button(en.bench_choose_serial))
    await story.press(story.button(en.restart_do))
    await story.sees(story.button(en.restart_choose))
    await chrome.pick(story.button(en.restart_choose))
    await story.sees(story.button(en.backup_start))
    setClockSpeed(1) // it is kept awake now
    await story.press(story.button(en.backup_start))
    await story.backedUp()
    await story.bring('sketch.hex', formatIntelHex(segments))
    await story.planned()
    await story.consent()
    await story.write()
    await story.sees(story.button(en.prove_choose))
    await chrome.pick(story.button(en.prove_choose))
    await story.sees(story.link(en.prove_certificate))
    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'running-version')
    assert.equal(certificate.proof.found, 'Arduino Leonardo')
    const { before: was, after } = hashesOf(certificate, 'flash')
    assert.notEqual(was, after)
    const held = twin.memory('flash')
    assert(equal(held.slice(0, image.bytes.length), image.bytes), 'the flash is not what was written')
    assert(equal(held.slice(0x7000), before.slice(0x7000)), 'the loader has changed')
    assert(equal(twin.memory('eeprom'), eeprom), 'the EEPROM has changed')
  },
}

export default [updated]
