/**
 * STM32F7 with one bank of flash: F74x and F75x, F72x and F73x, of which an ST-Link V3 has one. Sources: ST, RM0385 and
 * RM0431 (memory map, DBGMCU, "Device electronic signature").
 */
import { Core, isCore, type ArmFamily } from './arm-family.ts'
import { stm32Family } from './stm32-chip.ts'
import { Stm32f4Flash } from './stm32f4-flash.ts'

export default stm32Family((met) => isCore(met, Core.M7), {
  ids: [0x449, 0x452],
  idcodeAt: 0xe004_2000,
  uniqueIdAt: (id) => (id === 0x452 ? 0x1ff0_7a10 : 0x1ff0_f420),
  // DBG_WWDG_STOP and DBG_IWDG_STOP of DBGMCU_APB1_FZ
  watchdogs: { address: 0xe004_2008, bits: 0x1800 },
  // the data sheet's typical second for 128 KiB, and 16 µs for a word
  kibibyteMs: 8 + 4,
  unprotectionMs: 16_000,
  flashOf: ({ memory, core }, sectors) => new Stm32f4Flash(memory, core, sectors),
}) satisfies ArmFamily
