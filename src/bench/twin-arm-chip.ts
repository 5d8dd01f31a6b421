/**
 * What every emulated Arm chip is, whatever it holds: its core, its debug wires, its reset pin and its power. Memories and
 * registers are known to the chips' own files, which say what a reset and a loss of power does to those.
 */
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import type { ArmBus, ChipClock } from './twin-arm-bus.ts'
import { CortexM } from './twin-cortex-m.ts'
import type { Identity } from './twin-cortex-m-components.ts'
import type { TwinFlash } from './twin-flash.ts'
import type { Ap } from './twin-mem-ap.ts'
import { SwdPort } from './twin-swd.ts'
import type { Dials, TwinPatient } from './twin.ts'

/** Of every AHB-AP in a Cortex-M3 or M4, as OpenOCD takes it, too; the specification promises 1 KiB. */
export const tarWrapBytes = 4096

const romTableAt = 0xe00f_f003

export interface ArmChipParts {
  readonly clock: ChipClock
  /** All but the core's own regions. */
  readonly bus: ArmBus
  readonly identity: Identity
  /** Of the oscillator that it runs on after reset. */
  readonly clockHz: number
  /** Where its core takes its vectors after reset. Default: 0. */
  readonly vectorsAt?: number | undefined
  readonly dpidr: number
  /** Of the access port to its memory; how far that counts addresses by itself, default 1 KiB. */
  readonly apIdr: number
  readonly wrapBytes?: number
  /** RAM, whose content power-on does not bring about. */
  readonly rams: readonly Uint8Array[]
  /** Whose work takes time. */
  readonly memories: readonly TwinFlash[]
  readonly dials: Dials
}

export abstract class TwinArmChip implements TwinPatient {
  readonly swd: SwdPort
  readonly bus: ArmBus
  readonly cortex: CortexM
  onWork: (ms: number) => void = () => undefined
  protected readonly clock: ChipClock
  readonly #rams: readonly Uint8Array[]
  readonly #isConnected: boolean

  /** It has no power yet. */
  constructor(parts: ArmChipParts) {
    const { clock, bus, clockHz, identity, vectorsAt, dpidr, apIdr, wrapBytes, memories } = parts
    this.clock = clock
    this.bus = bus
    this.#rams = parts.rams
    this.#isConnected = !parts.dials.noTarget
    for (const memory of memories)
      memory.onWork = (ms) => {
        this.onWork(ms)
      }
    this.cortex = new CortexM({
      ...{ bus, clockHz, identity },
      ...(vectorsAt !== undefined && { vectorsAt }),
      resetChip: () => {
        this.resetItself()
      },
    })
    bus.add(...this.cortex.regions)
    bus.catchUp = () => {
      this.catchUp()
    }
    const memoryPort = { idr: apIdr, base: romTableAt, bus, ...(wrapBytes !== undefined && { wrapBytes }) }
    this.swd = new SwdPort({
      dpidr,
      aps: [memoryPort, ...this.otherPorts()],
      isOff: () => this.areLinesOff,
      onReset: (asserted) => {
        this.pullReset(asserted)
      },
    })
    this.swd.power(false)
  }

  abstract memory(id: MemoryId): Uint8Array

  /** Power-on. Without a clock the chip has no power and answers nothing. */
  power(clock: Clock): void {
    this.clock.source = clock
    this.#rams.forEach(scramble)
    this.cortex.powerOn()
    this.hold(false)
    this.swd.power(this.#isConnected && !this.isDebugOff)
    this.release()
  }

  /** Power lost: what was being erased or programmed stays half done. */
  losePower(): void {
    this.cortex.catchUp()
    this.loseContent(this.clock.now())
    this.clock.source = undefined
    this.swd.power(false)
  }

  brownOut(): void {
    const { source } = this.clock
    this.losePower()
    if (source) this.power(source)
  }

  /** What its settings keep debuggers out with, from power-on. */
  protected get isDebugOff(): boolean {
    return false
  }

  /** Its program has turned the debug wires off. */
  protected get areLinesOff(): boolean {
    return false
  }

  /** Behind its debug port, beside the one to its memory. Called before its own fields are there. */
  protected otherPorts(): readonly Ap[] {
    return []
  }

  /** What its memories make of it. */
  protected abstract loseContent(now: number): void

  /** Into a reset, which the debug port outlives. `isSoft`: by SYSRESETREQ or its like. */
  protected hold(isSoft: boolean): void
  protected hold(): void {
    this.cortex.hold()
  }

  /** Out of it, unless the pin holds it. */
  protected release(): void {
    if (!this.bus.isHeld) this.cortex.release()
  }

  protected resetItself(): void {
    this.hold(true)
    this.release()
  }

  /** nRESET. */
  protected pullReset(asserted: boolean): void {
    this.bus.catchUp()
    this.bus.isHeld = asserted
    if (asserted) this.hold(false)
    else this.release()
  }

  protected catchUp(): void {
    this.cortex.catchUp()
  }
}

/** What a RAM holds at power-on is not known, but it is not zero. */
function scramble(memory: Uint8Array): void {
  for (let i = 0; i < memory.length; i++) memory[i] = (i * 0x9e37) >> 8
}
