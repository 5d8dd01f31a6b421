/**
 * An AVR's serial receiver as its program sees it: a buffer that overruns while the program is busy, and the
 * noise that bytes become at another speed. Data sheet ATmega328P, 19.8 (asynchronous data reception).
 */
import { isFlashError } from '#core/errors.ts'
import { within, type Clock } from '#core/time.ts'

export interface Received {
  readonly byte: number
  /** FE: the stop bit was low, mostly because the sender is slower. */
  readonly framingError: boolean
}

/** What a receiver at `heardBaud` makes of a byte sent at `sentBaud`: itself within about 5 %, else noise. */
export function asHeard(byte: number, sentBaud: number, heardBaud: number): Received[] {
  const line = (byte << 1) | 0x200 // start bit low, eight bits from the lowest, stop bit and idle high
  const isHigh = (at: number) => at < 0 || at >= 9 || ((line >> Math.floor(at)) & 1) === 1
  const bit = sentBaud / heardBaud // the receiver's bit, in bits of the sender
  const heard: Received[] = []
  let edge = 0
  while (edge < 9) {
    let value = 0
    for (let i = 0; i < 8; i++) if (isHigh(edge + (i + 1.5) * bit)) value |= 1 << i
    const stop = edge + 9.5 * bit
    const isNoise = isHigh(edge + 0.5 * bit) // a start bit that was too short
    if (!isNoise) heard.push({ byte: value, framingError: !isHigh(stop) })
    edge = Math.ceil(isNoise ? edge + 0.5 * bit : stop)
    while (edge < 9 && !(isHigh(edge - 1) && !isHigh(edge))) edge++
  }
  return heard
}

/** How much a program lets pile up, and what gives way when more comes. */
export const buffers = {
  /** The USART itself: two bytes and the shift register, whose byte the next one overwrites. */
  hardware: { bytes: 3, loses: 'last' },
  /** Arduino's HardwareSerial: an interrupt fills a ring of 64. */
  ring: { bytes: 63, loses: 'new' },
} as const
export type Buffer = (typeof buffers)[keyof typeof buffers]

/** One receiver from when it is switched on until reset. */
export class TwinUart {
  readonly #clock: Clock
  readonly #baud: number
  readonly #buffer: Buffer
  readonly #received: Received[] = []
  #wake: (() => void) | undefined
  /** True while the program does something else than to wait for bytes. */
  #busy = false

  constructor(clock: Clock, baud: number, buffer: Buffer) {
    this.#clock = clock
    this.#baud = baud
    this.#buffer = buffer
  }

  /** `isMisframed`: with a parity bit, which is taken for the stop bit. */
  arrive(byte: number, baud: number, isMisframed = false): void {
    for (const heard of asHeard(byte, baud, this.#baud)) {
      const received = isMisframed ? { ...heard, framingError: true } : heard
      const isFull = this.#busy && this.#received.length >= this.#buffer.bytes
      if (isFull && this.#buffer.loses === 'new') continue
      if (isFull) this.#received.pop()
      this.#received.push(received)
    }
    this.#wake?.()
  }

  get waiting(): boolean {
    return this.#received.length > 0
  }

  /** The next byte, or `undefined` when none came within `timeoutMs`. Rejects with the reason of `signal`. */
  async next(signal: AbortSignal, timeoutMs?: number): Promise<Received | undefined> {
    if (this.#received.length === 0) {
      const arrival = new Promise<void>((resolve) => (this.#wake = resolve))
      try {
        await within(arrival, this.#clock, 'waiting for a byte', timeoutMs, signal)
      } catch (error) {
        if (!isFlashError(error, 'timeout')) throw error
      }
    }
    return this.#received.shift()
  }

  /** The program works for `ms` and does not read. */
  async busy(ms: number, signal: AbortSignal): Promise<void> {
    this.#busy = true
    await this.#clock.sleep(ms, signal)
    this.#busy = false
  }
}
