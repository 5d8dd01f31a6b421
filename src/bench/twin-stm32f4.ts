/** An STM32F405 of 1 MiB (ST RM0090) or an STM32F410x8 (RM0401), as a target: its description for `TwinStm32`. */
import { blank } from '#core/bytes.ts'
import type { Clock } from '#core/time.ts'
import { ChipClock, ram, rom, StorageRegion } from './twin-arm-bus.ts'
import { factoryOptionBytes, Stm32f4Flash } from './twin-stm32f4-flash.ts'
import { TwinStm32 } from './twin-stm32.ts'
import type { Dials } from './twin.ts'

export interface TwinStm32f4Options {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Default: `STM32F405`. */
  readonly chip?: keyof typeof chips
  /** Contents from 0800_0000; the rest is blank. */
  readonly flash?: Uint8Array
  /** 12 bytes. */
  readonly uid?: Uint8Array
}

/** DBGMCU_IDCODE, and what it has of memory. */
const chips = {
  STM32F405: { idcode: 0x100f_6413, kib: 1024, ramKib: 128, ccmKib: 64 },
  STM32F410x8: { idcode: 0x1000_0458, kib: 64, ramKib: 32, ccmKib: 0 },
} as const

export class TwinStm32f4 extends TwinStm32 {
  constructor(options: TwinStm32f4Options = {}) {
    const { dials = {}, flash = new Uint8Array() } = options
    const { idcode, kib, ramKib, ccmKib } = chips[options.chip ?? 'STM32F405']
    const clock = new ChipClock()
    const sram = new Uint8Array(ramKib * 1024)
    const ccm = new Uint8Array(ccmKib * 1024)
    const optionBytes = factoryOptionBytes.slice()
    if (dials.locked) optionBytes[1] = 0x55
    const controller = new Stm32f4Flash({
      clock,
      ...{ of: 'f4', kib },
      content: flash.subarray(0, dials.halfWritten ? flash.length >> 1 : kib * 1024),
      optionBytes,
      dials,
    })
    const description = {
      dpidr: 0x2ba0_1477,
      apIdr: 0x2477_0011,
      identity: { cpuid: 0x410f_c241, designer: { bank: 0, id: 0x20 }, part: idcode & 0xfff },
      ...{ clockHz: 16_000_000, idcode },
      dbgmcu: { at: 0xe004_2000, masks: { 4: 0xe7, 8: 0x0660_1dff, 12: 0x0007_0003 } },
      // TIM2 to DMA2, with the flash controller between; the second AHB
      peripherals: [
        new StorageRegion(0x4000_0000, 0x2_3c00, { 0x40023800: 0x83 }),
        new StorageRegion(0x4002_4000, 0x5_c000),
        new StorageRegion(0x5000_0000, 0x6_0c00),
      ],
      rams: [sram, ccm],
      regions: [
        ram(0x2000_0000, sram),
        ram(0x1000_0000, ccm),
        rom(0x1fff_7a00, information(kib, options.uid ?? defaultUid)),
      ],
    }
    super(clock, description, controller, dials, options.clock)
  }
}

const defaultUid = Uint8Array.of(0x27, 0, 0x3a, 0, 0x0d, 0x51, 0x35, 0x37, 0x36, 0x35, 0x38, 0x33)

/** The unique id at 1FFF_7A10, and the flash size in KiB behind it. */
export function information(kib: number, uid: Uint8Array = defaultUid): Uint8Array {
  const bytes = blank(0x30)
  bytes.set(uid, 0x10)
  bytes.set([kib, kib >> 8], 0x22)
  return bytes
}
