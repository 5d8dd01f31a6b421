/**
 * An LPC11U35/401 as a target: what a probe's twin has behind its wires. Source: NXP, UM10462 and the data sheet of LPC11U3x
 * (memory map, SYSCON), and what others found at 4004_83F8. It has its memories, its ROM and its core; of its peripherals only
 * the registers.
 */
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { ArmBus, ChipClock, putNumber, ram, StorageRegion } from './twin-arm-bus.ts'
import { TwinArmChip } from './twin-arm-chip.ts'
import { Lpc11u35Iap } from './twin-lpc11u35-iap.ts'
import type { Dials } from './twin.ts'

export interface TwinLpc11u35Options {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Contents from 0; the rest is blank. */
  readonly flash?: Uint8Array
}

const kib = 64
const partId = 0x1_bc40
const uniqueId = [0x0d0c_2c31, 0x4e45_a0b7, 0x5391_e2d5, 0xf500_2019]
/** Of its internal oscillator. */
const clockHz = 12_000_000
const crp1 = { at: 0x2fc, word: 0x1234_5678 } as const
/** SYSMEMREMAP, and where the manual has DEVICE_ID, and where it is. */
const syscon = { at: 0x4004_8000, registers: { 0x400483f4: 0x2000_002b, 0x400483f8: partId } } as const
const readOnly = { 0x400483f4: 0, 0x400483f8: 0 } as const

export class TwinLpc11u35 extends TwinArmChip {
  readonly #rom: Lpc11u35Iap
  readonly #peripherals: readonly StorageRegion[]

  constructor(options: TwinLpc11u35Options = {}) {
    const { dials = {}, flash = new Uint8Array() } = options
    const content = flash.slice(0, dials.halfWritten ? flash.length >> 1 : kib * 1024)
    const clock = new ChipClock()
    const rom = new Lpc11u35Iap({
      ...{ clock, clockHz, kib, eepromBytes: 4096, content, partId, uniqueId, dials },
    })
    if (dials.locked) putNumber(rom.flash.bytes, crp1.at, 4, crp1.word)
    // I2C to the flash controller, SYSCON, what is behind it; the pins
    const peripherals = [
      new StorageRegion(0x4000_0000, 0x4_8000),
      new StorageRegion(syscon.at, 0x4000, syscon.registers, readOnly),
      new StorageRegion(0x4004_c000, 0x3_8000),
      new StorageRegion(0x5000_0000, 0x4000),
    ]
    const rams = [8, 2].map((size) => new Uint8Array(size * 1024))
    const bus = new ArmBus(clock, [
      ...rom.regions,
      ...rams.map((bytes, i) => ram([0x1000_0000, 0x2000_4000][i] ?? 0, bytes)),
      ...peripherals,
    ])
    rom.read = (address, width) => bus.read(address, width)
    rom.write = (address, width, value) => bus.write(address, width, value)
    super({
      ...{ clock, bus, clockHz, dials, rams, memories: [rom.flash, rom.eeprom] },
      identity: { cpuid: 0x410c_c200, designer: { bank: 4, id: 0x3b }, part: 0x471 },
      ...{ dpidr: 0x0bb1_1477, apIdr: 0x0477_0021 },
    })
    this.#rom = rom
    this.#peripherals = peripherals
    if (options.clock) this.power(options.clock)
  }

  memory(id: MemoryId): Uint8Array {
    this.cortex.catchUp()
    if (id === 'flash') return this.#rom.flash.bytes
    return id === 'eeprom' ? this.#rom.eeprom.bytes : new Uint8Array()
  }

  protected loseContent(now: number): void {
    this.#rom.losePower(now)
  }

  protected override hold(isSoft: boolean): void {
    super.hold(isSoft)
    this.#rom.reset()
    for (const one of this.#peripherals) one.reset()
  }

  /** Code read protection: whoever wants to look is too late. */
  protected override release(): void {
    if (!this.bus.isHeld && this.#rom.isClosed) this.swd.power(false)
    super.release()
  }
}
