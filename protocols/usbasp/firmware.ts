/**
 * Recognises USBasp firmware in a flash content: by its USB device descriptor and strings, by its vector
 * table which chip it is for. Which build of a version it is, only the catalogue's hashes tell.
 */
import { hex } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors, type FoundUsbDescriptor } from '#core/find.ts'
import type { RecogniseFirmware, Segment } from '#core/programmer.ts'
import { readVectorTable } from '#chips/avr-code.ts'
import { avrParts } from '#chips/avr-parts.ts'
import { builds, originalMaker, originalProduct, practiceMark } from './builds.ts'

const usbIds: readonly string[] = ['16c0:05dc', '16c0:092f', '03eb:c7b4']
/** Programmers have their descriptors right behind the vectors; a boot loader sits at the end of flash. */
const loadersBegin = 0x1000
/** Chips that a USBasp was ever made with. */
const boards = /^ATmega(8|48P?|88P?|168P?|328P?)$/

const recognise: RecogniseFirmware = (flash) => {
  const descriptor = findUsbDescriptors(flash).find(({ usbId }) => usbIds.includes(usbId))
  if (!descriptor) return undefined
  const texts = findStrings(flash)
  const product = texts.find(({ text, encoding }) => encoding === 'utf-16le' && /usbasp|nibobee/i.test(text))
  if (!product) return undefined // another user of the shared id
  const maker = texts.find(({ text, encoding }) => encoding === 'utf-16le' && /fischl|nicai/i.test(text))
  const chips = chipsFor(flash)
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
    appears: { link: 'usb', vendorId, productId },
    ...(chips.length ? { chips } : {}),
  }
}
export default recognise

function nameOf(found: FoundUsbDescriptor, product: string, isOriginal: boolean, practice: boolean): string {
  if (practice) return `${product} practice image`
  if (found.address >= loadersBegin) return 'USBaspLoader'
  const build = isOriginal ? builds[found.version] : undefined
  return build ? `${product} (${build})` : product
}

/** By the vector table; of those with the same one, the chips that are large enough. */
function chipsFor(flash: readonly Segment[]): string[] {
  const table = readVectorTable(flash)
  const end = lastByte(flash) + 1
  return avrParts
    .filter(
      ({ name, vectors, flash: { bytes } }) =>
        boards.test(name) && vectors.bytes === table.bytes && vectors.count === table.count && end <= bytes,
    )
    .map(({ name }) => name)
}

/** Address of the last byte that is not blank. */
function lastByte(flash: readonly Segment[]): number {
  return Math.max(
    -1,
    ...flash.map(({ address, bytes }) => address + bytes.findLastIndex((byte) => byte !== 0xff)),
  )
}
