/** A bare serial line to a twin or to a real boot loader: bytes out at a speed, and what comes back. */
import type { SerialTwin } from '#bench/twin.ts'
import type { VirtualClock } from '#bench/virtual-clock.ts'

export class BareLine {
  readonly #clock: VirtualClock
  readonly #twin: SerialTwin
  #received: number[] = []

  /** Powers the twin up. */
  constructor(clock: VirtualClock, twin: SerialTwin) {
    this.#clock = clock
    this.#twin = twin
    twin.plugged({
      clock,
      send: (bytes) => {
        this.#received.push(...bytes)
      },
      detach: () => undefined,
    })
  }

  /** A falling edge of DTR, then nothing for `ms`. */
  async reset(ms: number): Promise<void> {
    this.#twin.signals(true, true)
    this.#twin.signals(false, false)
    await this.#clock.sleep(ms)
    this.#received = []
  }

  async wait(ms: number): Promise<void> {
    await this.#clock.sleep(ms)
  }

  /** What has come within `waitMs` after the last byte was out. */
  async ask(bytes: Uint8Array, baud: number, waitMs: number): Promise<Uint8Array> {
    this.#received = []
    for (const byte of bytes) {
      await this.#clock.sleep((10 * 1000) / baud)
      this.#twin.receive(Uint8Array.of(byte), baud)
    }
    await this.#clock.sleep(waitMs)
    return Uint8Array.from(this.#received)
  }
}
