/**
 * An Arduino as a serial twin: a chip whose boot loader runs after a reset, the application after that, and a
 * reset line on the falling edge of DTR. What they answer is in `twin-loaders.ts` and `twin-arduino-isp.ts`.
 */
import type { SerialTwin, SerialWire, TwinPatient } from '#bench/twin.ts'
import { isMisframed } from '#bench/twin-line.ts'
import type { Parity } from '#core/programmer.ts'
import type { TwinAvr } from '#bench/twin-avr.ts'
import { TwinUart, type Buffer, type Received } from './twin-uart.ts'

export type ResetCause = 'power-on' | 'external' | 'watchdog'

/** What runs on the chip. A loader that returns has jumped to the application. */
export type Program = (cpu: Processor, cause: ResetCause) => Promise<void>

/** Thrown by a program whose watchdog has bitten. */
export class WatchdogReset extends Error {}
/** Thrown by a loader that jumps to the application. */
export class ToApplication extends Error {}

export interface BoardOptions {
  readonly usb: NonNullable<SerialTwin['usb']>
  readonly bridge: SerialTwin['bridge']
  readonly chip: TwinAvr
  /** What is wired to its SPI pins. */
  readonly target?: TwinAvr
  /** A flash bit (`address * 8 + bit`) that flips on every second read. */
  readonly flickerBit?: number | undefined
  readonly loader: Program
  /** Looked up whenever the loader jumps: it depends on what is in the flash. Absent: it runs and is silent. */
  readonly application?: (flash: Uint8Array) => Program | undefined
}

/** Fuses of Arduino boards: 65 ms and 16K clocks pass before the first instruction. */
const startUpMs = 66

export class TwinBoard implements SerialTwin, TwinPatient {
  readonly link = 'serial'
  readonly usb: BoardOptions['usb']
  readonly bridge: BoardOptions['bridge']
  readonly #options: BoardOptions
  #wire: SerialWire | undefined
  #cpu: Processor | undefined
  #dtr = false

  constructor(options: BoardOptions) {
    this.usb = options.usb
    this.bridge = options.bridge
    this.#options = options
  }

  plugged(wire: SerialWire): void {
    this.#wire = wire
    this.#options.chip.power(wire.clock)
    this.#options.target?.power(wire.clock)
    this.#reset('power-on')
  }

  unplugged(): void {
    this.#cpu?.stop()
    this.#cpu = undefined
    this.#options.chip.losePower()
    this.#options.target?.losePower()
    this.#dtr = false
  }

  set onWork(listener: (ms: number) => void) {
    this.#options.chip.onWork = listener
  }
  brownOut(): void {
    this.#cpu?.stop()
    this.#options.chip.brownOut()
    this.#reset('power-on')
  }

  receive(bytes: Uint8Array, baud: number, parity: Parity = 'none'): void {
    for (const byte of bytes) this.#cpu?.uart?.arrive(byte, baud, isMisframed(byte, parity, 'none'))
  }

  /** RTS goes nowhere on these boards. */
  signals(dtr: boolean): void {
    if (dtr && !this.#dtr) this.#reset('external')
    this.#dtr = dtr
  }

  #reset(cause: ResetCause): void {
    if (!this.#wire) return
    this.#cpu?.stop()
    this.#cpu = new Processor(this.#options, this.#wire)
    void this.#run(this.#cpu, cause)
  }

  async #run(cpu: Processor, cause: ResetCause): Promise<void> {
    const { chip, loader, application } = this.#options
    try {
      await cpu.work(startUpMs)
      await loader(cpu, cause).catch(returnToApplication)
      cpu.uart = undefined
      await application?.(chip.flash)?.(cpu, cause)
    } catch (error) {
      if (cpu.isStopped) return
      if (!(error instanceof WatchdogReset)) throw error
      this.#reset('watchdog')
    }
  }
}

function returnToApplication(error: unknown): void {
  if (!(error instanceof ToApplication)) throw error
}

/** A chip from one reset to the next, as its program sees it. */
export class Processor {
  readonly chip: TwinAvr
  /** Undefined: not switched on, what arrives is lost. */
  uart: TwinUart | undefined
  readonly #wire: SerialWire
  readonly #flickerBit: number | undefined
  readonly #stopping = new AbortController()
  #baud = 0
  #flickers = 0

  constructor({ chip, flickerBit }: BoardOptions, wire: SerialWire) {
    this.chip = chip
    this.#flickerBit = flickerBit
    this.#wire = wire
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted
  }
  stop(): void {
    this.#stopping.abort()
  }

  now(): number {
    return this.#wire.clock.now()
  }

  /** Switches the USART on. */
  listen(baud: number, buffer: Buffer): void {
    this.#baud = baud
    this.uart = new TwinUart(this.#wire.clock, baud, buffer)
  }

  /** The next byte, or undefined when none comes within `timeoutMs`. */
  async next(timeoutMs?: number): Promise<Received | undefined> {
    return this.uart?.next(this.#stopping.signal, timeoutMs)
  }

  /** Does something else than to wait for bytes. */
  async work(ms: number): Promise<void> {
    const { signal } = this.#stopping
    if (this.uart) await this.uart.busy(ms, signal)
    else await this.#wire.clock.sleep(ms, signal)
  }

  /** The chip's own flash, as LPM reads it. */
  readFlash(address: number, length: number): Uint8Array {
    const bytes = this.chip.flash.slice(address, address + length)
    const bit = this.#flickerBit ?? -1
    const where = (bit >> 3) - address
    if (bit >= 0 && where >= 0 && where < bytes.length && this.#flickers++ % 2 === 1)
      bytes[where] = (bytes[where] ?? 0) ^ (1 << (bit & 7))
    return bytes
  }

  send(...bytes: readonly number[]): void {
    if (!this.isStopped) this.#wire.send(Uint8Array.from(bytes), this.#baud)
  }
}
