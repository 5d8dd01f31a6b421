/**
 * USB devices that speak DFU: known ones by their ids, any other by its interface (class FE, subclass 1): protocol 2 is
 * DFU mode, protocol 1 an application that can be asked to start its boot loader. Source: DFU 1.1, sections 4.1.2 and
 * 4.2.3.
 */
import { usbId, versionText } from '#core/bytes.ts'
import type { Fact, Identity, Mode, Recognition, SeenUsb } from '#core/programmer.ts'
import { dfuClass } from './descriptors.ts'
import { findDevice, knownIds, parseProduct, partNumbers } from './devices.ts'

const modes: Readonly<Record<number, Mode>> = { 1: 'application', 2: 'bootloader' }
/** Its loaders wear other clothes, or none, and are known by their ids. */
const atmel = 0x03eb

function modeOf({ interfaces }: SeenUsb): Mode | undefined {
  const dfu = interfaces.find(
    ({ classCode, subclass }) => classCode === dfuClass.classCode && subclass === dfuClass.subclassCode,
  )
  return dfu && modes[dfu.protocol]
}

/** Of Atmel's loaders it is a version, of some chips their part number: the same in all. */
const isOwn = ({ vendorId, serial = '' }: SeenUsb): boolean =>
  vendorId !== atmel && !partNumbers.includes(serial)

function facts(seen: SeenUsb, model: string, mode: Mode): Fact[] {
  const saysVersion = findDevice(seen.vendorId, seen.productId)?.saysVersion
  const version = saysVersion ? parseProduct(seen.product ?? '')?.version : versionText(seen.deviceVersion)
  const known: readonly [Fact['name'], string | undefined, string][] = [
    ['model', model, 'idVendor, idProduct, iProduct'],
    ['mode', mode, 'bInterfaceProtocol'],
    ['usb-id', usbId(seen.vendorId, seen.productId), 'idVendor, idProduct'],
    ['firmware-version', version, saysVersion ? 'iProduct' : 'bcdDevice'],
    ['manufacturer', seen.manufacturer, 'iManufacturer'],
    ['product', seen.product, 'iProduct'],
    ['serial', isOwn(seen) ? seen.serial : undefined, 'iSerialNumber'],
  ]
  return known.flatMap(([name, value, source]) => (value ? [{ name, value, source }] : []))
}

export default {
  id: 'dfu',
  name: 'DFU',
  link: 'usb',
  filters: [...knownIds, dfuClass],
  toTarget: [],
  marks: partNumbers,
  recognise(seen): Recognition | undefined {
    if (seen.link !== 'usb') return undefined
    const known = findDevice(seen.vendorId, seen.productId)
    const mode = seen.vendorId === atmel ? known && 'bootloader' : modeOf(seen)
    if (!mode) return undefined
    const model = known?.model ?? seen.product ?? 'DFU'
    return {
      model,
      mode,
      confidence: known ? 'certain' : 'likely',
      usable: true,
      facts: facts(seen, model, mode),
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
