/**
 * Recognises ST's own firmware for an ST-Link by the USB device that it makes of it: nothing else says what it is. Its
 * version is nowhere in it as text; practice images say theirs. Open firmware for the same hardware is recognised where its
 * family is. Source: openocd-org/openocd, `src/jtag/drivers/stlink_usb.c` (product ids).
 */
import { hex } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors } from '#core/find.ts'
import type { Fact, RecogniseFirmware } from '#core/programmer.ts'
import { practiceMark, vendorProduct } from './images.ts'
import { models } from './identity.ts'

const st = 0x0483
const ownVersion = /^V\d[JM]\d\w*$/

const recognise: RecogniseFirmware = (flash) => {
  const descriptor = findUsbDescriptors(flash).find(
    ({ vendorId, productId }) => vendorId === st && models[productId]?.mode === 'application',
  )
  const model = descriptor && models[descriptor.productId]
  if (!model) return undefined
  const { usbId, vendorId, productId, address } = descriptor
  const texts = findStrings(flash).map(({ text }) => text)
  const isPractice = texts.includes(vendorProduct)
  const version = isPractice ? texts.find((text) => ownVersion.test(text)) : undefined
  const says: Fact[] = [
    { name: 'usb-id', value: usbId },
    { name: 'mode', value: 'application' }, // a V2's boot loader has the same id
    ...(version === undefined ? [] : [{ name: 'firmware', value: version } as const]),
  ]
  return {
    family: 'stlink',
    name: `${model.name}${isPractice ? practiceMark.replace('practice', 'practice image') : ''}`,
    version,
    confidence: 'certain',
    evidence: [`USB descriptor ${usbId} at ${hex(address, 8)}`],
    appears: { link: 'usb', vendorId, productId, says },
    homes: ['https://www.st.com/en/development-tools/stsw-link007.html'],
  }
}
export default recognise
