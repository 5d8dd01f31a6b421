/**
 * STM32F1 and those that are made to replace it. Sources: ST, RM0008 (memory map, DBGMCU, "Device electronic signature"),
 * PM0075.
 */
import { Core, isCore, type ArmFamily } from './arm-family.ts'
import { lookAtMaker } from './f103-makers.ts'
import { FpecFlash } from './fpec-flash.ts'
import { stm32Family } from './stm32-chip.ts'

export default stm32Family((met) => isCore(met, Core.M3), {
  ids: [0x410, 0x412, 0x414, 0x418, 0x420, 0x428],
  idcodeAt: 0xe004_2000,
  uniqueIdAt: () => 0x1fff_f7e8,
  // DBG_IWDG_STOP and DBG_WWDG_STOP of DBGMCU_CR
  watchdogs: { address: 0xe004_2004, bits: 0x300 },
  // PM0075: an erase, and 512 halfwords, typical
  kibibyteMs: 20 + 27,
  unprotectionMs: 100,
  look: lookAtMaker,
  flashOf: ({ memory, core }, pages) => new FpecFlash(memory, core, pages, 'f1'),
}) satisfies ArmFamily
