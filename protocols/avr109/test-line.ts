/** A bare wire to a serial twin: packets out, and what comes back; and what it has become when it went. */
import type { Comeback, SerialTwin } from '#bench/twin.ts'
import { usbBaud } from '#bench/twin-line.ts'
import type { VirtualClock } from '#bench/virtual-clock.ts'

export class BareWire {
  readonly #clock: VirtualClock
  #received: number[] = []
  /** Undefined: it went for good. */
  twin: SerialTwin | undefined
  /** When it went last. */
  wentAt: number | undefined

  /** Powers the twin up. */
  constructor(clock: VirtualClock, twin: SerialTwin) {
    this.#clock = clock
    this.#plug(twin)
  }

  /** What has come within `waitMs` after a packet that was sent whole. */
  async ask(bytes: readonly number[] | string, waitMs = 50): Promise<number[]> {
    this.#received = []
    const packet = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : Uint8Array.from(bytes)
    this.twin?.receive(packet, usbBaud)
    await this.#clock.sleep(waitMs)
    return this.#received
  }

  /** Set to `baud`, opened and closed again. */
  touch(baud: number): void {
    this.twin?.lineCoding?.(baud)
    this.twin?.signals(true, true)
    this.twin?.signals(false, false)
  }

  #plug(next: SerialTwin): void {
    const twin = next.powersUpAs?.() ?? next
    this.twin = twin
    twin.plugged({
      clock: this.#clock,
      send: (bytes) => this.#received.push(...bytes),
      detach: (next) => this.#detach(twin, next),
    })
  }

  #detach(twin: SerialTwin, next?: Comeback<SerialTwin>): void {
    this.twin = undefined
    this.wentAt = this.#clock.now()
    twin.unplugged?.()
    if (next) this.#clock.after(next.ms, () => this.#plug(next.twin))
  }
}
