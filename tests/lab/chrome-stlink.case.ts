/**
 * The app in real Chromium over real WebUSB: an ST-Link V2-1 in use becomes a Black Magic Probe by its boot loader. What was
 * written nobody can read back: what then comes is the proof.
 */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { blackMagicProgram } from '../../protocols/stlink/images.ts'
import { readCertificate } from '../e2e/certificate.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import type { LabCase } from './lab-case.ts'

const base = 0x0800_4000

const opened: LabCase = {
  name: 'Chromium, stlink:v2-1-old: open firmware written through its boot loader, and proven by what comes back',
  twins: [{ id: 'stlink:v2-1-old' }],
  opensSite: true,
  onDemand: true,
  timeoutMs: 900_000,
  async run({ guest, site, twins: [twin] }) {
    assert(twin)
    const program = blackMagicProgram(base, 16 * 1024, '1.10.2')
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.open()
    await story.press(story.button(en.device_start))
    await story.press(story.button(en.restart_do))
    await story.press(story.button(en.backup_start))
    await story.sees(chrome.page.getByLabel(en.backup_acknowledge))
    await chrome.page.getByLabel(en.backup_acknowledge).check()
    await story.press(story.button(en.backup_go_on))
    await story.backedUp()
    await story.bring('probe.hex', formatIntelHex([{ address: base, bytes: program }]))
    await story.planned()
    await story.consent()
    await story.write()
    await story.press(story.button(en.prove_ask))
    await story.sees(story.link(en.prove_certificate))
    const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
    assert.equal(certificate.proof.kind, 'running-version')
    assert.equal(certificate.proof.distinct, 'yes')
    assert.match(certificate.proof.found, /1\.10\.2/)
    assert(equal(twin.memory('flash').slice(0, program.length), program), 'the flash is not what was written')
  },
}

export default [opened]
