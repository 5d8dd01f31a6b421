/**
 * The chip of a ROM's twin from one reset to the next: what its receiver hears, at which speed and parity, and what is
 * lost while it does something else. It knows no commands.
 */
import type { Parity } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { asHeardAt, isMisframed } from '#bench/twin-line.ts'
import type { SerialWire } from '#bench/twin.ts'

/** Ends all that is under way. */
export class Reset extends Error {}
/** A byte with another parity than the ROM's. */
export class Misread extends Error {}

interface Heard {
  readonly byte: number
  readonly baud: number
  readonly isMisframed: boolean
}

/** Its receiver, its transmitter, and what it does meanwhile. */
export class Processor {
  readonly clock: Clock
  baud: number | undefined
  readonly #wire: SerialWire
  readonly #stopping = new AbortController()
  readonly #received: Heard[] = []
  #wake: () => void = () => undefined
  #fail: (error: Error) => void = () => undefined
  #isBusy = true

  constructor(wire: SerialWire) {
    this.#wire = wire
    this.clock = wire.clock
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted
  }

  stop(): void {
    this.#stopping.abort(new Reset())
    this.#fail(new Reset())
  }

  /** What comes on top of one byte is lost while nobody reads. */
  arrive(byte: number, baud: number, parity: Parity): void {
    if (this.isStopped || (this.#isBusy && this.#received.length >= 1)) return
    const [heard = byte] = this.baud === undefined ? [byte] : asHeardAt(this.baud, Uint8Array.of(byte), baud)
    this.#received.push({ byte: heard, baud, isMisframed: isMisframed(heard, parity, 'even') })
    this.#wake()
  }

  /** @throws `Misread` for a byte with another parity than its own */
  async next(): Promise<number> {
    const { byte, isMisframed } = await this.first()
    if (isMisframed) throw new Misread()
    return byte
  }

  async take(count: number): Promise<number[]> {
    const bytes: number[] = []
    while (bytes.length < count) bytes.push(await this.next())
    return bytes
  }

  /** It does something else than to receive. */
  async work(ms: number): Promise<void> {
    this.#isBusy = true
    await this.clock.sleep(ms, this.#stopping.signal)
    this.#isBusy = false
  }

  /** Until the last byte is on its way. */
  async send(...bytes: readonly number[]): Promise<void> {
    if (this.isStopped || this.baud === undefined) return
    this.#wire.send(Uint8Array.from(bytes), this.baud, 'even')
    const byteMs = 11_000 / this.baud
    if (bytes.length > 2) await this.work((bytes.length - 2) * byteMs)
  }

  /** Deaf until the next reset. */
  async forever(): Promise<never> {
    this.#isBusy = true
    return new Promise((_, reject) => (this.#fail = reject))
  }

  /** Whatever comes. */
  async first(): Promise<Heard> {
    this.#stopping.signal.throwIfAborted()
    if (this.#received.length === 0)
      await new Promise<void>((resolve, reject) => ([this.#wake, this.#fail] = [resolve, reject]))
    return this.#received.shift() as Heard
  }
}
