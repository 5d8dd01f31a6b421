/**
 * A Black Magic Probe's firmware on an ST-Link: another device on the bus, with a DFU interface that leads nowhere but to
 * the ST-Link's own boot loader. Sources: Black Magic Debug, `platforms/common/usb_descriptors.h`, `usb_dfu_stub.c`,
 * `platforms/stlink/README.md`; DFU 1.1, sections 4.1 and 5.1.
 */
import { ByteWriter, concat } from '#core/bytes.ts'
import type { SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'

const dfuNumber = 4
const Dfu = { Detach: 0, GetStatus: 3 } as const
/** `bStatus` OK, no wait, appIDLE. */
const idle = Uint8Array.of(0, 0, 0, 0, 0, 0)
const restartMs = 1500
const ok = new Uint8Array()

/** A serial port by its two interfaces: notifications, then data. */
const serialPort = (number: number, name: number, endpoint: number): number[] => [
  ...[8, 11, number, 2, 2, 2, 0, name],
  ...[9, 4, number, 0, 1, 2, 2, 0, name],
  ...[5, 0x24, 0, 0x10, 0x01, 5, 0x24, 1, 0, number + 1, 4, 0x24, 2, 2, 5, 0x24, 6, number, number + 1],
  ...[7, 5, 0x80 | (endpoint + 1), 3, 16, 0, 255],
  ...[9, 4, number + 1, 0, 2, 10, 0, 0, 0],
  ...[7, 5, endpoint, 2, 64, 0, 1, 7, 5, 0x80 | endpoint, 2, 64, 0, 1],
]

function describe(product: string, serial: string): UsbDescriptors {
  const body = Uint8Array.from([
    ...serialPort(0, 4, 1),
    ...serialPort(2, 5, 3),
    ...[8, 11, dfuNumber, 1, 0xfe, 1, 1, 6, 9, 4, dfuNumber, 0, 0, 0xfe, 1, 1, 6],
    ...[9, 0x21, 0x09, 255, 0, 0, 4, 0x1a, 0x01], // can download, detaches by itself
  ])
  return {
    device: new ByteWriter()
      .bytes([18, 1, 0x00, 0x02, 0xef, 2, 1, 64])
      .u16le(0x1d50)
      .u16le(0x6018)
      .u16le(0x0100)
      .bytes([1, 2, 3, 1])
      .done(),
    configuration: concat(
      new ByteWriter()
        .bytes([9, 2])
        .u16le(9 + body.length)
        .bytes([5, 1, 0, 0x80, 50])
        .done(),
      body,
    ),
    strings: {
      ...{ 1: 'Black Magic Debug', 2: product, 3: serial },
      ...{ 4: 'Black Magic GDB Server', 5: 'Black Magic UART Port', 6: 'Black Magic DFU' },
    },
    missing: 'stall',
  }
}

export interface ForeignOptions {
  readonly product: string
  /** It makes one of its own, of the same chip. */
  readonly serial: string
  readonly loader: () => UsbTwin
}

export class ForeignTwin implements UsbTwin {
  readonly link = 'usb'
  readonly speed = 'full'
  readonly descriptors: UsbDescriptors
  readonly #loader: () => UsbTwin
  #bus: TwinBus | undefined

  constructor({ product, serial, loader }: ForeignOptions) {
    this.descriptors = describe(product, serial)
    this.#loader = loader
  }

  plugged(bus: TwinBus): void {
    this.#bus = bus
  }

  unplugged(): void {
    this.#bus = undefined
  }

  reset(): void {
    // nothing is under way in it
  }

  control({ requestType, request, index }: SetupPacket): Promise<TwinAnswer> {
    const bus = this.#bus
    const isForDfu = index === dfuNumber && (requestType & 0x60) === 0x20
    if (isForDfu && request === Dfu.Detach && requestType === 0x21) {
      bus?.clock.after(1, () => bus.detach({ twin: this.#loader(), ms: restartMs }))
      return Promise.resolve(ok)
    }
    if (isForDfu) return Promise.resolve(request === Dfu.GetStatus ? idle : 'stall')
    return Promise.resolve((requestType & 0x80) === 0 ? ok : 'stall') // what a serial port is told
  }

  bulkOut(): Promise<TwinAnswer> {
    return Promise.resolve(ok)
  }

  bulkIn(): Promise<TwinAnswer> {
    return Promise.resolve('silent')
  }
}
