/**
 * An STM32 as a target: what a probe's twin has behind its wires. Which one it is, its description says.
 *
 * It has the chip's memories, its flash controller, its core, and what debuggers ask for by name; of its other
 * peripherals only the registers.
 */
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { ArmBus, ChipClock, StorageRegion, type Master, type Region, type Width } from './twin-arm-bus.ts'
import { TwinArmChip, tarWrapBytes } from './twin-arm-chip.ts'
import type { Identity } from './twin-cortex-m-components.ts'
import type { TwinFlash } from './twin-flash.ts'
import { JtagChain, JtagDp, plainTap, SwitchedJtag, type TwinJtag } from './twin-jtag.ts'
import type { Dials } from './twin.ts'

export interface FlashController {
  readonly flash: TwinFlash
  /** Option bytes as they are in their own memory. */
  readonly options: TwinFlash
  readonly regions: readonly Region[]
  /** The option bytes that were loaded keep debuggers out altogether. */
  readonly isDebugOff: boolean
  /** Where the core is: read protection lets the program in the flash itself through. */
  executingAt: () => number
  /** It resets its chip, where it loads option bytes when it is told to. */
  resetChip?: () => void
  /** Any reset. */
  reset(): void
  losePower(now: number): void
}

export interface Stm32Description {
  readonly dpidr: number
  /** IDCODEs of its chain; absent: it has no JTAG. */
  readonly jtag?: { readonly debugPort: number; readonly boundaryScan: number }
  readonly apIdr: number
  readonly identity: Identity
  /** Of the oscillator that it runs on after reset. */
  readonly clockHz: number
  /** Where its flash is for its core after reset. Default: 0. */
  readonly vectorsAt?: number
  /** DBGMCU_IDCODE. */
  readonly idcode: number
  /** Where that is, and what keeps what is written to it. Default: as in a Cortex-M3, DBGMCU_CR. */
  readonly dbgmcu?: { readonly at: number; readonly masks: Readonly<Record<number, number>> }
  /** What a system reset brings back to its beginning. */
  readonly peripherals: readonly StorageRegion[]
  /** RAM, whose content power-on does not bring about. */
  readonly rams: readonly Uint8Array[]
  readonly regions: readonly Region[]
}

/** Whether an address is in the main flash of so many bytes, or in its mirror. */
export const isInFlash = (address: number, bytes: number, mirrorAt = 0): boolean => {
  const offset = address - (address < 0x0800_0000 ? mirrorAt : 0x0800_0000)
  return offset >= 0 && offset < bytes
}

const f1Dbgmcu: NonNullable<Stm32Description['dbgmcu']> = { at: 0xe004_2000, masks: { 4: 0x7fe7 } }

/** The TAP before the core's: how long its instructions are, and which one is IDCODE. */
const boundaryScan = { irLength: 5, idcode: 1 } as const

const isInRam = (address: number): boolean => address >>> 28 === 2

/** `Dials.ram` decides how bad. */
class BusOfBadRam extends ArmBus {
  readonly #forgets: boolean

  constructor(clock: ChipClock, regions: readonly Region[], forgets: boolean) {
    super(clock, regions)
    this.#forgets = forgets
  }

  override write(address: number, width: Width, value: number, master?: Master): boolean {
    return super.write(address, width, this.#forgets && isInRam(address) ? 0 : value, master)
  }

  override fetch(address: number): number | undefined {
    return isInRam(address) ? undefined : super.fetch(address)
  }
}

export class TwinStm32 extends TwinArmChip {
  readonly jtag?: TwinJtag
  readonly #description: Stm32Description
  readonly #controller: FlashController
  /** Outlives a system reset. */
  readonly #dbgmcu: StorageRegion
  readonly #mayTurnLinesOff: boolean
  /** Since the last reset, by its program (AFIO_MAPR, or a pin's mode). */
  #hasTurnedLinesOff = false

  constructor(
    clock: ChipClock,
    description: Stm32Description,
    controller: FlashController,
    dials: Dials,
    source?: Clock,
  ) {
    const { dpidr, apIdr, identity, clockHz, vectorsAt, idcode, peripherals, regions, rams } = description
    const { at, masks } = description.dbgmcu ?? f1Dbgmcu
    const kept: Record<number, number> = { [at]: 0 }
    for (const [offset, mask] of Object.entries(masks)) kept[at + Number(offset)] = mask
    const dbgmcu = new StorageRegion(at, 0x400, { [at]: idcode }, kept)
    const all = [...regions, ...controller.regions, ...peripherals, dbgmcu]
    const bus = dials.ram ? new BusOfBadRam(clock, all, dials.ram === 'forgets') : new ArmBus(clock, all)
    super({
      ...{ clock, bus, identity, clockHz, vectorsAt, dpidr, apIdr, wrapBytes: tarWrapBytes },
      ...{ rams, dials, memories: [controller.flash, controller.options] },
    })
    this.#description = description
    this.#controller = controller
    this.#dbgmcu = dbgmcu
    this.#mayTurnLinesOff = dials.linesOff ?? false
    controller.resetChip = () => {
      this.resetItself()
    }
    controller.executingAt = () => this.cortex.core.pc
    const { jtag } = description
    if (jtag) {
      const taps = [
        plainTap(boundaryScan.irLength, boundaryScan.idcode, jtag.boundaryScan),
        new JtagDp(jtag.debugPort, this.swd.registers),
      ]
      this.jtag = new SwitchedJtag(new JtagChain(taps), this.swd)
    }
    if (source) this.power(source)
  }

  override power(clock: Clock): void {
    this.#dbgmcu.reset()
    super.power(clock)
    this.jtag?.reset()
  }

  memory(id: MemoryId): Uint8Array {
    this.cortex.catchUp()
    if (id === 'flash') return this.#controller.flash.bytes
    return id === 'options' ? this.#controller.options.bytes : new Uint8Array()
  }

  protected loseContent(now: number): void {
    this.#controller.losePower(now)
  }

  protected override get isDebugOff(): boolean {
    return this.#controller.isDebugOff
  }

  /** With its first instruction; what a debugger has it run elsewhere does not. */
  protected override get areLinesOff(): boolean {
    if (!this.#mayTurnLinesOff) return false
    const { isHalted, core } = this.cortex
    const isItself = !this.bus.isHeld && !isHalted && isInFlash(core.pc, this.#controller.flash.bytes.length)
    return (this.#hasTurnedLinesOff ||= isItself)
  }

  protected override resetItself(): void {
    this.hold(true)
    if (this.isDebugOff) this.swd.power(false)
    this.release()
  }

  protected override hold(isSoft: boolean): void {
    this.#hasTurnedLinesOff = false
    super.hold(isSoft)
    this.#controller.reset()
    for (const one of this.#description.peripherals) one.reset()
  }
}
