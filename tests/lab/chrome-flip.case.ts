/**
 * The app in real Chromium over real WebUSB: the USB chip of an Arduino Uno R3 backed up and updated in its boot loader,
 * then started, and proven by the serial port that the kernel then has.
 */
import assert from 'node:assert/strict'
import { practiceImages } from '#bench/practice-images.ts'
import { equal } from '#core/bytes.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { hashesOf, readCertificate } from '../e2e/certificate.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import { writing, type LabCase } from './lab-case.ts'

const updated: LabCase = {
  name: 'Chromium, dfu:atmega16u2: backed up, updated, and proven by its serial port',
  twins: [{ id: 'dfu:atmega16u2' }],
  opensSite: true,
  timeoutMs: 900_000,
  async run({ guest, site, twins: [twin], measure }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const eeprom = twin.memory('eeprom').slice()
    const segments = (await practiceImages('dfu')).find(({ chip }) => chip === 'ATmega16U2')?.build()
    const [image] = segments ?? []
    assert(segments && image)
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.backUp()
    await story.bring('usb-serial.hex', formatIntelHex(segments))
    await story.planned()
    await story.consent()
    await measure(writing(image.bytes), async () => {
      await story.write()
      await story.sees(story.button(en.prove_look))
    })
    // told to start, it is back as a port that the policy allows
    await story.press(story.button(en.prove_look))
    await story.sees(story.link(en.prove_certificate))
    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'running-version')
    assert.match(certificate.proof.found, /2341:0043/)
    const { before: was, after } = hashesOf(certificate, 'flash')
    assert.notEqual(was, after)
    const held = twin.memory('flash')
    assert(equal(held.slice(0, image.bytes.length), image.bytes), 'the flash is not what was written')
    assert(equal(held.slice(0x3000), before.slice(0x3000)), 'the loader has changed')
    assert(equal(twin.memory('eeprom'), eeprom), 'the EEPROM has changed')
  },
}

export default [updated]
