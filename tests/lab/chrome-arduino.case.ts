/**
 * The app in real Chromium over real Web Serial: Arduinos by their own boot loaders through the kernel's cdc-acm
 * and ch341, and a chip behind an ArduinoISP.
 */
import assert from 'node:assert/strict'
import { equal } from '#core/bytes.ts'
import { readCertificate } from '../e2e/certificate.ts'
import type { Story } from '../e2e/story.ts'
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import { sameImage, writing, type LabCase, type LabTwin } from './lab-case.ts'

/** How the app calls it where it has to be told what is behind an adapter. */
const arduino = 'Arduino (STK500v1)'

const wholeJob = (id: string, imageBytes: number): LabCase => ({
  name: `Chromium, ${id}: the whole job to the certificate`,
  twins: [{ id }],
  opensSite: true,
  timeoutMs: 1_200_000,
  async run({ guest, site, twins: [twin], measure }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const image = sameImage(before, imageBytes)
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.plan(image)
    await measure(writing(image), () => story.writeWhole())
    await certified(chrome, story, twin, before, image)
  },
})

/** The plug is pulled in mid-write, which the kernel's tty and Web Serial tell in their own way. */
const unplugged = (id: string, imageBytes: number): LabCase => ({
  name: `Chromium, ${id}: unplugged in the middle of the write, and on to the certificate`,
  twins: [{ id }],
  opensSite: true,
  timeoutMs: 1_200_000,
  async run({ guest, site, twins: [twin] }) {
    assert(twin)
    const before = twin.memory('flash').slice()
    const image = sameImage(before, imageBytes)
    await using chrome = await Chrome.start({ guest, site })
    const story = await chrome.plan(image, 0, arduino)
    await story.writeUntilUnplugged(twin)
    assert(!equal(twin.memory('flash').slice(0, imageBytes), image), 'it was written already')

    await twin.replug()
    await story.press(story.button(en.job_continue))
    await certified(chrome, story, twin, before, image)
  },
})

/** What the twin holds and the certificate says. */
async function certified(
  chrome: Chrome,
  story: Story,
  twin: LabTwin,
  before: Uint8Array,
  image: Uint8Array,
): Promise<void> {
  await story.proveByReading()
  const certificate = await readCertificate(await chrome.saved(story.button(en.prove_save)))
  assert.equal(certificate.proof.kind, 'read-again')
  const after = twin.memory('flash')
  assert(equal(after.slice(0, image.length), image), 'the flash is not what was written')
  assert(equal(after.slice(image.length), before.slice(image.length)), 'what was to be kept has changed')
}

export default [
  wholeJob('stk500:uno', 1024),
  unplugged('stk500:optiboot-atmega8', 4096),
  { ...wholeJob('stk500:arduino-isp-atmega8', 512), onDemand: true },
]
