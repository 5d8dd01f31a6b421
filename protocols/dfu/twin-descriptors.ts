/**
 * What DFU twins say of themselves, in DFU mode and running. Sources: DFU 1.1, sections 4.1 and 4.2; Black Magic Debug,
 * `usb_descriptors.h`; USB CDC 1.2 and PSTN 1.2, 5.2.3 and 5.3 (functional descriptors).
 */
import { ByteWriter, concat } from '#core/bytes.ts'
import type { UsbDescriptors } from '#bench/twin.ts'

export interface Named {
  readonly ids: { readonly vendorId: number; readonly productId: number; readonly deviceVersion: number }
  readonly texts: { readonly manufacturer: string; readonly product: string; readonly serial: string }
}

export const Attribute = { Download: 1, Upload: 2, ManifestationTolerant: 4, WillDetach: 8 } as const
const protocols = { running: 1, dfu: 2 } as const
const firstName = 4

interface DfuOptions {
  /** Its number, and the index of its name; alternate settings follow each other. */
  readonly number: number
  readonly names: readonly number[]
  readonly mode: keyof typeof protocols
  readonly attributes: number
  readonly transferBytes: number
  readonly version: number
}

function dfuInterface({ number, names, mode, attributes, transferBytes, version }: DfuOptions): Uint8Array {
  const functional = new ByteWriter()
    .bytes([9, 0x21, attributes])
    .u16le(255)
    .u16le(transferBytes)
    .u16le(version)
  const settings = names.map((name, setting) => [9, 4, number, setting, 0, 0xfe, 1, protocols[mode], name])
  return concat(Uint8Array.from(settings.flat()), functional.done())
}

interface Whole extends Named {
  readonly names: readonly string[]
  readonly interfaces: number
  readonly body: Uint8Array
  /** bDeviceClass, subclass and protocol, where interfaces belong together. */
  readonly deviceClass?: readonly [number, number, number]
}

const describe = ({
  ids,
  texts,
  names,
  interfaces,
  body,
  deviceClass = [0, 0, 0],
}: Whole): UsbDescriptors => ({
  device: new ByteWriter()
    .bytes([18, 1, 0x00, deviceClass[0] === 0 ? 1 : 2, ...deviceClass, 64])
    .u16le(ids.vendorId)
    .u16le(ids.productId)
    .u16le(ids.deviceVersion)
    .bytes([1, 2, 3, 1])
    .done(),
  configuration: concat(
    new ByteWriter()
      .bytes([9, 2])
      .u16le(9 + body.length)
      .bytes([interfaces, 1, 0, 0xc0, 50])
      .done(),
    body,
  ),
  strings: Object.fromEntries([
    ...[texts.manufacturer, texts.product, texts.serial].map((text, i) => [i + 1, text] as const),
    ...names.map((name, i) => [firstName + i, name] as const),
  ]),
  missing: 'stall',
})

/** In DFU mode: one interface, and a setting for each name. */
export const loaderDescriptors = (
  named: Named,
  names: readonly string[],
  how: Pick<DfuOptions, 'attributes' | 'transferBytes' | 'version'>,
): UsbDescriptors =>
  describe({
    ...named,
    names,
    interfaces: 1,
    body: dfuInterface({ ...how, number: 0, mode: 'dfu', names: names.map((_, i) => firstName + i) }),
  })

/** A serial port by its two interfaces: notifications, then data. */
function serialPort(number: number, name: number, endpoint: number, outBytes: number): number[] {
  const association = [8, 11, number, 2, 2, 2, 0, name]
  const functional = [
    ...[5, 0x24, 0, 0x10, 0x01],
    ...[5, 0x24, 1, 0, number + 1],
    ...[4, 0x24, 2, 2],
    ...[5, 0x24, 6, number, number + 1],
  ]
  const bulk = (address: number, bytes: number) => [7, 5, address, 2, bytes, 0, 1]
  return [
    ...association,
    ...[9, 4, number, 0, 1, 2, 2, 0, name, ...functional],
    ...[7, 5, 0x80 | (endpoint + 1), 3, 16, 0, 255],
    ...[9, 4, number + 1, 0, 2, 10, 0, 0, 0, ...bulk(endpoint, outBytes), ...bulk(0x80 | endpoint, 64)],
  ]
}

/** A Black Magic Probe in use: two serial ports, DFU, and trace. */
export const blackMagicDescriptors = (product: string): UsbDescriptors =>
  describe({
    ids: { vendorId: 0x1d50, productId: 0x6018, deviceVersion: 0x0100 },
    texts: { manufacturer: 'Black Magic Debug', product, serial: 'B1A2C3D4' },
    names: [
      'Black Magic GDB Server',
      'Black Magic UART Port',
      'Black Magic DFU',
      'Black Magic Trace Capture',
    ],
    deviceClass: [0xef, 2, 1],
    interfaces: 6,
    body: concat(
      Uint8Array.from([...serialPort(0, 4, 1, 64), ...serialPort(2, 5, 3, 32), 8, 11, 4, 1, 0xfe, 1, 1, 6]),
      dfuInterface({
        ...{ number: 4, names: [6], mode: 'running', attributes: Attribute.Download | Attribute.WillDetach },
        ...{ transferBytes: 1024, version: 0x011a },
      }),
      Uint8Array.from([8, 11, 5, 1, 0xff, 0xff, 0xff, 7, 9, 4, 5, 0, 1, 0xff, 0xff, 0xff, 7]),
      Uint8Array.from([7, 5, 0x85, 2, 64, 0, 0]),
    ),
  })

/** Nothing but DFU, and not able to leave by itself. */
export const lonelyDescriptors = (product: string): UsbDescriptors =>
  describe({
    ids: { vendorId: 0x1209, productId: 0x0002, deviceVersion: 0x0100 },
    texts: { manufacturer: 'Practice', product, serial: '0001' },
    names: ['Firmware'],
    interfaces: 1,
    body: dfuInterface({
      ...{
        number: 0,
        names: [firstName],
        mode: 'running',
        attributes: Attribute.Download | Attribute.Upload,
      },
      ...{ transferBytes: 1024, version: 0x0110 },
    }),
  })
