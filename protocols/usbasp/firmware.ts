/**
 * Recognises USBasp firmware in a flash content: by its USB device descriptor and strings, by its vector
 * table which chip it is for. Which build of a version it is, only the catalogue's hashes tell. Sources: USB 2.0,
 * 9.6 (descriptors); the published images in `catalogue.json`; `Makefile` and `Readme.txt` of USBasp for fuses.
 */
import { hex, hexBytes } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors, type FoundUsbDescriptor } from '#core/find.ts'
import type { KnownFirmware, RecogniseFirmware, Segment } from '#core/programmer.ts'
import { chipsFor, contentEnd } from '#chips/avr-code.ts'
import { boards, builds, originalMaker, originalProduct, practiceMark } from './builds.ts'

const usbIds: readonly string[] = ['16c0:05dc', '16c0:092f', '03eb:c7b4']
/** Programmers have their descriptors right behind the vectors; a boot loader sits at the end of flash. */
const loadersBegin = 0x1000
const hidClass = 3
/** The longest of a USBasp has 75. */
const mostConfigurationBytes = 256

const recognise: RecogniseFirmware = (flash, chip, fuses) => {
  const descriptor = findUsbDescriptors(flash).find(({ usbId }) => usbIds.includes(usbId))
  if (!descriptor) return contentEnd(flash) === 0 ? byFuses(chip, fuses) : undefined
  const texts = findStrings(flash)
  const product = texts.find(({ text, encoding }) => encoding === 'utf-16le' && /usbasp|nibobee/i.test(text))
  if (!product) return undefined // another user of the shared id
  const maker = texts.find(({ text, encoding }) => encoding === 'utf-16le' && /fischl|nicai/i.test(text))
  const chips = chipsFor(flash, boards)
  const isOriginal = maker?.text === originalMaker && product.text === originalProduct
  const practice = texts.some(({ text }) => practiceMark.startsWith(text))
  const { usbId, version, address, vendorId, productId } = descriptor
  return {
    family: 'usbasp',
    name: nameOf(descriptor, product.text, isOriginal, practice),
    version,
    confidence: isOriginal && chips.length > 0 ? 'certain' : 'likely',
    evidence: [
      `USB descriptor ${usbId} bcdDevice ${version} at ${hex(address, 4)}`,
      ...[maker, product].flatMap((found) => (found ? [`"${found.text}" at ${hex(found.address, 4)}`] : [])),
      ...(chips.length ? [`vector table of ${chips.join(', ')}`] : []),
    ],
    appears: {
      link: 'usb',
      vendorId,
      productId,
      says: [
        { name: 'firmware-version', value: version },
        ...(isOriginal
          ? ([
              { name: 'manufacturer', value: originalMaker },
              { name: 'product', value: originalProduct },
            ] as const)
          : []),
        ...(hasHidUart(flash) ? [{ name: 'capabilities', value: 'HID UART' } as const] : []),
      ],
    },
    ...(chips.length ? { chips } : {}),
  }
}
export default recognise

/**
 * Factory units are mostly locked, and rescued ones are blank: what is left are the fuses for the crystal of
 * these boards, which hardly anything else has just so. Low (ATmega8: fischl's, later builds', with brown-out
 * detection) and high.
 */
const usualFuses: Readonly<Record<string, readonly string[]>> = {
  ATmega8: ['ef c9', 'df c9', '9f c9'],
  ATmega48: ['ff dd'],
  ATmega48P: ['ff dd'],
  ATmega88: ['ff dd'],
  ATmega88P: ['ff dd'],
}

function byFuses(chip = '', fuses: Uint8Array = new Uint8Array()): KnownFirmware | undefined {
  const bytes = hexBytes(fuses.subarray(0, 2))
  if (!usualFuses[chip]?.includes(bytes)) return undefined
  return {
    family: 'usbasp',
    name: 'USBasp',
    version: undefined,
    confidence: 'possible',
    evidence: [`fuses ${bytes}, as in a USBasp`],
    appears: { link: 'usb', vendorId: 0x16c0, productId: 0x05dc },
    chips: [chip],
  }
}

function nameOf(found: FoundUsbDescriptor, product: string, isOriginal: boolean, practice: boolean): string {
  if (practice) return `${product} practice image`
  if (found.address >= loadersBegin) return 'USBaspLoader'
  const build = isOriginal ? builds[found.version] : undefined
  return build ? `${product} (${build})` : product
}

/** Whether a configuration has an interface for the serial port in HID's clothes; GETCAPABILITIES then says so. */
const hasHidUart = (flash: readonly Segment[]): boolean =>
  flash.some(({ bytes }) =>
    bytes.some((byte, at) => {
      const isConfiguration = byte === 9 && bytes[at + 1] === 2 && bytes[at + 5] === 1
      if (!isConfiguration) return false // as nearly every byte
      const length = (bytes[at + 2] ?? 0) | ((bytes[at + 3] ?? 0) << 8)
      return interfaceClasses(bytes.subarray(at, at + Math.min(length, mostConfigurationBytes))).includes(
        hidClass,
      )
    }),
  )

/** USB 2.0, 9.6.5; of something that is no configuration the run of descriptors ends soon. */
function interfaceClasses(configuration: Uint8Array): number[] {
  const classes: number[] = []
  for (let at = 0; at < configuration.length; at += configuration[at] || configuration.length)
    if (configuration[at] === 9 && configuration[at + 1] === 4) classes.push(configuration[at + 5] ?? 0)
  return classes
}
