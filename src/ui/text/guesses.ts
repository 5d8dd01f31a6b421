/** What a device that nobody recognises most likely is, by its interface classes. */
import type { Guess } from '#jobs/describe.ts'
import { m } from './generated/messages.js'

const texts: Record<Guess, () => string> = {
  'serial-port': m.guess_serial_port,
  'usb-serial': m.guess_usb_serial,
  dfu: m.guess_dfu,
  hid: m.guess_hid,
  'mass-storage': m.guess_mass_storage,
  audio: m.guess_audio,
  video: m.guess_video,
  printer: m.guess_printer,
  hub: m.guess_hub,
  'smart-card': m.guess_smart_card,
  network: m.guess_network,
  wireless: m.guess_wireless,
  measurement: m.guess_measurement,
  'vendor-specific': m.guess_vendor_specific,
  unknown: m.guess_unknown,
}

export const guessText = (guess: Guess): string => texts[guess]()
