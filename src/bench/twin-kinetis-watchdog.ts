/**
 * The watchdogs of a Kinetis: the COP of the L series, whose control register takes one write after a reset, and the WDOG of
 * the K series, which takes its keys and what follows within a few of its cycles (NXP, KL26 and K20 Sub-Family Reference
 * Manuals). They count while the core runs, and not under a debugger that halts it. What runs from the flash is taken to
 * serve them; what runs in RAM does not.
 */
import { numberAt, putNumber, type ChipClock, type Region } from './twin-arm-bus.ts'

const copAt = 0x4004_8100
const wdogAt = 0x4005_2000
const [stctrlh, unlock] = [0x00, 0x0e] as const
const keys = [0xc520, 0xd928] as const
/** WDOGEN, ALLOWUPDATE and what else is set after a reset. */
const wdogAtReset = 0x01d3
/** Of a bus clock of 21 MHz: 20 cycles between the keys, 256 behind them. */
const [keyMs, openMs] = [0.001, 0.0125] as const
/** 2^10 cycles of 1 kHz, and of the WDOG as a reset leaves it. */
const limitMs = { cop: 1024, wdog: 250 } as const

export class TwinKinetisWatchdog {
  readonly region: Region
  readonly #clock: ChipClock
  readonly #of: keyof typeof limitMs
  #isOff = false
  #isWritten = false
  #ranMs = 0
  #keyAt = -Infinity
  #openUntil = -Infinity
  readonly #wdog = new Uint8Array(0x18)

  constructor(of: keyof typeof limitMs, clock: ChipClock) {
    this.#of = of
    this.#clock = clock
    this.region =
      of === 'cop'
        ? {
            ...{ address: copAt, length: 0x10 },
            read: (address) => (address === copAt && !this.#isOff ? 0x0c : 0),
            write: (address, _, value) => {
              if (address === copAt && !this.#isWritten) this.#isOff = (value & 0x0c) === 0
              if (address === copAt) this.#isWritten = true
              return true
            },
          }
        : {
            ...{ address: wdogAt, length: 0x1000 },
            read: (address, width) => numberAt(this.#wdog, address - wdogAt, width),
            write: (address, width, value) => {
              if (width === 2) this.#writeWdog(address - wdogAt, value)
              return true
            },
          }
  }

  get isOff(): boolean {
    return this.#isOff
  }

  reset(): void {
    this.#isOff = this.#isWritten = false
    this.#ranMs = 0
    this.#keyAt = this.#openUntil = -Infinity
    this.#wdog.fill(0)
    putNumber(this.#wdog, stctrlh, 2, wdogAtReset)
  }

  /** So long something ran that does not serve it. True: it strikes. */
  ran(ms: number): boolean {
    if (!this.#isOff) this.#ranMs += ms
    return this.#ranMs > limitMs[this.#of]
  }

  serve(): void {
    this.#ranMs = 0
  }

  #writeWdog(offset: number, value: number): void {
    const now = this.#clock.now()
    if (offset === unlock) {
      if (value === keys[1] && now - this.#keyAt <= keyMs) this.#openUntil = now + openMs
      this.#keyAt = value === keys[0] ? now : -Infinity
    } else if (now <= this.#openUntil) {
      putNumber(this.#wdog, offset, 2, value)
      if (offset === stctrlh) this.#isOff = (value & 1) === 0
    }
  }
}
