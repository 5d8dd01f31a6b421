/**
 * An nRF52 as a target: what a probe's twin has behind its wires. Sources: Nordic, product specifications of nRF52820 and
 * nRF52832 (memory map, FICR, CTRL-AP). It has its flash, RAM and core, and the two access ports.
 */
import { blank } from '#core/bytes.ts'
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { ArmBus, ChipClock, putNumber, ram, rom, StorageRegion } from './twin-arm-bus.ts'
import { CortexM } from './twin-cortex-m.ts'
import type { Ap } from './twin-mem-ap.ts'
import { nrf52PageBytes, Nrf52Flash } from './twin-nrf52-flash.ts'
import { SwdPort } from './twin-swd.ts'
import type { Dials, TwinPatient } from './twin.ts'

export interface TwinNrf52Options {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Default: `nRF52820`. */
  readonly chip?: keyof typeof chips
  /** Contents from 0; the rest is blank. */
  readonly flash?: Uint8Array
}

/** FICR.INFO, whose variants are `AAD0` and `AAB0`, and the ids of the ROM table. */
const chips = {
  nRF52820: { part: 0x5_2820, variant: 0x4141_4430, kib: 256, ramKib: 32, romPart: 0x010, isHardened: true },
  nRF52832: { part: 0x5_2832, variant: 0x4141_4230, kib: 512, ramKib: 64, romPart: 0x006, isHardened: false },
} as const

const ficrAt = 0x1000_0000
/** As of every AHB-AP in a Cortex-M4; the specification promises 1 KiB. */
const tarWrapBytes = 4096

export class TwinNrf52 implements TwinPatient {
  readonly swd: SwdPort
  readonly bus: ArmBus
  readonly cortex: CortexM
  onWork: (ms: number) => void = () => undefined
  readonly #clock = new ChipClock()
  readonly #controller: Nrf52Flash
  readonly #peripherals = new StorageRegion(0x4000_0000, 0x1_e000)
  readonly #memory: Uint8Array
  readonly #isConnected: boolean

  constructor(options: TwinNrf52Options = {}) {
    const { dials = {}, flash = new Uint8Array() } = options
    const chip = chips[options.chip ?? 'nRF52820']
    this.#isConnected = !dials.noTarget
    this.#memory = new Uint8Array(chip.ramKib * 1024)
    this.#controller = new Nrf52Flash({
      clock: this.#clock,
      kib: chip.kib,
      content: flash.subarray(0, dials.halfWritten ? flash.length >> 1 : chip.kib * 1024),
      approtect: dials.locked ? 0x00 : chip.isHardened ? 0x5a : 0xff,
      isHardened: chip.isHardened,
      dials,
    })
    const controller = this.#controller
    for (const memory of [controller.flash, controller.uicr])
      memory.onWork = (ms) => {
        this.onWork(ms)
      }
    this.bus = new ArmBus(this.#clock, [
      ...controller.regions,
      rom(ficrAt, ficr(chip)),
      ram(0x2000_0000, this.#memory),
      this.#peripherals,
    ])
    this.bus.isClosed = () => controller.isProtected
    this.cortex = new CortexM({
      bus: this.bus,
      clockHz: 64_000_000,
      identity: { cpuid: 0x410f_c241, designer: { bank: 2, id: 0x44 }, part: chip.romPart },
      resetChip: () => {
        this.#hold(true)
        this.#release()
      },
    })
    this.bus.add(...this.cortex.regions)
    this.bus.catchUp = () => {
      this.cortex.catchUp()
    }
    this.swd = new SwdPort({
      dpidr: 0x2ba0_1477,
      aps: [
        { idr: 0x2477_0011, base: 0xe00f_f003, bus: this.bus, wrapBytes: tarWrapBytes },
        this.#controlPort(),
      ],
      onReset: (asserted) => {
        this.bus.catchUp()
        this.bus.isHeld = asserted
        if (asserted) this.#hold(false)
        else this.#release()
      },
    })
    this.swd.power(false)
    if (options.clock) this.power(options.clock)
  }

  power(clock: Clock): void {
    this.#clock.source = clock
    this.#memory.forEach((_, i) => (this.#memory[i] = (i * 0x9e37) >> 8))
    this.cortex.powerOn()
    this.#hold(false)
    this.swd.power(this.#isConnected)
    this.#release()
  }

  losePower(): void {
    this.cortex.catchUp()
    this.#controller.losePower(this.#clock.now())
    this.#clock.source = undefined
    this.swd.power(false)
  }

  brownOut(): void {
    const { source } = this.#clock
    this.losePower()
    if (source) this.power(source)
  }

  memory(id: MemoryId): Uint8Array {
    this.cortex.catchUp()
    if (id === 'flash') return this.#controller.flash.bytes
    return id === 'options' ? this.#controller.uicr.bytes : new Uint8Array()
  }

  /** CTRL-AP: RESET, ERASEALL and what became of it; it answers while everything else is closed. */
  #controlPort(): Ap {
    const controller = this.#controller
    return {
      isBusy: false,
      abort: () => undefined,
      reset: () => undefined,
      read: (address) => {
        if (address === 0x08) return controller.isBusy ? 1 : 0
        if (address === 0x0c) return controller.isProtected ? 0 : 1
        return address === 0xfc ? 0x0288_0000 : 0
      },
      write: (address, value) => {
        this.bus.catchUp()
        if (address === 0x00 && (value & 1) !== 0) this.#hold(true)
        else if (address === 0x00) this.#release()
        else if (address === 0x04 && (value & 1) !== 0) controller.eraseAllAndOpen()
        return true
      },
    }
  }

  #hold(isSoft: boolean): void {
    this.cortex.hold()
    this.#controller.reset(isSoft)
    this.#peripherals.reset()
  }

  #release(): void {
    if (!this.bus.isHeld) this.cortex.release()
  }
}

/** CODEPAGESIZE, CODESIZE, DEVICEID, and INFO: PART, VARIANT, PACKAGE, RAM, FLASH. */
function ficr({ part, variant, kib, ramKib }: (typeof chips)[keyof typeof chips]): Uint8Array {
  const bytes = blank(0x1000)
  const put = (offset: number, value: number) => {
    putNumber(bytes, offset, 4, value)
  }
  put(0x010, nrf52PageBytes)
  put(0x014, (kib * 1024) / nrf52PageBytes)
  put(0x060, 0x6b1f_77a2)
  put(0x064, 0x93d2_10c4)
  put(0x100, part)
  put(0x104, variant)
  put(0x108, 0x2004)
  put(0x10c, ramKib)
  put(0x110, kib)
  return bytes
}
