/** The USB descriptors of a twin, written as most devices have them: one configuration, strings 1 to 3 for itself (USB 2.0, 9.6). */
import { ByteWriter, concat } from '#core/bytes.ts'
import type { UsbDescriptors } from './twin.ts'

export interface Described {
  readonly vendorId: number
  readonly productId: number
  /** BCD. */
  readonly deviceVersion: number
  readonly manufacturer: string
  readonly product: string
  readonly serial: string
}

interface Layout {
  /** BCD; default 2.00. */
  readonly usbVersion?: number
  /** Class, subclass and protocol; default: those of its interfaces. */
  readonly deviceClass?: readonly [number, number, number]
  readonly interfaces: number
  /** Default: powered by the bus. */
  readonly attributes?: number
  /** All that is behind the configuration's own nine bytes. */
  readonly body: Uint8Array
  /** String 4. */
  readonly interfaceName: string
}

export const Transfer = { Bulk: 2, Interrupt: 3 } as const

export const u16 = (value: number): [number, number] => [value & 0xff, value >> 8]

/** `interval`: of an interrupt endpoint, in milliseconds. */
export const endpoint = (address: number, type: number, bytes: number, interval = 0): number[] => [
  ...[7, 5, address, type],
  ...[...u16(bytes), interval],
]

export function usbDescriptors(described: Described, layout: Layout): UsbDescriptors {
  const { vendorId, productId, deviceVersion, manufacturer, product, serial } = described
  const { usbVersion = 0x0200, deviceClass = [0, 0, 0], interfaces, attributes = 0x80, body } = layout
  return {
    device: new ByteWriter()
      .bytes([18, 1, ...u16(usbVersion), ...deviceClass, 64])
      .u16le(vendorId)
      .u16le(productId)
      .u16le(deviceVersion)
      .bytes([1, 2, 3, 1])
      .done(),
    configuration: concat(
      new ByteWriter()
        .bytes([9, 2])
        .u16le(9 + body.length)
        .bytes([interfaces, 1, 0, attributes, 50])
        .done(),
      body,
    ),
    strings: { 1: manufacturer, 2: product, 3: serial, 4: layout.interfaceName },
    missing: 'stall',
  }
}
