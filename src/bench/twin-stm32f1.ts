/**
 * An STM32F103 of medium density as a target: what a probe's twin has behind its wires (ST RM0008, PM0075).
 *
 * It has the chip's memories, its flash controller and what debuggers ask for by name; of its other peripherals
 * only the registers.
 */
import { blank } from '#core/bytes.ts'
import type { MemoryId } from '#core/programmer.ts'
import type { Clock } from '#core/time.ts'
import { ArmBus, ChipClock, ram, rom, StorageRegion } from './twin-arm-bus.ts'
import { CortexM } from './twin-cortex-m.ts'
import { factoryOptionBytes, Stm32f1Flash } from './twin-stm32f1-flash.ts'
import { SwdPort } from './twin-swd.ts'
import type { Dials, TwinPatient } from './twin.ts'

export interface TwinStm32f1Options {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Default: 128. */
  readonly kib?: 64 | 128
  /** Contents from 0800_0000; the rest is blank. */
  readonly flash?: Uint8Array
  /** 16 bytes; absent: factory values. */
  readonly optionBytes?: Uint8Array
  /** 12 bytes. */
  readonly uid?: Uint8Array
}

const ramBytes = 20 * 1024
/** HSI, which it runs on after reset. */
const clockHz = 8_000_000
/** Medium density, revision Y. */
const idcode = 0x2003_6410

export class TwinStm32f1 implements TwinPatient {
  readonly swd: SwdPort
  readonly bus: ArmBus
  readonly cortex: CortexM
  onWork: (ms: number) => void = () => undefined
  readonly #clock = new ChipClock()
  readonly #flash: Stm32f1Flash
  readonly #ram = new Uint8Array(ramBytes)
  readonly #peripherals: readonly StorageRegion[]
  /** Outlives a system reset. */
  readonly #dbgmcu = new StorageRegion(0xe004_2000, 0x400, { 0xe0042000: idcode }, dbgmcuMasks)
  readonly #isConnected: boolean

  constructor(options: TwinStm32f1Options = {}) {
    const { dials = {}, kib = 128, flash = new Uint8Array() } = options
    const clock = this.#clock
    const optionBytes = (options.optionBytes ?? factoryOptionBytes).slice()
    if (dials.locked) optionBytes.set([0x00, 0xff])
    this.#flash = new Stm32f1Flash({
      clock,
      kib,
      content: flash.subarray(0, dials.halfWritten ? flash.length >> 1 : kib * 1024),
      optionBytes,
      dials,
      runsFromFlash: () => isInFlash(this.cortex.core.pc, kib),
    })
    for (const memory of [this.#flash.flash, this.#flash.options])
      memory.onWork = (ms) => {
        this.onWork(ms)
      }
    // USB and CAN share their RAM here; TIM2 to the CRC unit, but for the flash controller between them
    this.#peripherals = [
      new StorageRegion(0x4000_0000, 0x2_2000, rccInitial, rccMasks),
      new StorageRegion(0x4002_2400, 0x1000),
    ]
    this.bus = new ArmBus(clock, [
      ram(0x2000_0000, this.#ram),
      ...this.#flash.regions,
      rom(0x1fff_f000, bootRom()),
      rom(0x1fff_f7e0, information(kib, options.uid ?? defaultUid)),
      ...this.#peripherals,
      this.#dbgmcu,
    ])
    this.cortex = new CortexM({
      bus: this.bus,
      clockHz,
      identity: { cpuid: 0x411f_c231, designer: { bank: 0, id: 0x20 }, part: 0x410 },
      resetChip: () => {
        this.#hold()
        if (!this.bus.isHeld) this.cortex.release()
      },
    })
    this.bus.add(...this.cortex.regions)
    this.bus.catchUp = () => {
      this.cortex.catchUp()
    }
    this.#isConnected = !dials.noTarget
    this.swd = new SwdPort({
      dpidr: 0x1ba0_1477,
      aps: [{ idr: 0x1477_0011, base: 0xe00f_f003, bus: this.bus }],
      onReset: (asserted) => {
        this.bus.catchUp()
        this.bus.isHeld = asserted
        if (asserted) this.#hold()
        else this.cortex.release()
      },
    })
    this.swd.power(false)
    if (options.clock) this.power(options.clock)
  }

  /** Power-on. Without a clock the chip has no power and answers nothing. */
  power(clock: Clock): void {
    this.#clock.source = clock
    // what a RAM holds then is not known, but it is not zero
    for (let i = 0; i < ramBytes; i++) this.#ram[i] = (i * 0x9e37) >> 8
    this.swd.power(this.#isConnected)
    this.#dbgmcu.reset()
    this.cortex.powerOn()
    this.#hold()
    if (!this.bus.isHeld) this.cortex.release()
  }

  /** Power lost: what was being erased or programmed stays half done. */
  losePower(): void {
    this.cortex.catchUp()
    this.#flash.losePower(this.#clock.now())
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
    if (id === 'flash') return this.#flash.flash.bytes
    return id === 'options' ? this.#flash.options.bytes : new Uint8Array()
  }

  /** Into a system reset, which the debug port outlives. */
  #hold(): void {
    this.cortex.hold()
    this.#flash.reset()
    for (const one of this.#peripherals) one.reset()
  }
}

const isInFlash = (address: number, kib: number): boolean =>
  address - (address < 0x0800_0000 ? 0 : 0x0800_0000) < kib * 1024

/** IDCODE cannot be written, CR in the bits that medium density has. */
const dbgmcuMasks = { 0xe0042000: 0, 0xe0042004: 0x7fe7 }

/** RCC_CR, AHBENR and CSR after power-on. */
const rccInitial = { 0x40021000: 0x83, 0x40021014: 0x14, 0x40021024: 0x0c00_0000 }
/** AHBENR has DMA1, SRAM, FLITF and CRC; clones are told by further bits that stick. */
const rccMasks = { 0x40021014: 0x55 }

const defaultUid = Uint8Array.of(0x34, 0xff, 0x6a, 0x06, 0x4b, 0x53, 0x36, 0x34, 0x25, 0x51, 0x13, 0x43)

/** The boot loader in ROM is not modelled: its place is filled with `b .`. */
const bootRom = (): Uint8Array => Uint8Array.from({ length: 0x7e0 }, (_, i) => (i & 1 ? 0xe7 : 0xfe))

/** Flash size in KiB and the unique id, from 1FFF_F7E0 to 1FFF_F7FF. */
function information(kib: number, uid: Uint8Array): Uint8Array {
  const bytes = blank(0x20)
  bytes.set([kib, 0])
  bytes.set(uid, 8)
  return bytes
}
