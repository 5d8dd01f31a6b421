/**
 * What emulated ST-Links say of themselves on the bus, as their firmware and as their boot loader. Sources:
 * openocd-org/openocd, `src/jtag/drivers/stlink_usb.c` (endpoints by id); probe-rs/probe-rs,
 * `probe-rs/src/probe/stlink/tools.rs`; GMMan/st-link-hack, `paper/protocol_notes.txt`.
 */
import { endpoint, Transfer, usbDescriptors } from '#bench/twin-descriptors.ts'
import type { UsbDescriptors } from '#bench/twin.ts'

export interface Described {
  readonly productId: number
  readonly product: string
  readonly serial: string
  /** BCD. */
  readonly deviceVersion: number
  /** Of its commands; absent: it has none, but a drive's. */
  readonly endpoints?: { readonly out: number; readonly trace?: number }
  readonly packetBytes: 64 | 512
  /** Beside it. */
  readonly hasSerialPort?: boolean
}

const st = 0x0483
const answers = 0x81
const [vendorClass, storageClass] = [0xff, 0x08]
const { Bulk: bulk, Interrupt: interrupt } = Transfer

function commands({ endpoints, packetBytes }: Described): number[] {
  if (!endpoints)
    return [
      ...[9, 4, 0, 0, 2, storageClass, 6, 0x50, 0],
      ...endpoint(0x01, bulk, packetBytes),
      ...endpoint(0x82, bulk, packetBytes),
    ]
  const { out, trace } = endpoints
  return [
    ...[9, 4, 0, 0, trace === undefined ? 2 : 3, vendorClass, 0xff, 0xff, 4],
    ...endpoint(answers, bulk, packetBytes),
    ...endpoint(out, bulk, packetBytes),
    ...(trace === undefined ? [] : endpoint(0x80 | trace, bulk, packetBytes)),
  ]
}

const serialPort = (packetBytes: number): number[] => [
  ...[8, 0x0b, 1, 2, 2, 2, 1, 0],
  ...[9, 4, 1, 0, 1, 2, 2, 1, 0],
  ...[5, 0x24, 0, 0x10, 0x01, 5, 0x24, 1, 0, 2, 4, 0x24, 2, 2, 5, 0x24, 6, 1, 2],
  ...endpoint(0x84, interrupt, 10),
  ...[9, 4, 2, 0, 2, 0x0a, 0, 0, 0],
  ...endpoint(0x05, bulk, packetBytes),
  ...endpoint(0x85, bulk, packetBytes),
]

export function stLinkDescriptors(described: Described): UsbDescriptors {
  const { productId, product, serial, deviceVersion, packetBytes, hasSerialPort = false } = described
  const body = Uint8Array.from([...commands(described), ...(hasSerialPort ? serialPort(packetBytes) : [])])
  return usbDescriptors(
    { vendorId: st, productId, deviceVersion, manufacturer: 'STMicroelectronics', product, serial },
    {
      ...(hasSerialPort ? { deviceClass: [0xef, 2, 1], interfaces: 3 } : { interfaces: 1 }),
      ...{ body, interfaceName: 'ST Link' },
    },
  )
}
