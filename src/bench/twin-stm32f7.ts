/**
 * An STM32F72x or F73x (ST RM0431), of which an ST-Link V3 has one, as a target: its description for `TwinStm32`. Its core
 * has no caches here, and components as a Cortex-M4 has them.
 */
import type { Clock } from '#core/time.ts'
import { ChipClock, ram, rom, StorageRegion } from './twin-arm-bus.ts'
import { f7OptionBytes, Stm32f4Flash } from './twin-stm32f4-flash.ts'
import { information } from './twin-stm32f4.ts'
import { TwinStm32 } from './twin-stm32.ts'
import type { Dials } from './twin.ts'

export interface TwinStm32f7Options {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Default: 512, as in an STM32F723xE; an STM32F730x8 has 64. */
  readonly kib?: 64 | 512
  /** Contents from 0800_0000; the rest is blank. */
  readonly flash?: Uint8Array
}

const itcmFlashAt = 0x0020_0000

export class TwinStm32f7 extends TwinStm32 {
  constructor(options: TwinStm32f7Options = {}) {
    const { dials = {}, kib = 512, flash = new Uint8Array() } = options
    const clock = new ChipClock()
    const itcm = new Uint8Array(16 * 1024)
    const sram = new Uint8Array(256 * 1024)
    const optionBytes = f7OptionBytes.slice()
    if (dials.locked) optionBytes[1] = 0x55
    const controller = new Stm32f4Flash({
      clock,
      ...{ of: 'f7', kib },
      content: flash.subarray(0, dials.halfWritten ? flash.length >> 1 : kib * 1024),
      optionBytes,
      dials,
    })
    const description = {
      dpidr: 0x5ba0_2477,
      apIdr: 0x7477_0001,
      identity: { cpuid: 0x411f_c270, designer: { bank: 0, id: 0x20 }, part: 0x452 },
      ...{ clockHz: 16_000_000, idcode: 0x1000_6452, vectorsAt: itcmFlashAt },
      dbgmcu: { at: 0xe004_2000, masks: { 4: 0xe7, 8: 0x0660_1dff, 12: 0x0007_0003 } },
      peripherals: [
        new StorageRegion(0x4000_0000, 0x2_3c00, { 0x40023800: 0x83 }),
        new StorageRegion(0x4002_4000, 0x5_c000),
        new StorageRegion(0x5000_0000, 0x6_0c00),
      ],
      rams: [itcm, sram],
      regions: [ram(0, itcm), ram(0x2000_0000, sram), rom(0x1ff0_7a00, information(kib))],
    }
    super(clock, description, controller, dials, options.clock)
  }
}
