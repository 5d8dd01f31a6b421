/**
 * A serial twin as the page's `SerialPort`: real streams, bytes paced by the baud rate both ways (ten
 * bits a byte, eleven with parity), DTR and RTS as Linux drives them.
 *
 * It rejects with the names and for the reasons of Chrome's `serial_port.cc`. What arrives at another speed
 * or parity than the port's is noise; bridges that report framing errors break the stream, which can be had anew.
 */
import type { Parity } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { agree, asHeardAt, baudOf, flipped, isMisframed, never, TwinLine } from './twin-line.ts'
import type { SerialTransfers } from './twin-serial.ts'
import type { SerialTwin, WireFaults } from './twin.ts'

/** What the port needs of the socket it is in. */
interface Socket {
  readonly transfers: SerialTransfers
  readonly faults: WireFaults
  nextWrite(kind: string): number
  unplug(): Promise<void>
}

interface PortOptions {
  readonly clock: Clock
  readonly refuses: 'open' | undefined
}

/** A port from `open` to `close`. */
interface Session {
  readonly baud: number
  readonly parity: Parity
  readonly bufferSize: number
  readonly toTwin: TwinLine
  /** In the bridge. */
  readonly gathered: number[]
  /** In the computer, and not yet given to the page. */
  received: Uint8Array<ArrayBuffer>
  /** Set while the page waits for bytes. */
  give: ((bytes: Uint8Array<ArrayBuffer>) => void) | undefined
  readable: { readonly stream: ReadableStream<Uint8Array>; readonly fail: Fail } | undefined
  writable: { readonly stream: WritableStream<Uint8Array>; readonly fail: Fail } | undefined
  lost: boolean
}

type Fail = (error: DOMException) => void

/** How long a bridge gathers bytes before it answers the computer: FT232R's latency timer, the Uno's 16U2, … */
const gatherMs = { 'cdc-acm': 4, ch340: 2, cp210x: 2, ftdi: 16, native: 1 } as const
/** A full packet does not wait. */
const packetBytes = 62
/** The kernel's terminal buffer; what comes on top is dropped. */
const kernelBuffer = 4096
/** For a `lateAt`: longer than a small request is waited for. */
const lateMs = 2500
/** For a `flipAt`: which byte of the answer. */
const flipPlaces = [0, 1, 5, 2, 40]
const maxBufferSize = 16 * 1024 * 1024

const invalidState = (message: string) => new DOMException(message, 'InvalidStateError')
const networkError = (message: string) => new DOMException(message, 'NetworkError')
const lostError = () => networkError('The device has been lost.')

export class TwinSerialPort extends EventTarget implements SerialPort {
  onconnect: ((event: Event) => unknown) | null = null
  ondisconnect: ((event: Event) => unknown) | null = null
  connected = true
  readonly twin: SerialTwin
  readonly #socket: Socket
  readonly #options: PortOptions
  readonly #forget: () => void
  readonly #fromTwin: TwinLine
  #session: Session | undefined
  #opening = false
  #closing = false
  #signals = { dtr: false, rts: false }
  /** So many bytes of the answer still come before the one that is lost, or has a flipped bit. */
  #spoil: { after: number; readonly how: 'lose' | 'flip' } | undefined

  constructor(twin: SerialTwin, socket: Socket, options: PortOptions, forget: () => void) {
    super()
    this.twin = twin
    this.#socket = socket
    this.#options = options
    this.#forget = forget
    this.#fromTwin = new TwinLine(options.clock, gatherMs[twin.bridge], (...heard) => {
      this.#arrive(...heard)
    })
  }

  getInfo(): SerialPortInfo {
    const { usb } = this.twin
    return usb ? { usbVendorId: usb.vendorId, usbProductId: usb.productId } : {}
  }

  async open({
    baudRate,
    dataBits = 8,
    stopBits = 1,
    parity = 'none',
    bufferSize = 255,
  }: SerialOptions): Promise<void> {
    if (this.#opening) throw invalidState('A call to open() is already in progress.')
    if (this.#session) throw invalidState('The port is already open.')
    if (baudRate <= 0) throw new TypeError('Requested baud rate must be greater than zero.')
    if (![7, 8].includes(dataBits)) throw new TypeError('Requested number of data bits must be 7 or 8.')
    if (![1, 2].includes(stopBits)) throw new TypeError('Requested number of stop bits must be 1 or 2.')
    if (parity === 'odd') throw networkError('Failed to open serial port.') // no twin's bridge was asked for it
    if (bufferSize <= 0 || bufferSize > maxBufferSize)
      throw new TypeError(`Requested buffer size (${String(bufferSize)} bytes) is out of range.`)
    this.#opening = true
    await this.#options.clock.sleep(1)
    this.#opening = false
    if (!this.connected || this.#options.refuses) throw networkError('Failed to open serial port.')
    this.#session = {
      ...{ baud: baudOf(this.twin, baudRate), parity, bufferSize, toTwin: this.#lineToTwin() },
      ...{
        gathered: [],
        received: new Uint8Array(),
        give: undefined,
        readable: undefined,
        writable: undefined,
      },
      lost: false,
    }
    this.twin.lineCoding?.(baudRate)
    this.#drive({ dtr: true, rts: true })
  }

  async close(): Promise<void> {
    const session = this.#session
    if (!session) throw invalidState('The port is already closed.')
    if (this.#closing) throw invalidState('A call to close() is already in progress.')
    const { readable, writable } = session
    if (readable?.stream.locked) throw new TypeError('Cannot cancel a locked stream')
    if (writable?.stream.locked) throw new TypeError('Cannot abort a locked stream')
    this.#closing = true
    await readable?.stream.cancel()
    await writable?.stream.abort(invalidState('The port is closed.'))
    await this.#options.clock.sleep(1)
    this.#closing = false
    this.#drive({ dtr: false, rts: false })
    session.toTwin.stop(invalidState('The port is closed.'))
    this.#session = undefined
  }

  async forget(): Promise<void> {
    this.#forget()
    if (this.#session && !this.#closing) await this.close()
  }

  async getSignals(): Promise<SerialInputSignals> {
    if (!this.#session) throw invalidState('The port is closed.')
    await this.#options.clock.sleep(1)
    return { dataCarrierDetect: false, clearToSend: false, ringIndicator: false, dataSetReady: false }
  }

  async setSignals(signals: SerialOutputSignals): Promise<void> {
    if (!this.#session) throw invalidState('The port is closed.')
    const { dataTerminalReady, requestToSend } = signals
    if (dataTerminalReady === undefined && requestToSend === undefined && signals.break === undefined)
      throw new TypeError('Signals dictionary must contain at least one member.')
    await this.#options.clock.sleep(1)
    if (this.#session.lost) throw lostError()
    if (this.twin.refusesSignals) throw networkError('Failed to set control signals.')
    const { dtr, rts } = this.#signals
    this.#drive({ dtr: dataTerminalReady ?? dtr, rts: requestToSend ?? rts })
  }

  get readable(): ReadableStream<Uint8Array> | null {
    const session = this.#session
    if (!session || this.#closing || session.lost) return null
    session.readable ??= this.#makeReadable(session)
    return session.readable.stream
  }

  get writable(): WritableStream<Uint8Array> | null {
    const session = this.#session
    if (!session || this.#closing || session.lost) return null
    session.writable ??= this.#makeWritable(session)
    return session.writable.stream
  }

  // ---- the socket's side ------------------------------------------------------------------------

  /** The twin sends. */
  sent(bytes: Uint8Array, baud: number, parity: Parity): void {
    if (this.connected) this.#fromTwin.push(bytes, baud, parity)
  }

  /** The cable is out: both streams fail. */
  lost(): void {
    this.connected = false
    this.#fromTwin.stop(lostError())
    const session = this.#session
    if (!session) return
    session.toTwin.stop(lostError())
    session.lost = true
    session.readable?.fail(lostError())
    session.writable?.fail(lostError())
    session.readable = session.writable = session.give = undefined
  }

  /** The page that had it is gone: its streams never end, and the system closes the line. */
  abandoned(): void {
    this.connected = false
    this.#fromTwin.stop(lostError())
    if (!this.#session) return
    this.#drive({ dtr: false, rts: false })
    this.#session = undefined
  }

  /** The browser has noticed. */
  disconnected(): void {
    this.#session = undefined
  }

  // ---- within -----------------------------------------------------------------------------------

  #lineToTwin(): TwinLine {
    const frameMs = 1
    return new TwinLine(this.#options.clock, frameMs, (portion, baud, parity) => {
      this.twin.receive(portion, baud, parity)
    })
  }

  #drive(signals: { dtr: boolean; rts: boolean }): void {
    const { dtr, rts } = this.#signals
    this.#signals = signals
    const changed = dtr !== signals.dtr || rts !== signals.rts
    if (changed && this.connected && !this.twin.refusesSignals) this.twin.signals(signals.dtr, signals.rts)
  }

  #arrive(portion: Uint8Array, baud: number, parity: Parity): void {
    const session = this.#session
    if (!session) return
    const bytes = asHeardAt(session.baud, this.#spoiled(portion), baud)
    const reportsErrors = this.twin.bridge === 'ftdi' || this.twin.bridge === 'cp210x'
    const isBroken = (byte: number) => isMisframed(byte, parity, session.parity)
    if (reportsErrors && (!agree(session.baud, baud) || portion.some(isBroken))) {
      session.readable?.fail(new DOMException('Parity error', 'ParityError'))
      session.readable = session.give = undefined
      return
    }
    const isFirst = session.gathered.length === 0
    session.gathered.push(...bytes)
    if (session.gathered.length >= packetBytes) this.#pass(session)
    else if (isFirst && bytes.length > 0) void this.#passLater(session)
  }

  #spoiled(portion: Uint8Array): Uint8Array {
    const spoil = this.#spoil
    if (!spoil) return portion
    const { after, how } = spoil
    if (after < portion.length) this.#spoil = undefined
    else spoil.after -= portion.length
    if (how === 'lose') return portion.filter((_, i) => i !== after)
    return portion.map((byte, i) => (i === after ? byte ^ (1 << (after & 7)) : byte))
  }

  async #passLater(session: Session): Promise<void> {
    await this.#options.clock.sleep(gatherMs[this.twin.bridge])
    this.#pass(session)
  }

  /** From the bridge to the computer. */
  #pass(session: Session): void {
    const before = session.received
    const bytes = session.gathered.splice(0, kernelBuffer + session.bufferSize - before.length)
    session.gathered.length = 0
    session.received = new Uint8Array(before.length + bytes.length)
    session.received.set(before)
    session.received.set(bytes, before.length)
    this.#handOver(session)
  }

  /** Gives the page what was received, if it waits for it. */
  #handOver(session: Session): void {
    const { give, received } = session
    if (!give || received.length === 0) return
    const { transfers } = this.#socket
    transfers.reads++
    transfers.bytesIn += received.length
    session.give = undefined
    session.received = new Uint8Array()
    give(received)
  }

  #makeReadable(session: Session): NonNullable<Session['readable']> {
    let fail: Fail = () => undefined
    const stream = new ReadableStream({
      type: 'bytes',
      start: (controller) => {
        fail = (error) => controller.error(error)
      },
      pull: (controller) => {
        session.give = (bytes) => controller.enqueue(bytes)
        this.#handOver(session)
      },
      cancel: () => {
        session.readable = session.give = undefined
        session.received = new Uint8Array()
      },
    })
    return { stream, fail }
  }

  #makeWritable(session: Session): NonNullable<Session['writable']> {
    let fail: Fail = () => undefined
    const stream = new WritableStream<Uint8Array>(
      {
        start: (controller) => {
          fail = (error) => controller.error(error)
          controller.signal.addEventListener('abort', () => {
            session.toTwin.drop(controller.signal.reason as Error)
          })
        },
        write: (chunk) => this.#write(session, chunk.slice()),
        close: async () => {
          await session.toTwin.below(0)
          session.writable = undefined
        },
        abort: () => {
          session.writable = undefined
        },
      },
      new CountQueuingStrategy({ highWaterMark: 1 }),
    )
    return { stream, fail }
  }

  /** Ends when the bytes fit into the buffer, as in the browser; not when they are out. */
  async #write(session: Session, bytes: Uint8Array): Promise<void> {
    const { transfers, faults } = this.#socket
    const number = this.#socket.nextWrite(`${String(bytes.length)} bytes ${String(bytes[0])}`)
    transfers.bytesOut += bytes.length
    if (number === faults.unplugAt) {
      void this.#socket.unplug()
      throw lostError()
    }
    if (number === faults.stallAt) return
    this.#spoil =
      number === faults.shortAt
        ? { after: number % 4, how: 'lose' }
        : number === faults.flipAt
          ? { after: flipPlaces[number % flipPlaces.length] ?? 0, how: 'flip' }
          : undefined
    if (number === faults.hangAt) return session.toTwin.below(never)
    if (number === faults.lateAt) this.#fromTwin.hold(lateMs)
    session.toTwin.push(
      number === faults.flipOutAt ? flipped(bytes, number) : bytes,
      session.baud,
      session.parity,
    )
    await session.toTwin.below(session.bufferSize)
  }
}
