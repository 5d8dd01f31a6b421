/**
 * STM32F4 with one bank of flash. Source: ST, RM0090 and RM0368 (memory map, DBGMCU, "Device electronic signature"). Those
 * with two banks are named by `stm32-parts.ts`, and not written.
 */
import { Core, isCore, type ArmFamily } from './arm-family.ts'
import { stm32Family } from './stm32-chip.ts'
import { Stm32f4Flash } from './stm32f4-flash.ts'

export default stm32Family((met) => isCore(met, Core.M4), {
  ids: [0x413, 0x423, 0x433, 0x458, 0x431, 0x441, 0x421, 0x463],
  idcodeAt: 0xe004_2000,
  uniqueIdAt: () => 0x1fff_7a10,
  // DBG_WWDG_STOP and DBG_IWDG_STOP of DBGMCU_APB1_FZ
  watchdogs: { address: 0xe004_2008, bits: 0x1800 },
  // the data sheet's typical second for 128 KiB, and 16 µs for a word
  kibibyteMs: 8 + 4,
  unprotectionMs: 16_000,
  // all but the oldest have SPRMOD
  flashOf: ({ memory, core }, sectors, id) => new Stm32f4Flash(memory, core, sectors, id !== 0x413),
}) satisfies ArmFamily
