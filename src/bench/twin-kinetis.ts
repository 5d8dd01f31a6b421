/**
 * A Kinetis as a target, as on DAPLink boards: KL26Z128 or K20DX128 (NXP, KL26 and K20 Sub-Family Reference Manuals: memory
 * map, SIM, MDM-AP; AN4835, mass erase). Of its peripherals only the registers; its FlexNVM is not there, and an L's lockup
 * does not reset it.
 */
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { ArmBus, ChipClock, ram, StorageRegion } from './twin-arm-bus.ts'
import { TwinArmChip } from './twin-arm-chip.ts'
import { openField, TwinKinetisFlash } from './twin-kinetis-flash.ts'
import { TwinKinetisWatchdog } from './twin-kinetis-watchdog.ts'
import type { Ap } from './twin-mem-ap.ts'
import type { Dials } from './twin.ts'

export interface TwinKinetisOptions {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Default: `KL26Z128`. */
  readonly chip?: keyof typeof chips
  /** Contents from 0; the rest is blank, and the configuration field is `field`. */
  readonly flash?: Uint8Array
  /** Its flash configuration field; absent: open, or secured with `locked`. */
  readonly field?: Uint8Array
  /** Nobody wires its reset pin. */
  readonly noReset?: boolean
  /** Its RAM is broken: what is written there does not stay. */
  readonly brokenRam?: boolean
}

const freescale = { bank: 0, id: 0x0e } as const

/** SIM_SDID; PFSIZE of FCFG1; FCFG2 with MAXADDR0, and PFLSH where there is no FlexNVM. */
const chips = {
  KL26Z128: {
    watchdog: 'cop',
    ...{ dpidr: 0x0bc1_1477, apIdr: 0x0477_0031, mdmIdr: 0x001c_0020, cpuid: 0x410c_c601, romPart: 0x4c0 },
    ...{ sdid: 0x2615_1482, fcfg1: 0x0700_0000, fcfg2: 0x1080_0000, flexRamBytes: 0 },
    ...{ ramAt: 0x1fff_f000, wrapBytes: 1024 },
  },
  K20DX128: {
    watchdog: 'wdog',
    ...{ dpidr: 0x2ba0_1477, apIdr: 0x2477_0011, mdmIdr: 0x001c_0000, cpuid: 0x410f_c241, romPart: 0x4c4 },
    ...{ sdid: 0x0000_1014, fcfg1: 0x37ff_0f00, fcfg2: 0x1004_0000, flexRamBytes: 2048 },
    ...{ ramAt: 0x1fff_e000, wrapBytes: 4096 },
  },
} as const

const kib = 128
const ramBytes = 16 * 1024
/** FEI, as a reset leaves it. */
const clockHz = 20_971_520
const uniqueId = [0x0027_0001, 0x0000_4e45, 0x3017_0014, 0x2013_5a12] as const

const Stat = {
  EraseTaken: 1,
  Ready: 2,
  Secured: 4,
  IsRunning: 8,
  MassErase: 0x20,
  Backdoor: 0x40,
  Halted: 0x1_0000,
} as const
const Control = { MassErase: 1, Reset: 8, HoldCore: 0x10 } as const

export class TwinKinetis extends TwinArmChip {
  readonly watchdog: TwinKinetisWatchdog
  readonly #chip: (typeof chips)[keyof typeof chips]
  readonly #controller: TwinKinetisFlash
  readonly #peripherals: readonly StorageRegion[]
  readonly #hasResetPin: boolean
  #pinHolds = false
  #control = 0
  #hasErased = false
  #lookedAt = 0

  constructor(options: TwinKinetisOptions = {}) {
    const { dials = {}, flash = new Uint8Array() } = options
    const chip = chips[options.chip ?? 'KL26Z128']
    const clock = new ChipClock()
    const content = new Uint8Array(kib * 1024).fill(0xff)
    content.set(flash.subarray(0, dials.halfWritten ? flash.length >> 1 : content.length))
    const field = options.field ?? openField()
    if (dials.locked) field[0x0c] = 0xff
    content.set(field, 0x400)
    const controller = new TwinKinetisFlash({ clock, kib, content, flexRamBytes: chip.flexRamBytes, dials })
    const watchdog = new TwinKinetisWatchdog(chip.watchdog, clock)
    const own = peripherals(chip)
    const bytes = new Uint8Array(ramBytes)
    const sram = ram(chip.ramAt, bytes)
    const bus = new ArmBus(clock, [
      ...controller.regions,
      options.brokenRam ? { ...sram, write: () => true } : sram,
      watchdog.region,
      ...own,
    ])
    bus.isClosed = () => controller.isSecured
    super({
      ...{ clock, bus, clockHz, dials, rams: [bytes], memories: [controller.flash] },
      identity: { cpuid: chip.cpuid, designer: freescale, part: chip.romPart },
      ...{ dpidr: chip.dpidr, apIdr: chip.apIdr, wrapBytes: chip.wrapBytes },
    })
    this.#chip = chip
    this.#controller = controller
    this.watchdog = watchdog
    this.#peripherals = own
    this.#hasResetPin = !options.noReset
    if (options.clock) this.power(options.clock)
  }

  override power(clock: Clock): void {
    this.#control = 0
    this.bus.isHeld = this.#pinHolds
    super.power(clock)
  }

  memory(id: MemoryId): Uint8Array {
    this.cortex.catchUp()
    return id === 'flash' ? this.#controller.flash.bytes : new Uint8Array()
  }

  protected loseContent(): void {
    this.#controller.losePower()
  }

  protected override pullReset(asserted: boolean): void {
    if (!this.#hasResetPin) return
    this.bus.catchUp()
    this.#pinHolds = asserted
    this.#follow()
  }

  /** What runs in RAM is not served by a watchdog for longer than it allows. */
  protected override catchUp(): void {
    const { cortex, watchdog } = this
    const now = this.clock.now()
    const wasInRam = !cortex.isHalted && cortex.core.pc >= this.#chip.ramAt && !cortex.isLockedUp
    cortex.catchUp()
    const strikes = wasInRam && watchdog.ran(now - this.#lookedAt)
    if (!wasInRam && !cortex.isHalted) watchdog.serve()
    this.#lookedAt = now
    if (strikes) this.resetItself()
  }

  /** MDM-AP: what it says, and what it takes while the chip is closed. Version 0 takes no reset then. */
  protected override otherPorts(): readonly Ap[] {
    const port: Ap = {
      isBusy: false,
      abort: () => undefined,
      reset: () => undefined,
      read: (address) => {
        this.bus.catchUp()
        if (address === 0x00) return this.#status()
        if (address === 0x04)
          return this.#controller.isBusy ? this.#control : (this.#control &= ~Control.MassErase)
        return address === 0xfc ? this.#chip.mdmIdr : 0
      },
      write: (address, value) => {
        this.bus.catchUp()
        if (address === 0x04) this.#writeControl(value)
        return true
      },
    }
    return [port]
  }

  #status(): number {
    const { isBusy, isSecured, canMassErase, security } = this.#controller
    return (
      (this.#hasErased ? Stat.EraseTaken : 0) |
      (isBusy ? 0 : Stat.Ready) |
      (isSecured ? Stat.Secured : 0) |
      (this.bus.isHeld ? 0 : Stat.IsRunning) |
      (canMassErase ? Stat.MassErase : 0) |
      ((security & 0xc0) === 0x80 ? Stat.Backdoor : 0) |
      (this.cortex.isHalted ? Stat.Halted : 0)
    )
  }

  #writeControl(value: number): void {
    const { isSecured, canMassErase } = this.#controller
    const taken = isSecured ? Control.MassErase | (this.#chip.mdmIdr & 0xf0 ? Control.Reset : 0) : 0xff
    const erases = (value & Control.MassErase & ~this.#control) !== 0
    this.#control = value & taken
    this.#follow()
    // it waits for a reset, and for ever where it is not allowed
    if (!erases || !canMassErase || !this.bus.isHeld) return
    this.#controller.massErase()
    this.#hasErased = true
  }

  /** In reset, or out of it, as the pin and the MDM-AP say. */
  #follow(): void {
    const holds = this.#pinHolds || (this.#control & (Control.Reset | Control.HoldCore)) !== 0
    if (holds === this.bus.isHeld) return
    this.bus.isHeld = holds
    if (holds) this.hold(false)
    else this.release()
  }

  protected override hold(isSoft: boolean): void {
    super.hold(isSoft)
    this.#controller.reset()
    this.watchdog.reset()
    this.#hasErased = false
    for (const one of this.#peripherals) one.reset()
    this.#lookedAt = this.clock.now()
  }
}

function peripherals({ sdid, fcfg1, fcfg2, watchdog }: (typeof chips)[keyof typeof chips]): StorageRegion[] {
  const ids: Record<number, number> = { 0x40048024: sdid, 0x4004804c: fcfg1, 0x40048050: fcfg2 }
  // an L has no UIDH
  for (const [i, word] of uniqueId.entries())
    ids[0x4004_8054 + i * 4] = i === 0 && watchdog === 'cop' ? 0 : word
  const readOnly = Object.fromEntries(Object.keys(ids).map((at) => [at, 0]))
  return [
    new StorageRegion(0x4000_0000, 0x2_0000),
    new StorageRegion(0x4002_1000, 0x2_6000),
    new StorageRegion(0x4004_7000, 0x1100, ids, readOnly),
    new StorageRegion(0x4004_8110, 0x9ef0),
    // SMC_PMSTAT: it runs
    new StorageRegion(0x4005_3000, 0x2_d000, { 0x4007e000: 0x0100_0000 }),
    new StorageRegion(0x400f_f000, 0x1000),
    new StorageRegion(0xf000_3000, 0x1000),
    ...(watchdog === 'cop'
      ? [new StorageRegion(0x4005_2000, 0x1000)]
      : [new StorageRegion(0x4004_8100, 0x10)]),
  ]
}
