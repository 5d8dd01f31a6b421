/** Small devices for the tests of the wire: a composite USB device, a HID device and a serial line that echoes. */
import type {
  SerialTwin,
  SerialWire,
  SetupPacket,
  TwinAnswer,
  TwinBus,
  UsbDescriptors,
  UsbTwin,
} from './twin.ts'

const u16 = (value: number): [number, number] => [value & 0xff, value >> 8]

export interface EchoOptions {
  readonly serial?: string
  readonly productId?: number
  readonly speed?: UsbTwin['speed']
  readonly missing?: UsbDescriptors['missing']
}

/** Vendor interface 0 (bulk 81 IN, 02 OUT, 64 bytes; or its alternate setting without them), HID 1, CDC data 2; request 1 gives back what request 2 got. */
export class EchoUsbTwin implements UsbTwin {
  readonly link = 'usb'
  readonly speed: UsbTwin['speed']
  readonly descriptors: UsbDescriptors
  bus: TwinBus | undefined
  resets = 0
  requests: SetupPacket[] = []
  /** What the next control request is answered with, whatever it asks. */
  nextAnswer: TwinAnswer | undefined
  #held: Uint8Array = new Uint8Array()

  constructor({ serial, productId = 0xbeef, speed = 'full', missing = 'stall' }: EchoOptions = {}) {
    this.speed = speed
    const device = [18, 1, ...u16(0x0110), 0xff, 0, 0, 8, ...u16(0xcafe), ...u16(productId), ...u16(0x0104)]
    const endpoints = [7, 5, 0x81, 2, ...u16(64), 0, 7, 5, 0x02, 2, ...u16(64), 0]
    const interfaces = [
      ...[9, 4, 0, 0, 2, 0xff, 1, 2, 4, ...endpoints],
      ...[9, 4, 0, 1, 0, 0xff, 1, 3, 0],
      ...[9, 4, 1, 0, 0, 0x03, 0, 0, 0],
      ...[9, 4, 2, 0, 0, 0x0a, 0, 0, 0],
    ]
    this.descriptors = {
      device: Uint8Array.from([...device, 1, 2, serial === undefined ? 0 : 3, 1]),
      configuration: Uint8Array.from([9, 2, ...u16(9 + interfaces.length), 3, 1, 0, 0x80, 50, ...interfaces]),
      strings: { 1: 'Echoes', 2: 'Echo', ...(serial === undefined ? {} : { 3: serial }), 4: 'Bulk' },
      missing,
    }
  }

  plugged(bus: TwinBus): void {
    this.bus = bus
  }
  reset(): void {
    this.resets++
  }
  control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    this.requests.push(setup)
    const planned = this.nextAnswer
    this.nextAnswer = undefined
    if (planned !== undefined) return Promise.resolve(planned)
    if (setup.request === 11 && setup.value === 1) return Promise.resolve(new Uint8Array())
    if (setup.request === 1) return Promise.resolve(this.#held.slice(0, setup.length))
    if (setup.request !== 2) return Promise.resolve('stall')
    return this.bulkOut(2, bytes)
  }
  bulkOut(_endpoint: number, bytes: Uint8Array): Promise<TwinAnswer> {
    this.#held = bytes
    return Promise.resolve(new Uint8Array())
  }
  bulkIn(_endpoint: number, length: number): Promise<TwinAnswer> {
    return Promise.resolve(length < this.#held.length ? this.#held : this.#held.slice(0, length))
  }
}

/** Gives back each report of 8 bytes, one after another. */
export class EchoHidTwin implements UsbTwin {
  readonly link = 'usb'
  readonly chosenAs = 'hid'
  readonly speed = 'full'
  readonly descriptors: UsbDescriptors
  #held: Uint8Array[] = []
  #heard: () => void = () => undefined

  constructor() {
    const device = [18, 1, ...u16(0x0200), 0, 0, 0, 8, ...u16(0xcafe), ...u16(0xb1d0), ...u16(0x0100)]
    const endpoints = [7, 5, 0x81, 3, ...u16(8), 1, 7, 5, 0x02, 3, ...u16(8), 1]
    const hid = [9, 0x21, 0x11, 0x01, 0, 1, 0x22, ...u16(echoReports.length)]
    const body = [9, 4, 0, 0, 2, 3, 0, 0, 0, ...hid, ...endpoints]
    this.descriptors = {
      device: Uint8Array.from([...device, 1, 2, 0, 1]),
      configuration: Uint8Array.from([9, 2, ...u16(9 + body.length), 1, 1, 0, 0x80, 50, ...body]),
      strings: { 1: 'Echoes', 2: 'HID Echo' },
      missing: 'stall',
    }
  }

  plugged(): void {
    this.reset()
  }
  reset(): void {
    this.#held = []
  }
  control({ requestType, request, value }: SetupPacket): Promise<TwinAnswer> {
    if (requestType === 0x81 && request === 6 && value === 0x2200) return Promise.resolve(echoReports)
    return Promise.resolve(requestType === 0x21 ? new Uint8Array() : 'stall')
  }
  bulkOut(_endpoint: number, bytes: Uint8Array): Promise<TwinAnswer> {
    const report = new Uint8Array(8)
    report.set(bytes)
    this.#held.push(report)
    this.#heard()
    return Promise.resolve(new Uint8Array())
  }
  async bulkIn(): Promise<TwinAnswer> {
    while (this.#held.length === 0) await new Promise<void>((resolve) => (this.#heard = resolve))
    return this.#held.shift() ?? new Uint8Array()
  }
}

const echoReports = Uint8Array.from([
  ...[0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x75, 0x08, 0x95, 0x08],
  ...[0x09, 0x01, 0x81, 0x02, 0x09, 0x01, 0x91, 0x02, 0xc0],
])

/** Sends each byte back as it comes, at its own speed; keeps what it saw of the signals. */
export class EchoSerialTwin implements SerialTwin {
  readonly link = 'serial'
  bridge: SerialTwin['bridge'] = 'cdc-acm'
  readonly usb: SerialTwin['usb']
  readonly baud: number
  readonly received: number[] = []
  readonly signalled: { dtr: boolean; rts: boolean; at: number }[] = []
  wire: SerialWire | undefined

  constructor(baud = 115200, usb: SerialTwin['usb'] = { vendorId: 0x2341, productId: 0x0043 }) {
    this.baud = baud
    this.usb = usb
  }

  plugged(wire: SerialWire): void {
    this.wire = wire
  }
  receive(bytes: Uint8Array, baud: number): void {
    this.received.push(...bytes)
    if (baud === this.baud) this.wire?.send(bytes, this.baud)
  }
  signals(dtr: boolean, rts: boolean): void {
    this.signalled.push({ dtr, rts, at: this.wire?.clock.now() ?? 0 })
  }
}
