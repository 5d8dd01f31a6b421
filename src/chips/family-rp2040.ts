/**
 * RP2040, as on a Debug Probe, by its core 0. Its ROM cannot be written, so no write can break it; as in BOOTSEL mode its first
 * sector is written last. What it holds is read through functions of its ROM, for which its program has to be stopped for
 * good: it begins anew when it is let go. Sources: RP2040 data sheet, 2.3.4 (SWD), 2.20 (SYSINFO), 2.8.1 (what it starts).
 */
import { hexBytes } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import { Core, flashMemory, isCore, wordIfAny, type ArmChip, type ArmFamily, type Met } from './arm-family.ts'
import { checkRp2 } from './rp2-check.ts'
import { chips, flashAddress, sectorBytes } from './rp2-chips.ts'
import { Rp2040Flash } from './rp2040-flash.ts'

const chipIdAt = 0x4000_0000
/** Part and manufacturer; the revision is above. */
const rp2040 = 0x2927
const kibibyteMs = 15

async function meet(met: Met, ctx: Context): Promise<ArmChip | undefined> {
  if (!isCore(met, Core.M0Plus)) return undefined
  const id = await wordIfAny(met, chipIdAt, ctx)
  const chip = chips.find(({ name }) => name === 'RP2040')
  if (!chip || id === undefined || (id & 0x0fff_ffff) !== rp2040) return undefined
  const { memory, core } = met
  const flash = new Rp2040Flash(memory, core)
  if (!(await flash.findFunctions(ctx)))
    throw new FlashError('device-refused', { during: 'looking for its ROM', status: 'no table' })
  const { bytes, uniqueId } = await identified(met, flash, ctx)
  const main = flashMemory(memory, {
    sectors: Array.from({ length: bytes / sectorBytes }, (_, i) => ({
      ...{ address: flashAddress + i * sectorBytes, length: sectorBytes },
    })),
    guard: { address: flashAddress, length: sectorBytes },
    ...{ kibibyteMs, isLocked: false },
    replace: (sector, content, within) => flash.replace(sector, content, within),
  })
  const kind = 'cortex-m:rp2040'
  return {
    ...{ kind: `${kind}:${String(bytes / 1024)}`, mayBe: [`${kind}:unknown`], saidBy: 'CHIP_ID, RDID' },
    chip: `RP2040 (${String(bytes / 1024)} KiB)`,
    facts: [
      { name: 'signature', value: `B${String(id >>> 28)}`, source: 'CHIP_ID' },
      { name: 'serial', value: hexBytes(uniqueId, '').toUpperCase(), source: 'RUID' },
    ],
    ...{ memories: [main], unreadable: [], hasChanged: true },
    check: (wanted, present, claimedChip) => checkRp2({ chip, flash: main, wanted, present, claimedChip }),
  }
}

/** From its reset on, so that nothing of its program is in the way. */
async function identified({ core }: Met, flash: Rp2040Flash, ctx: Context) {
  await core.resetAndHalt(ctx)
  try {
    return await flash.identify(ctx)
  } catch (error) {
    const forLeaving = new Context({ clock: ctx.clock, log: ctx.log })
    await core.resetAndRun(forLeaving).catch((failure: unknown) => {
      ctx.log(`it was not started again: ${String(failure)}`) // the first error says more
    })
    throw error
  }
}

export default { meet } satisfies ArmFamily
