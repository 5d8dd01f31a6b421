/**
 * What emulated J-Links say of themselves: one interface of the vendor's own with two bulk endpoints; with a serial port
 * before it where their id says so. Source: libjaylink, `libjaylink/discovery_usb.c` and `transport_usb.c`.
 */
import { ByteWriter, concat } from '#core/bytes.ts'
import type { UsbDescriptors } from '#bench/twin.ts'

interface Described {
  readonly productId: number
  readonly deviceVersion: number
  readonly product: string
  readonly serial: string
}

const segger = 0x1366
const bulk = 2
const endpoint = (address: number) => [7, 5, address, bulk, 64, 0, 0]

export function jlinkDescriptors({ productId, deviceVersion, product, serial }: Described): UsbDescriptors {
  const own = Uint8Array.from([9, 4, 0, 0, 2, 0xff, 0xff, 0xff, 4, ...endpoint(0x81), ...endpoint(0x02)])
  return {
    device: new ByteWriter()
      .bytes([18, 1, 0, 2, 0, 0, 0, 64])
      .u16le(segger)
      .u16le(productId)
      .u16le(deviceVersion)
      .bytes([1, 2, 3, 1])
      .done(),
    configuration: concat(
      new ByteWriter()
        .bytes([9, 2])
        .u16le(9 + own.length)
        .bytes([1, 1, 0, 0xc0, 50])
        .done(),
      own,
    ),
    strings: { 1: 'SEGGER', 2: product, 3: serial, 4: 'BULK interface' },
    missing: 'stall',
  }
}
