/** The app in real Chromium without any permission: the user picks the device in the browser's own chooser. */
import { en } from '../e2e/words.ts'
import { Chrome } from './chrome.ts'
import type { LabCase } from './lab-case.ts'

const usb: LabCase = {
  name: 'Chromium, usbasp:attiny13: picked in the chooser, and backed up',
  twins: [{ id: 'usbasp:attiny13' }],
  async run({ guest }) {
    await using chrome = await Chrome.start(guest, { asks: true })
    const story = await chrome.open()
    await chrome.choose(story.button(en.bench_choose_usb), 'USBasp')
    await story.backUp()
  },
}

export default [usb]
