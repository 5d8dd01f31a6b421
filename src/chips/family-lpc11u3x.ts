/**
 * LPC11U3x, as on DAPLink boards with an LPC11U35. Its ROM runs first: it starts a flash whose first vectors come to zero, and
 * closes the debug wires where a word at 2FC says so; such a chip answers nobody here. What is asked of it runs in its RAM, so
 * its program is stopped for good: it begins anew when it is let go. Sources: NXP, UM10462, 20.7, 20.8, 20.13.11 (part ids)
 * and 20.14; OpenOCD, `lpc2000.c` (part ids, sizes); Black Magic, `lpc11xx.c` (where these chips have DEVICE_ID, which the
 * manual has at 3F4).
 */
import { hex, hexBytes } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Memory } from '#core/programmer.ts'
import { Core, flashMemory, isCore, wordIfAny, type ArmChip, type ArmFamily, type Met } from './arm-family.ts'
import { checkLpc, crpAt, crpText, hidesLoader } from './lpc-check.ts'
import { Lpc11u3xIap, sectorBytes } from './lpc11u3x-iap.ts'
import { readWord } from './target-memory.ts'

const deviceIdAt = 0x4004_83f8
const parts: Readonly<
  Record<number, { readonly name: string; readonly variant: string; readonly kib: number }>
> = {
  0x3_d440: { name: 'LPC11U34', variant: '/311', kib: 40 },
  0x1_cc40: { name: 'LPC11U34', variant: '/421', kib: 48 },
  0x1_bc40: { name: 'LPC11U35', variant: '/401', kib: 64 },
  0x0_bc40: { name: 'LPC11U35', variant: '/501', kib: 64 },
  0x1_9c40: { name: 'LPC11U36', variant: '/401', kib: 96 },
  0x1_7c40: { name: 'LPC11U37', variant: '/401', kib: 128 },
  0x0_7c44: { name: 'LPC11U37', variant: 'H/401', kib: 128 },
  0x0_7c40: { name: 'LPC11U37', variant: '/501', kib: 128 },
}
/** Of 4 KiB the last 64 bytes are the chip's own. */
const eeprom = { bytes: 4096, pageBytes: 64, own: 64, pageMs: 2.9 } as const
/** An erase of 100 ms for a sector, 1 ms for 256 bytes. */
const kibibyteMs = 25 + 4

async function meet(met: Met, ctx: Context): Promise<ArmChip | undefined> {
  if (!isCore(met, Core.M0)) return undefined
  const part = parts[(await wordIfAny(met, deviceIdAt, ctx)) ?? 0]
  if (!part) return undefined
  const iap = new Lpc11u3xIap(met.memory, met.core)
  const { id, uniqueId, crp } = await identified(met, iap, ctx)
  const flash = flashMemory(met.memory, {
    sectors: Array.from({ length: (part.kib * 1024) / sectorBytes }, (_, i) => ({
      ...{ address: i * sectorBytes, length: sectorBytes },
    })),
    // the first vectors and their checksum
    guard: { address: 0, length: sectorBytes },
    ...{ kibibyteMs, isLocked: false },
    replace: (sector, bytes, within) => iap.replace(sector, bytes, within),
  })
  return {
    kind: `cortex-m:lpc11u3x:${String(part.kib)}`,
    ...{ chip: `${part.name} (${String(part.kib)} KiB)`, saidBy: 'DEVICE_ID' },
    facts: [
      { name: 'lock', value: crpText(crp), source: 'CRP' },
      { name: 'signature', value: `${hex(id, 8)} (${part.name}${part.variant})`, source: 'IAP 54' },
      { name: 'serial', value: hexBytes(uniqueId, '').toUpperCase(), source: 'IAP 58' },
    ],
    notices: hidesLoader(crp) ? [{ code: 'lpc-no-isp', level: 'info' }] : [],
    memories: [flash, eepromMemory(iap)],
    ...{ unreadable: [], hasChanged: true },
    check: (wanted, present) => checkLpc({ flash, eepromBytes: eeprom.bytes - eeprom.own, wanted, present }),
  }
}

/** Its ROM answers, and says the same as its register. */
async function identified({ memory, core }: Met, iap: Lpc11u3xIap, ctx: Context) {
  try {
    await iap.begin(ctx)
    const crp = await readWord(memory, crpAt, ctx)
    const id = await iap.readPartId(ctx)
    if (!(id in parts))
      throw new FlashError('unexpected-answer', { during: 'asking which part it is', found: hex(id, 8) })
    return { crp, id, uniqueId: await iap.readUniqueId(ctx) }
  } catch (error) {
    const forLeaving = new Context({ clock: ctx.clock, log: ctx.log })
    await core.resetAndRun(forLeaving).catch((failure: unknown) => {
      ctx.log(`it was not started again: ${String(failure)}`) // the first error says more
    })
    throw error
  }
}

function eepromMemory(iap: Lpc11u3xIap): Memory {
  const { bytes: length, pageBytes, own, pageMs } = eeprom
  return {
    ...{ id: 'eeprom', address: 0, length, pageBytes, pageMs, write: 'overwrite' },
    reserved: [{ address: length - own, length: own, why: 'never' }],
    read: (range, ctx) => iap.readEeprom(range, ctx),
    program: async (address, bytes, ctx) => {
      for (let at = 0; at < bytes.length; at += pageBytes) {
        ctx.checkpoint()
        await iap.writeEeprom(address + at, bytes.subarray(at, at + pageBytes), ctx)
        ctx.progress.advance(pageBytes, address + at)
      }
    },
  }
}

export default { meet } satisfies ArmFamily
