/**
 * USB devices in DFU mode: known ones by their ids, any other by its interface (class FE, subclass 1, protocol 2). Those
 * that still run their application (protocol 1) have to be put into DFU mode first. Source: DFU 1.1, sections 4.1.2 and
 * 4.2.3.
 */
import { usbId, versionText } from '#core/bytes.ts'
import type { Fact, Identity, Recognition, SeenUsb } from '#core/programmer.ts'
import { findDevice, knownIds } from './devices.ts'

const dfuClass = { classCode: 0xfe, subclassCode: 1 } as const
const dfuMode = 2
/** Its loaders speak another language in the same clothes (FLIP). */
const atmel = 0x03eb

const hasDfuMode = ({ interfaces }: SeenUsb): boolean =>
  interfaces.some(
    ({ classCode, subclass, protocol }) =>
      classCode === dfuClass.classCode && subclass === dfuClass.subclassCode && protocol === dfuMode,
  )

function facts(seen: SeenUsb, model: string): Fact[] {
  const known: readonly [Fact['name'], string | undefined, string][] = [
    ['model', model, 'idVendor, idProduct, iProduct'],
    ['mode', 'bootloader', 'bInterfaceProtocol'],
    ['usb-id', usbId(seen.vendorId, seen.productId), 'idVendor, idProduct'],
    ['firmware-version', versionText(seen.deviceVersion), 'bcdDevice'],
    ['manufacturer', seen.manufacturer, 'iManufacturer'],
    ['product', seen.product, 'iProduct'],
    ['serial', seen.serial, 'iSerialNumber'],
  ]
  return known.flatMap(([name, value, source]) => (value ? [{ name, value, source }] : []))
}

export default {
  id: 'dfu',
  name: 'DFU',
  link: 'usb',
  filters: [...knownIds, dfuClass],
  toTarget: [],
  recognise(seen): Recognition | undefined {
    if (seen.link !== 'usb' || seen.vendorId === atmel || !hasDfuMode(seen)) return undefined
    const known = findDevice(seen.vendorId, seen.productId)
    const model = known?.model ?? seen.product ?? 'DFU'
    return {
      model,
      mode: 'bootloader',
      confidence: known ? 'certain' : 'likely',
      usable: true,
      facts: facts(seen, model),
      notices: [],
    }
  },
  proven: {
    identify: ['chrome', 'reference-tool', 'recording', 'twin'],
    backup: ['chrome', 'reference-tool', 'recording', 'twin'],
    flash: ['chrome', 'reference-tool', 'recording', 'twin'],
    verify: ['chrome', 'reference-tool', 'recording', 'twin'],
  },
} satisfies Identity
