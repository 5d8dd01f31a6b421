/**
 * Recognises the firmware of a Black Magic Probe by its texts: the product name that it gives to USB, with its version,
 * and its maker's. An Arduino's USB chip and adapters have their own recognisers. Source: Black Magic Debug, `platforms/common/usb_descriptors.h`.
 */
import { hex } from '#core/bytes.ts'
import { findStrings } from '#core/find.ts'
import type { RecogniseFirmware } from '#core/programmer.ts'
import { recogniseAdapter } from './adapter-firmware.ts'
import { parseProduct, practiceMark } from './devices.ts'
import { recogniseUsbSerial } from './usb-serial-firmware.ts'

const maker = /^(?:Black Magic Debug|Black Sphere Technologies|1BitSquared)$/

const recognise: RecogniseFirmware = (flash, chip) =>
  recogniseUsbSerial(flash, chip) ?? recogniseAdapter(flash, chip) ?? blackMagic(flash, chip)

const blackMagic: RecogniseFirmware = (flash) => {
  const texts = findStrings(flash)
  const product = texts.find(({ text }) => parseProduct(text))
  const made = texts.find(({ text }) => maker.test(text))
  const { hardware, version } = parseProduct(product?.text ?? '') ?? {}
  if (!product || version === undefined || product.text.includes('Probe DFU')) return undefined
  const isForTheProbe = hardware === ''
  return {
    family: 'dfu',
    name: [
      'Black Magic Probe',
      isForTheProbe ? '' : `(${hardware ?? ''})`,
      product.text.endsWith(practiceMark) ? '(practice image)' : '',
    ]
      .filter(Boolean)
      .join(' '),
    version,
    confidence: made ? 'certain' : 'likely',
    evidence: [product, ...(made ? [made] : [])].map(
      ({ text, address }) => `"${text}" at ${hex(address, 8)}`,
    ),
    appears: {
      link: 'usb',
      vendorId: 0x1d50,
      productId: 0x6018,
      says: [
        { name: 'firmware-version', value: version },
        { name: 'product', value: product.text },
      ],
    },
    homes: ['https://github.com/blackmagic-debug/blackmagic/releases'],
  }
}
export default recognise
