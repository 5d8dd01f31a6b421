/**
 * Recognises USBtinyISP firmware in a flash content by its USB device descriptor; the string says which kind
 * it is, where there is one. Ids and strings: avrdude `usbdevs.h` and `avrdude.conf`, holetse/usbtiny.
 */
import { hex } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors } from '#core/find.ts'
import type { RecogniseFirmware } from '#core/programmer.ts'
import { chipsFor } from '#chips/avr-code.ts'

/** USBtiny's own id, and those of boards that speak its protocol. */
const boards: Readonly<Record<string, string>> = {
  '1781:0c9f': 'USBtinyISP',
  '2341:0049': 'Arduino ISP',
  '2a03:0049': 'Arduino ISP',
  '16d0:0ba5': 'eHaJo USBtiny',
  '1209:6570': 'Iowa Scaled Engineering CKT-AVRPROGRAMMER',
}

/** Chips that it was built for. */
const chipNames: readonly string[] = [
  'ATtiny2313',
  'ATtiny4313',
  'ATtiny45',
  'ATtiny85',
  'ATmega8',
  'ATmega32U2',
]

const recognise: RecogniseFirmware = (flash) => {
  const descriptor = findUsbDescriptors(flash).find(({ usbId }) => usbId in boards)
  if (!descriptor) return undefined
  const { usbId, version, address, vendorId, productId } = descriptor
  const texts = findStrings(flash)
  const product = texts.find(({ text }) => /^USBtiny/.test(text))
  const trinket = texts.find(({ text }) => text === 'Trinket') // Adafruit's boot loader borrows the id
  const chips = chipsFor(flash, chipNames)
  return {
    family: 'usbtiny',
    name: trinket ? 'Trinket boot loader' : (product?.text ?? boards[usbId] ?? ''),
    version,
    confidence: product || trinket ? 'certain' : 'likely',
    evidence: [
      `USB descriptor ${usbId} bcdDevice ${version} at ${hex(address, 4)}`,
      ...[product ?? trinket].flatMap((found) =>
        found ? [`"${found.text}" at ${hex(found.address, 4)}`] : [],
      ),
      ...(chips.length ? [`vector table of ${chips.join(', ')}`] : []),
    ],
    appears: { link: 'usb', vendorId, productId, says: [{ name: 'firmware-version', value: version }] },
    ...(chips.length ? { chips } : {}),
  }
}
export default recognise
