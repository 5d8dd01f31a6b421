/**
 * Recognises DAPLink in a flash content by the block in its vector table; of both parts the one that is a probe, and else its
 * boot loader. Source: DAPLink, `source/daplink/daplink.h`. A Debug Probe's firmware is recognised where its boot loader is
 * spoken to.
 */
import { hex } from '#core/bytes.ts'
import type { RecogniseFirmware, Segment } from '#core/programmer.ts'
import { daplinkImage, type DaplinkImage } from '#chips/daplink-image.ts'

/** Parts begin at such borders, the smallest erase unit of all interface chips. */
const border = 0x400

const recognise: RecogniseFirmware = (flash) => {
  const images = flash.flatMap(imagesIn)
  const image = images.find(({ part }) => part === 'interface') ?? images[0]
  if (!image) return undefined
  const { part, version, chip, hicId, address, words } = image
  return {
    family: 'cmsis-dap',
    name: part === 'interface' ? 'DAPLink' : 'DAPLink boot loader',
    version,
    confidence: 'certain',
    evidence: [`build key ${hex(words[0], 8)}, HIC id ${hex(hicId, 8)} at ${hex(address, 8)}`],
    ...(part === 'interface' && { appears: { link: 'usb', vendorId: 0x0d28, productId: 0x0204 } }),
    ...(chip && { chips: [chip.name, ...(chip.part ? [chip.part] : [])] }),
    homes: ['https://github.com/ARMmbed/DAPLink/releases'],
  }
}
export default recognise

function imagesIn({ address, bytes }: Segment): DaplinkImage[] {
  const found: DaplinkImage[] = []
  for (let at = 0; at < bytes.length; at += border) {
    const image = daplinkImage({ address: address + at, bytes: bytes.subarray(at) })
    if (image) found.push(image)
  }
  return found
}
