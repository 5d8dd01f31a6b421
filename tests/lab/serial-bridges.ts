/**
 * Serial twins as USB devices, so that a kernel's own drivers bind to them: what `bench/twin-serial-port.ts`
 * is for the page, byte for byte paced in the same way.
 *
 * Requests as the Linux drivers send them: cdc-acm.c with USB CDC PSTN 1.2 (6.3), ch341.c, cp210x.c,
 * ftdi_sio.c.
 */
import { ByteReader } from '#core/bytes.ts'
import type { Parity } from '#core/programmer.ts'
import { asHeardAt, baudOf, TwinLine } from '#bench/twin-line.ts'
import type { SerialTwin, SetupPacket, TwinAnswer, TwinBus, UsbDescriptors, UsbTwin } from '#bench/twin.ts'

const empty = new Uint8Array()
/** What a bridge takes before it lets the host wait. */
const bufferBytes = 128
/** How much it gives in one packet, and how long it waits for more. */
const packetBytes = 64
const gatherMs = 2

/** From when it is plugged in until it goes away. */
interface Session {
  readonly clock: TwinBus['clock']
  readonly toTwin: TwinLine
  readonly fromTwin: TwinLine
  /** What the host has not fetched yet. */
  readonly received: number[]
  arrived: () => void
  /** The twin's own mistake, found while nobody asked it anything. */
  error?: unknown
}

abstract class SerialBridge implements UsbTwin {
  readonly link = 'usb'
  readonly speed = 'full'
  abstract readonly descriptors: UsbDescriptors
  protected readonly twin: SerialTwin
  protected baud = 9600
  protected parity: Parity = 'none'
  #session: Session | undefined
  #signals = { dtr: false, rts: false }

  constructor(twin: SerialTwin) {
    this.twin = twin
  }

  abstract control(setup: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer>

  powersUpAs(): UsbTwin {
    const twin = this.twin.powersUpAs?.() ?? this.twin
    return twin === this.twin ? this : asUsb(twin)
  }

  plugged(bus: TwinBus): void {
    const { clock } = bus
    const frameMs = 1
    const toTwin = new TwinLine(clock, frameMs, (portion, baud, parity) => {
      try {
        this.twin.receive(portion, baud, parity)
      } catch (error) {
        session.error = error
        toTwin.stop(new Error('the twin has failed'))
      }
    })
    const fromTwin = new TwinLine(clock, frameMs, (portion, baud) => {
      for (const byte of asHeardAt(this.baud, portion, baud)) session.received.push(byte)
      session.arrived()
    })
    const session: Session = { clock, toTwin, fromTwin, received: [], arrived: () => undefined }
    this.#session = session
    this.#signals = { dtr: false, rts: false }
    this.baud = baudOf(this.twin, 9600)
    this.parity = 'none'
    this.twin.plugged({
      clock,
      send: (bytes, baud, parity) => {
        fromTwin.push(bytes, baud, parity)
      },
      detach: (next) => bus.detach(next),
    })
  }

  unplugged(): void {
    const session = this.#session
    this.#session = undefined
    for (const line of [session?.toTwin, session?.fromTwin]) line?.stop(new Error('unplugged'))
    session?.arrived()
    this.twin.unplugged?.()
  }

  reset(): void {
    if (this.#session) this.#session.received.length = 0
  }

  async bulkOut(_: number, bytes: Uint8Array): Promise<TwinAnswer> {
    const session = this.#session
    session?.toTwin.push(bytes, this.baud, this.parity)
    const isTaken = await session?.toTwin.below(bufferBytes).then(
      () => true,
      () => false,
    )
    if (session?.error !== undefined) throw session.error
    return isTaken ? empty : 'broken'
  }

  async bulkIn(endpoint: number, length: number): Promise<TwinAnswer> {
    if (endpoint !== this.dataIn) return 'silent' // state changes, which these lines have none of
    const session = this.#session
    while (session?.received.length === 0) {
      await new Promise<void>((resolve) => (session.arrived = resolve))
      if (session !== this.#session) return 'broken'
    }
    if (!session) return 'broken'
    if (session.received.length < packetBytes) await session.clock.sleep(gatherMs)
    return this.packets(session.received, length)
  }

  protected abstract readonly dataIn: number

  /** Takes what fits into one transfer of `length` bytes. */
  protected packets(received: number[], length: number): Uint8Array {
    return Uint8Array.from(received.splice(0, length))
  }

  protected setBaud(baud: number): TwinAnswer {
    if (baud === 0) return 'stall'
    this.baud = baudOf(this.twin, baud)
    this.twin.lineCoding?.(baud)
    return empty
  }

  protected drive(change: { dtr?: boolean; rts?: boolean }): void {
    const { dtr, rts } = this.#signals
    this.#signals = { ...this.#signals, ...change }
    if (dtr !== this.#signals.dtr || rts !== this.#signals.rts)
      this.twin.signals(this.#signals.dtr, this.#signals.rts)
  }
}

// ---- descriptors ---------------------------------------------------------------------------------

const u16 = (value: number): [number, number] => [value & 0xff, value >> 8]

type Endpoint = readonly [address: number, type: 'bulk' | 'interrupt', packetSize: number]
interface Interface {
  readonly classes: readonly [number, number, number]
  /** Class descriptors that follow the interface's own. */
  readonly functional?: readonly number[]
  readonly endpoints: readonly Endpoint[]
}

type Strings = readonly [manufacturer: string, product: string, serial?: string]

function describe(
  { vendorId, productId }: { vendorId: number; productId: number },
  bcdDevice: number,
  deviceClass: number,
  interfaces: readonly Interface[],
  strings: Strings,
): UsbDescriptors {
  const [manufacturer, product, serial] = strings
  const body = interfaces.flatMap(({ classes, functional = [], endpoints }, number) => [
    ...[9, 4, number, 0, endpoints.length, ...classes, 0],
    ...functional,
    ...endpoints.flatMap(([address, type, size]) => [
      ...[7, 5, address, type === 'bulk' ? 2 : 3, ...u16(size), type === 'bulk' ? 0 : 10],
    ]),
  ])
  return {
    device: Uint8Array.from([
      ...[18, 1, ...u16(0x0110), deviceClass, 0, 0, 8],
      ...[...u16(vendorId), ...u16(productId), ...u16(bcdDevice), 1, 2, serial === undefined ? 0 : 3, 1],
    ]),
    configuration: Uint8Array.from([
      ...[9, 2, ...u16(9 + body.length), interfaces.length, 1, 0, 0x80, 50],
      ...body,
    ]),
    strings: { 1: manufacturer, 2: product, ...(serial === undefined ? {} : { 3: serial }) },
    missing: 'stall',
  }
}

const vendorSpecific = [0xff, 0, 0] as const

// ---- what the kinds are told ---------------------------------------------------------------------

const bridge16U2 = {
  packetBytes: 64,
  strings: ['Arduino (www.arduino.cc)', 'Arduino', '75230303235351D0B1A2'],
} as const

class CdcAcm extends SerialBridge {
  readonly descriptors: UsbDescriptors
  protected readonly dataIn = 3
  #coding: Uint8Array = Uint8Array.of(0x80, 0x25, 0, 0, 0, 0, 8)

  constructor(
    twin: SerialTwin,
    ids: { vendorId: number; productId: number },
    { packetBytes, strings }: { readonly packetBytes: number; readonly strings: Strings } = bridge16U2,
  ) {
    super(twin)
    const functional = [5, 0x24, 0, 0x10, 0x01, 4, 0x24, 2, 6, 5, 0x24, 6, 0, 1, 5, 0x24, 1, 0, 1]
    this.descriptors = describe(
      ids,
      0x0001,
      2,
      [
        { classes: [2, 2, 1], functional, endpoints: [[0x82, 'interrupt', 8]] },
        {
          classes: [0x0a, 0, 0],
          endpoints: [
            [0x04, 'bulk', packetBytes],
            [0x83, 'bulk', packetBytes],
          ],
        },
      ],
      strings,
    )
  }

  control({ request, value }: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    const [setLineCoding, getLineCoding, setControlLineState, sendBreak] = [0x20, 0x21, 0x22, 0x23]
    let answer: TwinAnswer = empty
    if (request === setLineCoding && bytes.length === 7) {
      answer = this.setBaud(new ByteReader(bytes).u32le())
      if (answer !== 'stall') {
        this.#coding = bytes
        this.parity = bytes[5] === 2 ? 'even' : 'none'
      }
    } else if (request === getLineCoding) answer = this.#coding
    else if (request === setControlLineState && this.twin.refusesSignals) answer = 'stall'
    else if (request === setControlLineState) this.drive({ dtr: (value & 1) !== 0, rts: (value & 2) !== 0 })
    else if (request !== sendBreak) answer = 'stall'
    return Promise.resolve(answer)
  }
}

class Ch340 extends SerialBridge {
  readonly descriptors: UsbDescriptors
  protected readonly dataIn = 2
  readonly #registers = new Map<number, number>()

  constructor(twin: SerialTwin, ids: { vendorId: number; productId: number }) {
    super(twin)
    const endpoints: Endpoint[] = [
      [0x82, 'bulk', 32],
      [0x02, 'bulk', 32],
      [0x81, 'interrupt', 8],
    ]
    const interfaces = [{ classes: [0xff, 1, 2], endpoints }] as const
    this.descriptors = describe(ids, 0x0254, 0xff, interfaces, ['', 'USB2.0-Serial'])
  }

  control({ requestType, request, value, index }: SetupPacket): Promise<TwinAnswer> {
    const [readVersion, readRegister, writeRegister, modemControl] = [0x5f, 0x95, 0x9a, 0xa4]
    const pair = [value & 0xff, value >> 8] as const
    let answer: TwinAnswer = empty
    if (request === readVersion) answer = Uint8Array.of(0x31, 0)
    else if (request === readRegister)
      answer = Uint8Array.from(pair, (register) => this.#registers.get(register) ?? 0xff)
    else if (request === writeRegister) {
      this.#registers.set(pair[0], index & 0xff).set(pair[1], index >> 8)
      this.#divide()
      const [enabled, even] = [0x08, 0x10]
      const lineControl = this.#registers.get(0x18) ?? 0
      this.parity = lineControl & enabled && lineControl & even ? 'even' : 'none'
    } else if (request === modemControl)
      this.drive({ dtr: (~value & 0x20) !== 0, rts: (~value & 0x40) !== 0 }) // low is asserted
    else if (requestType & 0x80) answer = 'stall'
    return Promise.resolve(answer)
  }

  /** 48 MHz over a prescaler and a divisor that counts up to 256 (`ch341_get_divisor`). */
  #divide(): void {
    const [prescaler, divisor] = [this.#registers.get(0x12), this.#registers.get(0x13)]
    if (prescaler === undefined || divisor === undefined) return
    const shift = 12 - 3 * (prescaler & 3) - ((prescaler >> 2) & 1)
    this.baud = 48_000_000 / ((1 << shift) * (256 - divisor))
  }
}

class Cp210x extends SerialBridge {
  readonly descriptors: UsbDescriptors
  protected readonly dataIn = 1
  #lineControl = 0x0800
  #flow: Uint8Array = new Uint8Array(16)

  constructor(twin: SerialTwin, ids: { vendorId: number; productId: number }) {
    super(twin)
    const endpoints: Endpoint[] = [
      [0x81, 'bulk', 64],
      [0x01, 'bulk', 64],
    ]
    const interfaces = [{ classes: vendorSpecific, endpoints }]
    const names = ['Silicon Labs', 'CP2102 USB to UART Bridge Controller', '0001'] as const
    this.descriptors = describe(ids, 0x0100, 0, interfaces, names)
  }

  control({ requestType, request, value }: SetupPacket, bytes: Uint8Array): Promise<TwinAnswer> {
    const answers: Readonly<Record<number, () => Uint8Array>> = {
      0x04: () => Uint8Array.from(u16(this.#lineControl)),
      0x08: () => Uint8Array.of(0x30), // GET_MDMSTS: CTS, DSR
      0x10: () => new Uint8Array(19), // GET_COMM_STATUS: nothing waits
      0x14: () => this.#flow,
      0xff: () => Uint8Array.of(2), // GET_PARTNUM: CP2102
    }
    if (requestType & 0x80) return Promise.resolve(answers[request]?.() ?? 'stall')
    if (request === 0x03) {
      this.#lineControl = value
      this.parity = (value & 0xf0) === 0x20 ? 'even' : 'none'
    } else if (request === 0x13 && bytes.length === 16) {
      this.#flow = bytes
      const [dtr, rts] = [(bytes[0] ?? 0) & 3, ((bytes[4] ?? 0) >> 6) & 3]
      this.drive({ dtr: dtr !== 0, rts: rts !== 0 })
    } else if (request === 0x07) {
      const [setsDtr, setsRts] = [(value & 0x100) !== 0, (value & 0x200) !== 0]
      this.drive({
        ...(setsDtr ? { dtr: (value & 1) !== 0 } : {}),
        ...(setsRts ? { rts: (value & 2) !== 0 } : {}),
      })
    } else if (request === 0x1e && bytes.length === 4)
      return Promise.resolve(this.setBaud(new ByteReader(bytes).u32le()))
    return Promise.resolve(empty)
  }
}

class Ft232r extends SerialBridge {
  readonly descriptors: UsbDescriptors
  protected readonly dataIn = 1

  constructor(twin: SerialTwin, ids: { vendorId: number; productId: number }) {
    super(twin)
    const endpoints: Endpoint[] = [
      [0x81, 'bulk', 64],
      [0x02, 'bulk', 64],
    ]
    const interfaces = [{ classes: [0xff, 0xff, 0xff], endpoints }] as const
    this.descriptors = describe(ids, 0x0600, 0, interfaces, ['FTDI', 'FT232R USB UART', 'A5XK3RJT'])
  }

  control({ requestType, request, value, index }: SetupPacket): Promise<TwinAnswer> {
    const [modemControl, setBaudRate, setData, modemStatus, latency] = [1, 3, 4, 5, 0x0a]
    const status = Uint8Array.of(0x31, 0x60)
    const answers: Readonly<Record<number, Uint8Array>> = {
      [modemStatus]: status,
      [latency]: Uint8Array.of(16),
      0x90: Uint8Array.of(0xff, 0xff), // an EEPROM that nothing is in
    }
    if (requestType & 0x80) return Promise.resolve(answers[request] ?? 'stall')
    if (request === modemControl)
      this.drive({
        ...(value & 0x100 ? { dtr: (value & 1) !== 0 } : {}),
        ...(value & 0x200 ? { rts: (value & 2) !== 0 } : {}),
      })
    else if (request === setData) this.parity = ((value >> 8) & 7) === 2 ? 'even' : 'none'
    else if (request === setBaudRate) {
      const eighths = [0, 4, 2, 1, 3, 5, 6, 7][(value >> 14) | ((index & 1) << 2)] ?? 0
      const whole = value & 0x3fff
      this.baud = whole <= 1 ? ([3_000_000, 2_000_000][whole] ?? 0) : 3_000_000 / (whole + eighths / 8)
    }
    return Promise.resolve(empty)
  }

  /** Two status bytes stand before the data of every packet. */
  protected override packets(received: number[], length: number): Uint8Array {
    const bytes: number[] = []
    while (received.length > 0 && bytes.length + packetBytes <= length)
      bytes.push(0x01, 0x60, ...received.splice(0, packetBytes - 2))
    return Uint8Array.from(bytes)
  }
}

/** A chip's own USB: small packets, no serial number. */
class NativeCdc extends CdcAcm {
  constructor(twin: SerialTwin, ids: { vendorId: number; productId: number }) {
    super(twin, ids, { packetBytes: 16, strings: ['Arduino LLC', 'Arduino'] })
  }
}

const kinds = { 'cdc-acm': CdcAcm, ch340: Ch340, cp210x: Cp210x, ftdi: Ft232r, native: NativeCdc } as const

/** The twin as its bridge shows it to a computer. */
export function asUsb(twin: SerialTwin): UsbTwin {
  if (!twin.usb) throw new Error('a line without a bridge has no USB side')
  return new kinds[twin.bridge](twin, twin.usb)
}
