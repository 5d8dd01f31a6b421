/**
 * STM32F0. Source: ST, RM0091 and RM0360 (memory map, DBGMCU, "Device electronic signature"). At protection level 2 its
 * wires are dead, and nothing is met.
 */
import { Core, isCore, type ArmFamily } from './arm-family.ts'
import { FpecFlash } from './fpec-flash.ts'
import { stm32Family } from './stm32-chip.ts'

export default stm32Family((met) => isCore(met, Core.M0), {
  ids: [0x440, 0x442, 0x444, 0x445, 0x448],
  idcodeAt: 0x4001_5800,
  uniqueIdAt: () => 0x1fff_f7ac,
  // DBG_WWDG_STOP and DBG_IWDG_STOP of DBGMCU_APB1_FZ
  watchdogs: { address: 0x4001_5808, bits: 0x1800 },
  // the data sheet's 30 ms for a page of 1 or 2 KiB, 53.5 µs for a halfword
  kibibyteMs: 30 + 27,
  unprotectionMs: 100,
  flashOf: ({ memory, core }, pages) => new FpecFlash(memory, core, pages, 'f0'),
}) satisfies ArmFamily
