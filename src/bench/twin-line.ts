/**
 * One direction of a serial line (ten bits a byte, eleven with parity): for the page's port and for the lab's bridges, which
 * must pace the same bytes in the same way.
 */
import type { Parity } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { SerialTwin } from './twin.ts'

/** For `below`: not before the line is dropped. */
export const never = -1

/** A UART takes a byte that is at most this far off. */
const baudTolerance = 0.04

/** What a port set to `heard` makes of `bytes` sent at `sent` baud: themselves, or the same noise every time. */
export const asHeardAt = (heard: number, bytes: Uint8Array, sent: number): Uint8Array =>
  agree(heard, sent) ? bytes : bytes.map((byte) => ((byte * 0x9d) ^ (byte >> 3) ^ 0x5a) & 0xff)

export const agree = (heard: number, sent: number): boolean => Math.abs(heard / sent - 1) <= baudTolerance

/**
 * Whether a receiver takes a byte of another parity for a broken one. Each side expects the stop bit, which is 1, where the
 * other one has an even parity: that is 1, too, for an odd number of ones.
 */
export const isMisframed = (byte: number, sent: Parity, heard: Parity): boolean =>
  sent !== heard && ones(byte) % 2 === 0

function ones(byte: number): number {
  let count = 0
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1
  return count
}

/** One bit of them is wrong, another one for each `number`; of a few bytes it is the last one that matters. */
export function flipped(bytes: Uint8Array, number: number): Uint8Array {
  const at = bytes.length <= 4 ? bytes.length - 1 : (number * 7) % bytes.length
  return bytes.map((byte, i) => (i === at ? byte ^ (1 << (number & 7)) : byte))
}

/** As fast as full-speed USB carries them; of a twin that has no line. */
export const usbBaud = 8_000_000

/** What a port that is set to `baud` really is. */
export const baudOf = ({ bridge }: SerialTwin, baud: number): number => (bridge === 'native' ? usbBaud : baud)

type Arrive = (portion: Uint8Array, baud: number, parity: Parity) => void

/** Bytes go one after another at their speed, in portions of a few milliseconds. */
export class TwinLine {
  readonly #clock: Clock
  readonly #portionMs: number
  readonly #arrive: Arrive
  #queue: { readonly bytes: number[]; readonly baud: number; readonly parity: Parity }[] = []
  #waiters: { readonly count: number; resolve: () => void; reject: (error: Error) => void }[] = []
  #running = false
  #stopped: Error | undefined
  #heldUntil = 0

  constructor(clock: Clock, portionMs: number, arrive: Arrive) {
    this.#clock = clock
    this.#portionMs = portionMs
    this.#arrive = arrive
  }

  push(bytes: Uint8Array, baud: number, parity: Parity = 'none'): void {
    if (this.#stopped || bytes.length === 0) return
    const last = this.#queue.at(-1)
    if (last?.baud === baud && last.parity === parity) for (const byte of bytes) last.bytes.push(byte)
    else this.#queue.push({ bytes: [...bytes], baud, parity })
    if (!this.#running) void this.#run()
  }

  /** What has not arrived yet arrives in `ms` at the earliest. */
  hold(ms: number): void {
    this.#heldUntil = this.#clock.now() + ms
  }

  /** Resolves when at most `count` bytes are still waiting; rejects when they are dropped before. */
  below(count: number): Promise<void> {
    const stopped = this.#stopped
    if (stopped) return Promise.reject(stopped)
    return new Promise((resolve, reject) => {
      this.#waiters.push({ count, resolve, reject })
      this.#wake()
    })
  }

  /** Drops what has not left yet. */
  drop(reason: Error): void {
    this.#queue = []
    for (const { reject } of this.#waiters.splice(0)) reject(reason)
  }

  stop(reason: Error): void {
    this.#stopped = reason
    this.drop(reason)
  }

  async #run(): Promise<void> {
    this.#running = true
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      const bitsPerByte = next.parity === 'none' ? 10 : 11
      const byteMs = (bitsPerByte * 1000) / next.baud
      const most = Math.max(1, Math.floor(this.#portionMs / byteMs))
      const count = Math.min(most, next.bytes.length)
      await this.#clock.sleep(Math.max(count * byteMs, this.#heldUntil - this.#clock.now()))
      if (this.#queue[0] !== next) continue // dropped meanwhile
      const portion = Uint8Array.from(next.bytes.splice(0, count))
      if (next.bytes.length === 0) this.#queue.shift()
      this.#arrive(portion, next.baud, next.parity)
      this.#wake()
    }
    this.#running = false
  }

  #wake(): void {
    if (this.#waiters.length === 0) return
    const waiting = this.#queue.reduce((sum, { bytes }) => sum + bytes.length, 0)
    const done = this.#waiters.filter(({ count }) => waiting <= count)
    this.#waiters = this.#waiters.filter(({ count }) => waiting > count)
    for (const { resolve } of done) resolve()
  }
}
