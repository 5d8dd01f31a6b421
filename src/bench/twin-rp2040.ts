/**
 * An RP2040 with its flash, as a target (RP2040 data sheet, 2.2 and 2.3): two cores at the same wires, of which the debugger
 * names one, the boot ROM and RAM. Of its peripherals only the registers.
 */
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { ArmBus, ChipClock, ram, rom, StorageRegion } from './twin-arm-bus.ts'
import { CortexM } from './twin-cortex-m.ts'
import { Rp2040Rom } from './twin-rp2040-rom.ts'
import { rp2040Wires } from './twin-rp2040-swd.ts'
import type { SharedWires } from './twin-swd.ts'
import type { Dials, TwinPatient } from './twin.ts'

export interface TwinRp2040Options {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Of its flash. Default: 2 MiB, as on a Debug Probe. */
  readonly flashBytes?: number
  /** Contents of the flash from its beginning; the rest is blank. */
  readonly flash?: Uint8Array
}

const ramAt = 0x2000_0000
/** SYSINFO: manufacturer and part, revision B2. */
const chipId = Uint8Array.of(0x27, 0x29, 0x00, 0x20)

export class TwinRp2040 implements TwinPatient {
  readonly swd: SharedWires
  readonly cores: readonly [CortexM, CortexM]
  onWork: (ms: number) => void = () => undefined
  readonly #clock = new ChipClock()
  readonly #rom: Rp2040Rom
  readonly #sram = new Uint8Array(264 * 1024)
  readonly #peripherals: readonly StorageRegion[]
  readonly #isConnected: boolean

  constructor(options: TwinRp2040Options = {}) {
    const { dials = {}, flash = new Uint8Array(), flashBytes = 2 * 1024 * 1024 } = options
    this.#isConnected = !dials.noTarget
    this.#rom = new Rp2040Rom({
      clock: this.#clock,
      flashBytes,
      content: flash.subarray(0, dials.halfWritten ? flash.length >> 1 : flashBytes),
      dials,
    })
    this.#rom.readRam = (address) => this.#sram[address - ramAt] ?? 0xff
    this.#rom.flash.onWork = (ms) => {
      this.onWork(ms)
    }
    this.#peripherals = [
      new StorageRegion(0x4000_8000, 0x1_0000),
      new StorageRegion(0x4001_c000, 0x5_4000),
      new StorageRegion(0xd000_0000, 0x200),
    ]
    const shared = [
      ...this.#rom.regions,
      ram(ramAt, this.#sram),
      rom(0x4000_0000, chipId),
      ...this.#peripherals,
    ]
    const core = () => {
      const bus = new ArmBus(this.#clock, shared)
      const cortex = new CortexM({
        bus,
        clockHz: 6_500_000,
        identity: { cpuid: 0x410c_c601, designer: { bank: 9, id: 0x13 }, part: 0x002 },
        resetChip: () => {
          this.#reset()
        },
      })
      bus.add(...cortex.regions)
      bus.catchUp = () => {
        cortex.catchUp()
      }
      return { bus, cortex }
    }
    const [first, second] = [core(), core()]
    this.cores = [first.cortex, second.cortex]
    this.swd = rp2040Wires({
      cores: [first.bus, second.bus],
      onRescue: () => {
        this.#reset()
      },
    })
    this.swd.power(false)
    if (options.clock) this.power(options.clock)
  }

  power(clock: Clock): void {
    this.#clock.source = clock
    this.#sram.forEach((_, i) => (this.#sram[i] = (i * 0x9e37) >> 8))
    for (const core of this.cores) core.powerOn()
    this.#reset()
    this.swd.power(this.#isConnected)
  }

  losePower(): void {
    for (const core of this.cores) core.catchUp()
    this.#rom.losePower(this.#clock.now())
    this.#clock.source = undefined
    this.swd.power(false)
  }

  brownOut(): void {
    const { source } = this.#clock
    this.losePower()
    if (source) this.power(source)
  }

  memory(id: MemoryId): Uint8Array {
    for (const core of this.cores) core.catchUp()
    return id === 'flash' ? this.#rom.flash.bytes : new Uint8Array()
  }

  #reset(): void {
    for (const core of this.cores) core.hold()
    this.#rom.reset()
    for (const one of this.#peripherals) one.reset()
    for (const core of this.cores) core.release()
  }
}
