/**
 * What the twins say of themselves: in BOOTSEL mode as the ROMs do (that of the RP2040 byte by byte), and programs in use.
 * Sources: pico-bootrom-rp2040, `usb_boot_device.c`; pico-bootrom-rp2350, `nsboot_usb_client.c`; pico-sdk,
 * `stdio_usb_descriptors.c`; debugprobe, `usb_descriptors.c`.
 */
import { ByteWriter } from '#core/bytes.ts'
import type { UsbDescriptors } from '#bench/twin.ts'
import { raspberryPi } from '#chips/rp2-chips.ts'

export interface Strings {
  readonly manufacturer: string
  readonly product: string
  readonly serial: string
}

interface Device {
  readonly usbVersion: number
  readonly deviceClass: readonly [number, number, number]
  readonly productId: number
  readonly deviceVersion: number
  readonly maxPower: number
  readonly strings: Strings
  readonly names?: Readonly<Record<number, string>>
  readonly interfaces: number
  readonly body: readonly number[]
}

const describe = (device: Device): UsbDescriptors => ({
  device: new ByteWriter()
    .bytes([18, 1])
    .u16le(device.usbVersion)
    .bytes([...device.deviceClass, 64])
    .u16le(raspberryPi)
    .u16le(device.productId)
    .u16le(device.deviceVersion)
    .bytes([1, 2, 3, 1])
    .done(),
  configuration: new ByteWriter()
    .bytes([9, 2])
    .u16le(9 + device.body.length)
    .bytes([device.interfaces, 1, 0, 0x80, device.maxPower, ...device.body])
    .done(),
  strings: {
    1: device.strings.manufacturer,
    2: device.strings.product,
    3: device.strings.serial,
    ...device.names,
  },
  missing: 'stall',
})

const bulk = (address: number): number[] => [7, 5, address, 2, 64, 0, 0]

/** The drive, then PICOBOOT. */
export const bootselDescriptors = (chip: 'RP2040' | 'RP2350', strings: Strings): UsbDescriptors =>
  describe({
    ...(chip === 'RP2040'
      ? { usbVersion: 0x0110, productId: 0x0003, maxPower: 0xfa }
      : { usbVersion: 0x0210, productId: 0x000f, maxPower: 0x19 }),
    ...{ deviceClass: [0, 0, 0], deviceVersion: 0x0100, strings, interfaces: 2 },
    body: [
      ...[9, 4, 0, 0, 2, 0x08, 0x06, 0x50, 0, ...bulk(0x81), ...bulk(0x02)],
      ...[9, 4, 1, 0, 2, 0xff, 0x00, 0x00, 0, ...bulk(0x03), ...bulk(0x84)],
    ],
  })

/** A serial port by its two interfaces: notifications, then data. */
const serialPort = (number: number, name: number, endpoints: readonly [number, number, number]): number[] => [
  ...[8, 11, number, 2, 2, 2, 0, 0],
  ...[9, 4, number, 0, 1, 2, 2, 0, name],
  ...[5, 0x24, 0, 0x20, 0x01],
  ...[5, 0x24, 1, 0, number + 1],
  ...[4, 0x24, 2, 2],
  ...[5, 0x24, 6, number, number + 1],
  ...[7, 5, endpoints[0], 3, 8, 0, 16],
  ...[9, 4, number + 1, 0, 2, 10, 0, 0, 0],
  ...bulk(endpoints[1]),
  ...bulk(endpoints[2]),
]

/** A program made with the SDK: its standard output is a serial port, and behind it is what resets it. */
export const stdioDescriptors = (productId: number, product: string, serial: string): UsbDescriptors =>
  describe({
    ...{ usbVersion: 0x0210, deviceClass: [0xef, 2, 1], productId, deviceVersion: 0x0100, maxPower: 125 },
    strings: { manufacturer: 'Raspberry Pi', product, serial },
    names: { 4: 'Board CDC', 5: 'Reset' },
    interfaces: 3,
    body: [...serialPort(0, 4, [0x81, 0x02, 0x82]), 9, 4, 2, 0, 0, 0xff, 0x00, 0x01, 5],
  })

/** A Debug Probe: CMSIS-DAP, and a serial port. */
export const probeDescriptors = (product: string, deviceVersion: number, serial: string): UsbDescriptors =>
  describe({
    ...{ usbVersion: 0x0210, deviceClass: [0, 0, 0], productId: 0x000c, deviceVersion, maxPower: 50 },
    strings: { manufacturer: 'Raspberry Pi', product, serial },
    names: { 5: 'CMSIS-DAP v2 Interface', 6: 'CDC-ACM UART Interface' },
    interfaces: 3,
    body: [
      ...[9, 4, 0, 0, 2, 0xff, 0x00, 0x00, 5, ...bulk(0x04), ...bulk(0x85)],
      ...serialPort(1, 6, [0x81, 0x02, 0x83]),
    ],
  })
