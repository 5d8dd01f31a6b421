/**
 * An STM32F103 of low or medium density (ST RM0008, PM0075), or one that is made to replace it, as a target: its description
 * for `TwinStm32`. How clones say who they are: `jep106.h` of Black Magic Probe; blaatschaap.be, "Identifying 32F103 clones".
 */
import { blank } from '#core/bytes.ts'
import type { Clock } from '#core/time.ts'
import { ChipClock, putNumber, ram, rom, StorageRegion } from './twin-arm-bus.ts'
import { factoryOptionBytes, Stm32f1Flash } from './twin-stm32f1-flash.ts'
import { TwinStm32 } from './twin-stm32.ts'
import type { Dials } from './twin.ts'

export interface TwinStm32f1Options {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Default: 128. */
  readonly kib?: 16 | 64 | 128
  /** Of those with 64 or 128. Default: `ST`. */
  readonly make?: keyof typeof makes
  /** What it says of its size, where that is not so. */
  readonly saysKib?: number
  /** Contents from 0800_0000; the rest is blank. */
  readonly flash?: Uint8Array
  /** 16 bytes; absent: factory values. */
  readonly optionBytes?: Uint8Array
  /** 12 bytes. */
  readonly uid?: Uint8Array
}

/** r2p1, with the access port that came with it. */
const newerCore = { cpuid: 0x412f_c231, apIdr: 0x2477_0011 } as const
const byArm = { designer: { bank: 4, id: 0x3b }, part: 0x4c3 } as const

const makes = {
  ST: {
    ...{ dpidr: 0x1ba0_1477, cpuid: 0x411f_c231, apIdr: 0x1477_0011, idcode: 0x2003_6410 }, // revision Y
    ...{ designer: { bank: 0, id: 0x20 }, part: 0x410 },
  },
  GD32: {
    ...{ ...newerCore, dpidr: 0x1ba0_1477, idcode: 0x1303_0410 },
    ...{ designer: { bank: 7, id: 0x51 }, part: 0x410 },
  },
  CKS32: { ...newerCore, ...byArm, dpidr: 0x2ba0_1477, idcode: 0x2003_6410 },
  APM32: { ...newerCore, ...byArm, dpidr: 0x1ba0_1477, idcode: 0x2003_6410 },
  HK32: {
    ...{ ...newerCore, dpidr: 0x2ba0_1477, idcode: 0x2003_6410 },
    ...{ designer: { bank: 0, id: 0x55 }, part: 0x410 },
  },
  /** With ST's ids copied. */
  disguised: {
    ...{ ...newerCore, dpidr: 0x2ba0_1477, idcode: 0x2003_6410 },
    ...{ designer: { bank: 0, id: 0x20 }, part: 0x410 },
  },
} as const

/** Revision A. */
const low = { ...makes.ST, idcode: 0x1000_6412, part: 0x412, boundaryScan: 0x0641_2041, ramKib: 6 }
const medium = { boundaryScan: 0x1641_0041, ramKib: 20 }

export class TwinStm32f1 extends TwinStm32 {
  constructor(options: TwinStm32f1Options = {}) {
    const { dials = {}, kib = 128, flash = new Uint8Array() } = options
    const said = kib < 64 ? low : { ...makes[options.make ?? 'ST'], ...medium }
    const { dpidr, cpuid, apIdr, idcode, designer, part, boundaryScan, ramKib } = said
    const clock = new ChipClock()
    const sram = new Uint8Array(ramKib * 1024)
    const optionBytes = (options.optionBytes ?? factoryOptionBytes).slice()
    if (dials.locked) optionBytes.set([0x00, 0xff])
    const controller = new Stm32f1Flash({
      clock,
      ...{ of: 'f1', kib, pageBytes: 1024 },
      content: flash.subarray(0, dials.halfWritten ? flash.length >> 1 : kib * 1024),
      optionBytes,
      dials,
    })
    const description = {
      ...{ dpidr, apIdr, idcode },
      jtag: { debugPort: 0x3ba0_0477, boundaryScan },
      identity: { cpuid, designer, part },
      clockHz: 8_000_000,
      // TIM2 to the CRC unit; between them is the flash controller
      peripherals: [
        new StorageRegion(0x4000_0000, 0x2_2000, rccInitial, rccMasks),
        new StorageRegion(0x4002_2400, 0x1000),
      ],
      rams: [sram],
      regions: [
        ram(0x2000_0000, sram),
        rom(0x1fff_f000, bootRom()),
        rom(0x1fff_f7e0, information(options.saysKib ?? kib, options.uid ?? defaultUid)),
      ],
    }
    super(clock, description, controller, dials, options.clock)
  }
}

/** RCC_CR, AHBENR and CSR after reset. */
const rccInitial = { 0x40021000: 0x83, 0x40021014: 0x14, 0x40021024: 0x0c00_0000 }
/** AHBENR has DMA1, SRAM, FLITF and CRC; clones are told by further bits that stick. */
const rccMasks = { 0x40021014: 0x55 }

const defaultUid = Uint8Array.of(0x34, 0xff, 0x6a, 0x06, 0x4b, 0x53, 0x36, 0x34, 0x25, 0x51, 0x13, 0x43)

/** The boot loader in ROM is not modelled: its place is filled with `b .`. */
const bootRom = (): Uint8Array => Uint8Array.from({ length: 0x7e0 }, (_, i) => (i & 1 ? 0xe7 : 0xfe))

/** Flash size in KiB and the unique id, from 1FFF_F7E0 to 1FFF_F7FF. */
function information(kib: number, uid: Uint8Array): Uint8Array {
  const bytes = blank(0x20)
  putNumber(bytes, 0, 2, kib)
  bytes.set(uid, 8)
  return bytes
}
