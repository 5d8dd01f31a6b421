/** An STM32F0 (ST RM0091), as a target: its description for `TwinStm32`. */
import { blank } from '#core/bytes.ts'
import type { Clock } from '#core/time.ts'
import { ChipClock, ram, rom, StorageRegion } from './twin-arm-bus.ts'
import { factoryOptionBytes, Stm32f1Flash } from './twin-stm32f1-flash.ts'
import { TwinStm32 } from './twin-stm32.ts'
import type { Dials } from './twin.ts'

export interface TwinStm32f0Options {
  readonly clock?: Clock
  readonly dials?: Dials
  /** Default: `STM32F030x4`. */
  readonly chip?: keyof typeof chips
  /** Contents from 0800_0000; the rest is blank. */
  readonly flash?: Uint8Array
  /** 16 bytes; absent: factory values. */
  readonly optionBytes?: Uint8Array
}

/** DBGMCU_IDCODE, and sizes. */
const chips = {
  STM32F030x4: { idcode: 0x1000_0444, kib: 16, pageBytes: 1024, ramKib: 4 },
  STM32F072xB: { idcode: 0x2001_6448, kib: 128, pageBytes: 2048, ramKib: 16 },
} as const

export class TwinStm32f0 extends TwinStm32 {
  constructor(options: TwinStm32f0Options = {}) {
    const { dials = {}, flash = new Uint8Array() } = options
    const { idcode, kib, pageBytes, ramKib } = chips[options.chip ?? 'STM32F030x4']
    const clock = new ChipClock()
    const sram = new Uint8Array(ramKib * 1024)
    const optionBytes = (options.optionBytes ?? openOptionBytes).slice()
    if (dials.locked) optionBytes.set([0x00, 0xff])
    const controller = new Stm32f1Flash({
      clock,
      ...{ of: 'f0', kib, pageBytes },
      content: flash.subarray(0, dials.halfWritten ? flash.length >> 1 : kib * 1024),
      optionBytes,
      dials,
    })
    const description = {
      dpidr: 0x0bb1_1477,
      apIdr: 0x0477_0021,
      identity: { cpuid: 0x410c_c200, designer: { bank: 0, id: 0x20 }, part: idcode & 0xfff },
      ...{ clockHz: 8_000_000, idcode },
      // CR has DBG_STOP and DBG_STANDBY, APB1_FZ and APB2_FZ timers and watchdogs
      dbgmcu: { at: 0x4001_5800, masks: { 4: 6, 8: 0x0020_1d33, 12: 0x0007_0800 } },
      // TIM2 to DBGMCU, which is between them; DMA and RCC, the flash controller, CRC and TSC; the ports
      peripherals: [
        new StorageRegion(0x4000_0000, 0x1_5800),
        new StorageRegion(0x4001_5c00, 0xc400, { 0x40021000: 0x83, 0x40021014: 0x14 }),
        new StorageRegion(0x4002_2400, 0x2000),
        new StorageRegion(0x4800_0000, 0x1800),
      ],
      rams: [sram],
      regions: [ram(0x2000_0000, sram), rom(0x1fff_f7a0, information(kib))],
    }
    super(clock, description, controller, dials, options.clock)
  }
}

const openOptionBytes = factoryOptionBytes.slice()
openOptionBytes.set([0xaa, 0x55])

const uid = [0x21, 0x00, 0x3b, 0x00, 0x0e, 0x51, 0x31, 0x37, 0x34, 0x36, 0x38, 0x31]

/** The unique id at 1FFF_F7AC, and the flash size in KiB at 1FFF_F7CC. */
function information(kib: number): Uint8Array {
  const bytes = blank(0x60)
  bytes.set(uid, 0x0c)
  bytes.set([kib, 0], 0x2c)
  return bytes
}
