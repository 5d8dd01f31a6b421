/**
 * What emulated CMSIS-DAP v2 probes say of themselves: commands on a vendor interface that is called so, and a serial port
 * beside it. Source: raspberrypi/debugprobe, `src/usb_descriptors.c`.
 */
import { ByteWriter, concat } from '#core/bytes.ts'
import type { UsbDescriptors } from '#bench/twin.ts'

interface Described {
  readonly vendorId: number
  readonly productId: number
  /** BCD. */
  readonly deviceVersion: number
  readonly manufacturer: string
  readonly product: string
  readonly serial: string
}

const u16 = (value: number): [number, number] => [value & 0xff, value >> 8]
const endpoint = (address: number, type: number, bytes: number) => [7, 5, address, type, ...u16(bytes), 0]
const [bulk, interrupt] = [2, 3]

export function probeDescriptors({
  vendorId,
  productId,
  deviceVersion,
  manufacturer,
  product,
  serial,
}: Described): UsbDescriptors {
  const dap = Uint8Array.from([
    ...[9, 4, 0, 0, 2, 0xff, 0, 0, 4],
    ...endpoint(0x04, bulk, 64),
    ...endpoint(0x85, bulk, 64),
  ])
  const port = Uint8Array.from([
    ...[8, 0x0b, 1, 2, 2, 2, 0, 0],
    ...[9, 4, 1, 0, 1, 2, 2, 0, 0],
    ...[5, 0x24, 0, 0x20, 0x01, 5, 0x24, 1, 0, 2, 4, 0x24, 2, 6, 5, 0x24, 6, 1, 2],
    ...endpoint(0x81, interrupt, 64),
    ...[9, 4, 2, 0, 2, 0x0a, 0, 0, 0],
    ...endpoint(0x02, bulk, 64),
    ...endpoint(0x83, bulk, 64),
  ])
  const body = concat(dap, port)
  return {
    device: new ByteWriter()
      .bytes([18, 1, 0x10, 0x02, 0xef, 2, 1, 64])
      .u16le(vendorId)
      .u16le(productId)
      .u16le(deviceVersion)
      .bytes([1, 2, 3, 1])
      .done(),
    configuration: concat(
      new ByteWriter()
        .bytes([9, 2])
        .u16le(9 + body.length)
        .bytes([3, 1, 0, 0x80, 50])
        .done(),
      body,
    ),
    strings: { 1: manufacturer, 2: product, 3: serial, 4: 'CMSIS-DAP v2 Interface' },
    missing: 'stall',
  }
}
