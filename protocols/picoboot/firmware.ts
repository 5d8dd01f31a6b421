/**
 * Recognises debugprobe and picoprobe, which make a CMSIS-DAP probe of a Pico, by the USB descriptor and the product name in
 * them. Releases since November 2022 have their version in bcdDevice. Source: raspberrypi/debugprobe, `usb_descriptors.c`
 * and its tags.
 */
import { hex, threePartVersion } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors } from '#core/find.ts'
import type { RecogniseFirmware } from '#core/programmer.ts'
import { flashAddress, hasBlock, hasBoot2, practiceMark, raspberryPi } from '#chips/rp2-chips.ts'

const products: Readonly<Record<number, RegExp>> = {
  0x0004: /^Picoprobe(?: CMSIS-DAP)?$/,
  0x000c: /^(?:Debug ?probe on Pico(?: 2)?|Debug Probe|Picoprobe) ?\(?CMSIS-DAP\)?$/i,
}
/** Where programs of such a size are, whatever else the flash holds. */
const programBytes = 512 * 1024
const unversioned = 0x0100

const recognise: RecogniseFirmware = (flash) => {
  const program = flash
    .filter(({ address }) => address >= flashAddress && address < flashAddress + programBytes)
    .map(({ address, bytes }) => ({ address, bytes: bytes.subarray(0, programBytes) }))
  const found = findUsbDescriptors(program).find(
    ({ vendorId, productId }) => vendorId === raspberryPi && products[productId] !== undefined,
  )
  if (!found) return undefined
  const { productId, deviceVersion, address } = found
  const texts = findStrings(program)
  const product = texts.find(({ text }) => products[productId]?.test(text))
  const [major, minor, sub] = deviceVersion
  const isVersioned = ((major << 8) | (minor << 4) | sub) > unversioned
  const isPractice = texts.some(({ text }) => text.includes(practiceMark))
  const [start] = program.filter((segment) => segment.address === flashAddress)
  const isRp2350 = start && !hasBoot2(start.bytes) && hasBlock(start.bytes)
  const name = isVersioned && major >= 2 ? 'debugprobe' : 'picoprobe'
  return {
    family: 'picoboot',
    name: isPractice ? `${name} (practice image)` : name,
    version: isVersioned ? threePartVersion(deviceVersion) : undefined,
    confidence: product ? 'certain' : 'likely',
    evidence: [
      `USB descriptor ${found.usbId} bcdDevice ${found.version} at ${hex(address, 8)}`,
      ...(product ? [`"${product.text}" at ${hex(product.address, 8)}`] : []),
    ],
    appears: {
      ...{ link: 'usb', vendorId: raspberryPi, productId },
      says: [
        { name: 'firmware-version', value: threePartVersion(deviceVersion) },
        ...(product ? [{ name: 'product', value: product.text } as const] : []),
      ],
    },
    ...(start && { chips: [isRp2350 ? 'RP2350' : 'RP2040'] }),
  }
}
export default recognise
