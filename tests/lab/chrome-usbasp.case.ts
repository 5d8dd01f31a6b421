/** The app in real Chromium over real WebUSB: a USBasp updated behind another one, with its certificate. */
import assert from 'node:assert/strict'
import { blank, equal } from '#core/bytes.ts'
import { practiceImages } from '#bench/practice-images.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { hashesOf, readCertificate } from '../e2e/certificate.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import { writing, type LabCase } from './lab-case.ts'

async function firmware(version: string): Promise<{ name: string; file: Uint8Array; flash: Uint8Array }> {
  const images = await practiceImages('usbasp')
  const image = images.find((one) => one.chip === 'ATmega8' && one.version === version)
  assert(image)
  const segments = image.build()
  const flash = blank(8192)
  for (const { address, bytes } of segments) flash.set(bytes, address)
  return { name: `usbasp-${version}.hex`, file: formatIntelHex(segments), flash }
}

const pair: LabCase = {
  name: 'Chromium, usbasp:pair: the whole job to the certificate',
  twins: [{ id: 'usbasp:pair' }],
  opensSite: true,
  timeoutMs: 900_000,
  async run({ guest, site, twins: [twin], measure }) {
    assert(twin)
    const [eeprom, fuses, lock] = (['eeprom', 'fuses', 'lock'] as const).map((id) => twin.memory(id).slice())
    assert(eeprom && fuses && lock)
    const before = { eeprom, fuses, lock }
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.backUp()
    const { name, file, flash } = await firmware('1.10')
    await story.bring(name, file)
    await story.planned()
    await story.consent()
    await measure(writing(flash), async () => {
      await story.write()
      await story.sees(story.heading(en.prove_by_itself))
    })
    await twin.plugInByItself()
    await story.press(story.button(en.prove_ask))
    await story.sees(story.link(en.prove_certificate))

    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.practice, undefined)
    assert.equal(certificate.proof.kind, 'running-version')
    assert.match(certificate.proof.found, /1\.10/)
    assert(equal(twin.memory('flash'), flash), 'the flash is not what was written')
    for (const id of ['eeprom', 'fuses', 'lock'] as const)
      assert(equal(twin.memory(id), before[id]), `${id} is not as it was`)
    assert.notEqual(hashesOf(certificate, 'flash').before, hashesOf(certificate, 'flash').after)
  },
}

/** What the pair's job is compared with. */
const byAvrdude: LabCase = {
  name: 'avrdude, usbasp:pair: the same update as in Chromium',
  twins: [{ id: 'usbasp:pair' }],
  async run({ guest, twins: [twin], measure }) {
    assert(twin)
    const { flash } = await firmware('1.10')
    await guest.put('/tmp/flash.bin', flash)
    const avrdude = 'avrdude -q -q -c usbasp -p m8 -B 10 -U flash:w:/tmp/flash.bin:r'
    await measure(writing(flash), () => guest.do(avrdude, 200_000))
    assert(equal(twin.memory('flash'), flash), 'the flash is not what was written')
  },
}

const killed: LabCase = {
  name: 'Chromium, usbasp:attiny13: unplugged in the middle of the write and its process killed, and on to the certificate',
  twins: [{ id: 'usbasp:attiny13' }],
  opensSite: true,
  timeoutMs: 900_000,
  async run({ guest, site, twins: [twin] }) {
    assert(twin)
    const program = twin.memory('flash').slice()
    program.fill(0x5a, 700, 900)
    const eeprom = twin.memory('eeprom').slice()
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.plan(program)
    await story.writeUntilUnplugged(twin)
    await chrome.killPage()
    assert(!equal(twin.memory('flash'), program), 'it was written already')

    const after = await chrome.open()
    await after.press(after.button(en.interrupted_continue))
    await twin.replug()
    await after.press(after.button(en.job_continue))
    await after.proveByReading()
    const certificate = await readCertificate(await chrome.saved(after.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'read-again')
    assert(equal(twin.memory('flash'), program), 'the flash is not as it was to be')
    assert(equal(twin.memory('eeprom'), eeprom), 'the EEPROM is not as it was')
  },
}

const chosen: LabCase = {
  name: 'Chromium, usbasp:attiny13: chosen in the chooser of the browser, remembered, and refused to a second tab',
  twins: [{ id: 'usbasp:attiny13' }],
  opensSite: true,
  timeoutMs: 900_000,
  async run({ guest, site }) {
    await using chrome = await Chrome.start({ guest, site }, 'chooser')
    const story = await chrome.open()
    await story.sees(story.button(en.bench_choose_usb))
    const known = await chrome.page.evaluate(async () => (await navigator.usb.getDevices()).length)
    assert.equal(known, 0, 'it is there without having been chosen')
    await chrome.pick(story.button(en.bench_choose_usb))
    await story.sees(story.button(en.backup_start))
    await chrome.open()
    await story.press(story.button(en.device_start))
    await story.sees(story.button(en.backup_start))

    const second = await chrome.openBeside()
    await second.press(second.button(en.device_start))
    await second.told({
      happened: en.error_busy_tab,
      safe: en.safe_nothing_written,
      now: en.error_busy_tab_now,
    })
  },
}

export default [byAvrdude, pair, killed, chosen]
