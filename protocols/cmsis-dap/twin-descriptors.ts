/**
 * What emulated CMSIS-DAP probes say of themselves. Version 2: commands on a vendor interface that is called so, and a
 * serial port beside it; version 1: reports of a HID device. Sources: raspberrypi/debugprobe, `src/usb_descriptors.c`;
 * ARMmbed/DAPLink, `source/usb/hid`; Device Class Definition for HID 1.11, 6.2.
 */
import { concat } from '#core/bytes.ts'
import { endpoint, Transfer, u16, usbDescriptors, type Described } from '#bench/twin-descriptors.ts'
import type { UsbDescriptors } from '#bench/twin.ts'

const { Bulk, Interrupt } = Transfer

/** `packetBytes`: of a bulk endpoint. */
export function probeDescriptors(described: Described, packetBytes = 64): UsbDescriptors {
  const dap = Uint8Array.from([
    ...[9, 4, 0, 0, 2, 0xff, 0, 0, 4],
    ...endpoint(0x04, Bulk, packetBytes),
    ...endpoint(0x85, Bulk, packetBytes),
  ])
  const port = Uint8Array.from([
    ...[8, 0x0b, 1, 2, 2, 2, 0, 0],
    ...[9, 4, 1, 0, 1, 2, 2, 0, 0],
    ...[5, 0x24, 0, 0x20, 0x01, 5, 0x24, 1, 0, 2, 4, 0x24, 2, 6, 5, 0x24, 6, 1, 2],
    ...endpoint(0x81, Interrupt, 64),
    ...[9, 4, 2, 0, 2, 0x0a, 0, 0, 0],
    ...endpoint(0x02, Bulk, packetBytes),
    ...endpoint(0x83, Bulk, packetBytes),
  ])
  return usbDescriptors(described, {
    ...{ usbVersion: 0x0210, deviceClass: [0xef, 2, 1], interfaces: 3 },
    ...{ body: concat(dap, port), interfaceName: 'CMSIS-DAP v2 Interface' },
  })
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
export function hidDescriptors(described: Described, report: Uint8Array, packetBytes = 64): UsbDescriptors {
  const body = Uint8Array.from([
    ...[9, 4, 0, 0, 2, 3, 0, 0, 4],
    ...[9, 0x21, 0x11, 0x01, 0, 1, 0x22, ...u16(report.length)],
    ...endpoint(0x81, Interrupt, packetBytes, 1),
    ...endpoint(0x01, Interrupt, packetBytes, 1),
  ])
  return usbDescriptors(described, { interfaces: 1, body, interfaceName: 'CMSIS-DAP v1' })
}
