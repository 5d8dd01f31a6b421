/**
 * An nRF52 as a target: what a probe's twin has behind its wires. Sources: Nordic, product specifications of nRF52820 and
 * nRF52832 (memory map, FICR, CTRL-AP). It has its flash, RAM and core, and the two access ports.
 */
import { blank } from '#core/bytes.ts'
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { ArmBus, ChipClock, putNumber, ram, rom, StorageRegion } from './twin-arm-bus.ts'
import { TwinArmChip, tarWrapBytes } from './twin-arm-chip.ts'
import type { Ap } from './twin-mem-ap.ts'
import { nrf52PageBytes, Nrf52Flash } from './twin-nrf52-flash.ts'
import type { Dials } from './twin.ts'

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
export class TwinNrf52 extends TwinArmChip {
  readonly #controller: Nrf52Flash
  readonly #peripherals: StorageRegion

  constructor(options: TwinNrf52Options = {}) {
    const { dials = {}, flash = new Uint8Array() } = options
    const chip = chips[options.chip ?? 'nRF52820']
    const clock = new ChipClock()
    const memory = new Uint8Array(chip.ramKib * 1024)
    const controller = new Nrf52Flash({
      clock,
      kib: chip.kib,
      content: flash.subarray(0, dials.halfWritten ? flash.length >> 1 : chip.kib * 1024),
      approtect: dials.locked ? 0x00 : chip.isHardened ? 0x5a : 0xff,
      isHardened: chip.isHardened,
      dials,
    })
    const peripherals = new StorageRegion(0x4000_0000, 0x1_e000)
    const bus = new ArmBus(clock, [
      ...controller.regions,
      rom(ficrAt, ficr(chip)),
      ram(0x2000_0000, memory),
      peripherals,
    ])
    bus.isClosed = () => controller.isProtected
    super({
      ...{ clock, bus, dials, rams: [memory], memories: [controller.flash, controller.uicr] },
      clockHz: 64_000_000,
      identity: { cpuid: 0x410f_c241, designer: { bank: 2, id: 0x44 }, part: chip.romPart },
      ...{ dpidr: 0x2ba0_1477, apIdr: 0x2477_0011, wrapBytes: tarWrapBytes },
    })
    this.#controller = controller
    this.#peripherals = peripherals
    if (options.clock) this.power(options.clock)
  }

  memory(id: MemoryId): Uint8Array {
    this.cortex.catchUp()
    if (id === 'flash') return this.#controller.flash.bytes
    return id === 'options' ? this.#controller.uicr.bytes : new Uint8Array()
  }

  protected loseContent(now: number): void {
    this.#controller.losePower(now)
  }

  /** CTRL-AP: RESET, ERASEALL and what became of it; it answers while everything else is closed. */
  protected override otherPorts(): readonly Ap[] {
    const controller = () => this.#controller
    const port: Ap = {
      isBusy: false,
      abort: () => undefined,
      reset: () => undefined,
      read: (address) => {
        if (address === 0x08) return controller().isBusy ? 1 : 0
        if (address === 0x0c) return controller().isProtected ? 0 : 1
        return address === 0xfc ? 0x0288_0000 : 0
      },
      write: (address, value) => {
        this.bus.catchUp()
        if (address === 0x00 && (value & 1) !== 0) this.hold(true)
        else if (address === 0x00) this.release()
        else if (address === 0x04 && (value & 1) !== 0) controller().eraseAllAndOpen()
        return true
      },
    }
    return [port]
  }

  protected override hold(isSoft: boolean): void {
    super.hold(isSoft)
    this.#controller.reset(isSoft)
    this.#peripherals.reset()
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
