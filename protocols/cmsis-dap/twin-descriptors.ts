/**
 * What emulated CMSIS-DAP probes say of themselves. Version 2: commands on a vendor interface that is called so, and a
 * serial port beside it; version 1: reports of a HID device. Sources: raspberrypi/debugprobe, `src/usb_descriptors.c`;
 * ARMmbed/DAPLink, `source/usb/hid`; Device Class Definition for HID 1.11, 6.2.
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
  /** Of a bulk endpoint; default 64. */
  readonly packetBytes?: number
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
  packetBytes = 64,
}: Described): UsbDescriptors {
  const dap = Uint8Array.from([
    ...[9, 4, 0, 0, 2, 0xff, 0, 0, 4],
    ...endpoint(0x04, bulk, packetBytes),
    ...endpoint(0x85, bulk, packetBytes),
  ])
  const port = Uint8Array.from([
    ...[8, 0x0b, 1, 2, 2, 2, 0, 0],
    ...[9, 4, 1, 0, 1, 2, 2, 0, 0],
    ...[5, 0x24, 0, 0x20, 0x01, 5, 0x24, 1, 0, 2, 4, 0x24, 2, 6, 5, 0x24, 6, 1, 2],
    ...endpoint(0x81, interrupt, 64),
    ...[9, 4, 2, 0, 2, 0x0a, 0, 0, 0],
    ...endpoint(0x02, bulk, packetBytes),
    ...endpoint(0x83, bulk, packetBytes),
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

/** Reports of so many bytes both ways, without ids, on a page of the vendor's own. */
export const reportDescriptor = (bytes: number): Uint8Array =>
  Uint8Array.from([
    ...[0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01], // usage page, usage, application collection
    ...[0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08], // bytes
    ...[0x96, ...u16(bytes), 0x09, 0x01, 0x81, 0x02], // input
    ...[0x96, ...u16(bytes), 0x09, 0x01, 0x91, 0x02], // output
    ...[0x95, 0x01, 0x09, 0x01, 0xb1, 0x02], // a feature nobody uses
    0xc0,
  ])

/** Its one interface; asked for reports each millisecond. */
export function hidDescriptors(
  { vendorId, productId, deviceVersion, manufacturer, product, serial, packetBytes = 64 }: Described,
  report: Uint8Array,
): UsbDescriptors {
  const interval = 1
  const body = Uint8Array.from([
    ...[9, 4, 0, 0, 2, 3, 0, 0, 4],
    ...[9, 0x21, 0x11, 0x01, 0, 1, 0x22, ...u16(report.length)],
    ...endpoint(0x81, interrupt, packetBytes).with(6, interval),
    ...endpoint(0x01, interrupt, packetBytes).with(6, interval),
  ])
  return {
    device: new ByteWriter()
      .bytes([18, 1, 0x00, 0x02, 0, 0, 0, 64])
      .u16le(vendorId)
      .u16le(productId)
      .u16le(deviceVersion)
      .bytes([1, 2, 3, 1])
      .done(),
    configuration: concat(
      new ByteWriter()
        .bytes([9, 2])
        .u16le(9 + body.length)
        .bytes([1, 1, 0, 0x80, 50])
        .done(),
      body,
    ),
    strings: { 1: manufacturer, 2: product, 3: serial, 4: 'CMSIS-DAP v1' },
    missing: 'stall',
  }
}
