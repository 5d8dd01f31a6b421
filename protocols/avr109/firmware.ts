/**
 * Recognises what is in the flash of such a board: the sketch by the USB ids that it shows itself with, Caterina by those
 * in its own section and its identifier. Sources: USB 2.0, 9.6.1; the published images of ArduinoCore-avr.
 */
import { hex } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors, type FoundUsbDescriptor } from '#core/find.ts'
import type { KnownFirmware, Mode, RecogniseFirmware } from '#core/programmer.ts'
import { hasContent } from '#chips/avr-code.ts'
import { findBoard } from './boards.ts'

/** Its answer to S. */
export const loaderText = 'CATERIN'
/** Where Caterina begins; a sketch ends before. */
const bootStart = 0x7000
const chips = ['ATmega32U4']

const recognise: RecogniseFirmware = (flash) => {
  const descriptors = findUsbDescriptors(flash)
  const of = (mode: Mode) =>
    descriptors.find(
      ({ vendorId, productId, address }) =>
        findBoard(vendorId, productId)?.mode === mode && address >= bootStart === (mode === 'bootloader'),
    )
  const [sketch, loader] = [of('application'), of('bootloader')]
  if (sketch) return ofSketch(sketch, loader)
  if (!loader || hasContent(flash, { address: 0, length: bootStart })) return undefined // of a sketch nothing is known
  const { vendorId, productId, usbId } = loader
  const text = findStrings(flash).find(({ text, address }) => address >= bootStart && text === loaderText)
  return {
    family: 'avr109',
    name: `Caterina (${nameOf(loader)})`,
    version: undefined,
    confidence: 'certain',
    evidence: [at(loader), ...(text ? [`"${text.text}" at ${hex(text.address, 4)}`] : [])],
    appears: { link: 'serial', vendorId, productId, says: [{ name: 'usb-id', value: usbId }] },
    chips,
  }
}
export default recognise

function ofSketch(sketch: FoundUsbDescriptor, loader: FoundUsbDescriptor | undefined): KnownFirmware {
  const { vendorId, productId, usbId } = sketch
  return {
    family: 'avr109',
    name: `${nameOf(sketch)} sketch`,
    version: undefined,
    confidence: 'certain',
    evidence: [sketch, ...(loader ? [loader] : [])].map(at),
    // a page sees no more of it than its ids
    appears: { link: 'serial', vendorId, productId, says: [{ name: 'usb-id', value: usbId }] },
    chips,
  }
}

const nameOf = ({ vendorId, productId, usbId }: FoundUsbDescriptor): string =>
  findBoard(vendorId, productId)?.board.name ?? usbId

const at = ({ usbId, version, address }: FoundUsbDescriptor): string =>
  `USB descriptor ${usbId} bcdDevice ${version} at ${hex(address, 4)}`
