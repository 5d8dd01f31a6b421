/**
 * Recognises the firmware of USB adapters that are updated through DFU: by the USB descriptor in it and a name that goes
 * with that. Sources: candle-usb/candleLight_fw, `usbd_desc.c` and `config.h`; dirtyjtag/DirtyJTAG, `usb.c`; the
 * identifying texts of published images.
 */
import { hex } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors } from '#core/find.ts'
import type { RecogniseFirmware } from '#core/programmer.ts'

interface Adapter {
  readonly name: string
  /** One of its texts. */
  readonly text: RegExp
  /** The text with its version; absent: its USB release number is its version. */
  readonly version?: RegExp
  readonly home: string
}

const adapters: Readonly<Record<string, Adapter>> = {
  '1d50:606f': {
    name: 'candleLight',
    text: /gs_usb|candlelight/i,
    version: /^(?:fw_)?([0-9a-f]{7,}_\d{4}-\d\d-\d\d)\+?$/,
    home: 'https://github.com/candle-usb/candleLight_fw/releases',
  },
  '1209:c0ca': {
    name: 'DirtyJTAG',
    text: /^DirtyJTAG$/,
    home: 'https://github.com/dirtyjtag/DirtyJTAG/releases',
  },
}

export const recogniseAdapter: RecogniseFirmware = (flash) => {
  const descriptor = findUsbDescriptors(flash).find(({ usbId }) => Object.hasOwn(adapters, usbId))
  const adapter = descriptor && adapters[descriptor.usbId]
  if (!adapter) return undefined
  const texts = findStrings(flash)
  const named = texts.find(({ text }) => adapter.text.test(text))
  if (!named) return undefined
  const said = texts.flatMap(({ text }) => adapter.version?.exec(text)?.[1] ?? []).at(0)
  const { usbId, version, address, vendorId, productId } = descriptor
  return {
    family: 'dfu',
    name: adapter.name,
    version: adapter.version ? said : version,
    confidence: 'certain',
    evidence: [
      `USB descriptor ${usbId} bcdDevice ${version} at ${hex(address, 8)}`,
      `"${named.text}" at ${hex(named.address, 8)}`,
    ],
    // whether it is this version, its release number says of some only
    appears: { link: 'usb', vendorId, productId, says: [{ name: 'usb-id', value: usbId }] },
    homes: [adapter.home],
  }
}
