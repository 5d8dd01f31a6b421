/**
 * Recognises the firmware of an Arduino's USB chip in a flash content: by the USB descriptor of its application and its
 * maker's name. Which build it is, only the catalogue's hashes tell. Sources: USB 2.0, 9.6.1; ArduinoCore-avr,
 * `firmwares/atmegaxxu2` (the published images) and `boards.txt`; those of 2012 have more vectors than the chip.
 */
import { hex } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors } from '#core/find.ts'
import type { RecogniseFirmware } from '#core/programmer.ts'
import { chipsFor } from '#chips/avr-code.ts'
import { practiceMaker } from './images.ts'

const boards: Readonly<Record<string, string>> = {
  '2341:0001': 'Arduino Uno R1, R2',
  '2341:0010': 'Arduino Mega 2560 R1, R2',
  '2341:003d': 'Arduino Due',
  '2341:0042': 'Arduino Mega 2560 R3',
  '2341:0043': 'Arduino Uno R3',
  '2341:0044': 'Arduino Mega ADK R3',
  '2341:0242': 'Genuino Mega 2560 R3',
  '2341:0243': 'Genuino Uno R3',
}
const usbChips = ['ATmega8U2', 'ATmega16U2', 'AT90USB82', 'AT90USB162']
const makers = /^(?:Arduino(?: LLC)? \(www\.arduino\.cc\)|Reflasher practice)$/

export const recogniseUsbSerial: RecogniseFirmware = (flash) => {
  const descriptor = findUsbDescriptors(flash).find(({ usbId }) => usbId in boards)
  const maker = findStrings(flash).find(({ text, encoding }) => encoding === 'utf-16le' && makers.test(text))
  if (!descriptor || !maker) return undefined
  const { usbId, version, address, vendorId, productId } = descriptor
  const chips = chipsFor(flash, usbChips)
  const kind = maker.text === practiceMaker ? 'USB serial practice image' : 'USB serial'
  return {
    family: 'dfu',
    name: `${boards[usbId] ?? usbId} ${kind}`,
    version,
    confidence: 'certain',
    evidence: [
      `USB descriptor ${usbId} bcdDevice ${version} at ${hex(address, 4)}`,
      `"${maker.text}" at ${hex(maker.address, 4)}`,
    ],
    // started, it is a serial port, of which a page sees no more than its ids
    appears: { link: 'serial', vendorId, productId, says: [{ name: 'usb-id', value: usbId }] },
    ...(chips.length > 0 ? { chips } : {}),
    homes: ['https://github.com/arduino/ArduinoCore-avr/tree/master/firmwares/atmegaxxu2'],
  }
}
