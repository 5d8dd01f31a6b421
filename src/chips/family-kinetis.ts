/**
 * NXP Kinetis K and L, as on many a DAPLink. A closed one answers by its own access port alone (MDM-AP), which erases
 * everything, if that was not switched off, and lets others in then; how large it is nobody knows before. Sources: NXP, KL26
 * and K20 Sub-Family Reference Manuals ("SIM", "MDM-AP", FTFA and FTFL); AN4835 (the order of a mass erase, and that it
 * leaves FSEC open); OpenOCD, `kinetis.c`; pyOCD, `target_kinetis.py`.
 */
import { hex } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { Notice, Range } from '#core/programmer.ts'
import {
  Core,
  flashMemory,
  isCore,
  readMaker,
  wordIfAny,
  type ArmChip,
  type ArmFamily,
  type Met,
} from './arm-family.ts'
import { checkCortexM } from './cortex-m-check.ts'
import { checkSecurity } from './kinetis-check.ts'
import { KinetisFlash } from './kinetis-flash.ts'
import { allKinetisKinds, findKinetisPart, kinetisKib, kinetisKind, ramAbove } from './kinetis-parts.ts'
import { readWord, type AccessPorts } from './target-memory.ts'
import { checkWriteProtection } from './write-protection.ts'

const Sim = { Sdid: 0x4004_8024, Fcfg1: 0x4004_804c, Fcfg2: 0x4004_8050, UniqueId: 0x4004_8054 } as const
/** PFLSH: all of it is program flash. */
const onlyProgramFlash = 0x80_0000
/** Erased and programmed: 14 ms for a KiB, 65 µs for a longword. */
const kibibyteMs = 14 + 17
const unknownKind = 'cortex-m:kinetis:unknown'

const sectorsOf = (kib: number, sectorBytes: number): Range[] =>
  Array.from({ length: (kib * 1024) / sectorBytes }, (_, i) => ({
    address: i * sectorBytes,
    length: sectorBytes,
  }))

async function meet(met: Met, ctx: Context): Promise<ArmChip | undefined> {
  if (met.cpuid === undefined) return meetClosed(met, ctx)
  const isL = isCore(met, Core.M0Plus)
  if ((!isL && !isCore(met, Core.M4)) || !(await isKinetis(met, isL, ctx))) return undefined
  const { memory, core } = met
  const sdid = await wordIfAny(met, Sim.Sdid, ctx)
  if (sdid === undefined) return undefined
  const fcfg2 = await readWord(memory, Sim.Fcfg2, ctx)
  const part = findKinetisPart(sdid, (fcfg2 & onlyProgramFlash) === 0)
  if (!part) return undefined
  const kib = kinetisKib(part, await readWord(memory, Sim.Fcfg1, ctx), fcfg2)
  if (kib === 0)
    throw new FlashError('unexpected-answer', { during: 'asking for its flash size', found: String(kib) })
  const flash = new KinetisFlash(memory, core, part, ramAbove(sdid))
  const id = await memory.read(Sim.UniqueId + (isL ? 4 : 0), isL ? 12 : 16, ctx)
  const security = await flash.security(ctx)
  const writeProtected = await flash.writeProtected(kib, ctx)
  const main = flashMemory(memory, {
    ...{ sectors: sectorsOf(kib, part.sectorBytes), kibibyteMs, isLocked: false },
    replace: (sector, bytes, within) => flash.replace(sector, bytes, within),
  })
  return {
    ...{ kind: kinetisKind(part, kib), mayBe: [unknownKind], saidBy: 'SIM_SDID' },
    chip: `${part.name} (${String(kib)} KiB)`,
    facts: [
      { name: 'signature', value: hex(sdid, 8), source: 'SIM_SDID' },
      { name: 'serial', value: uniqueIdOf(id), source: 'SIM_UID' },
      { name: 'flash-security', value: hex(security, 2), source: 'FSEC' },
    ],
    ...{ memories: [main], unreadable: [] },
    get hasChanged() {
      return flash.hasChanged
    },
    check: (wanted, present) => [
      ...checkCortexM({ flash: main, wanted, present }),
      ...checkSecurity(wanted, present),
      ...checkWriteProtection(writeProtected, wanted, present),
    ],
  }
}

/** Highest word first, as NXP numbers them. */
function uniqueIdOf(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.length / 4 }, (_, i) =>
    view
      .getUint32(i * 4, true)
      .toString(16)
      .padStart(8, '0'),
  ).join('')
}

/** Asked before its SIM: others have there what a read changes. Without other access ports, its ROM table says who made it. */
async function isKinetis(met: Met, isL: boolean, ctx: Context): Promise<boolean> {
  const { accessPorts: ports } = met.memory
  try {
    if (ports) return isMdm(await ports.read(mdmPort, Mdm.Idr, ctx))
    if (isL) return true
    const { bank, id } = await readMaker(met, ctx)
    return bank === freescale.bank && id === freescale.id
  } catch (error) {
    if (!isFlashError(error, 'device-refused')) throw error
    return false
  }
}
const freescale = { bank: 0, id: 0x0e } as const

// ---- closed --------------------------------------------------------------------------------------

const mdmPort = 1
const Mdm = { Status: 0x00, Control: 0x04, Idr: 0xfc } as const
/** Without the version: 0 is the K series, 2 has an M0+. */
const isMdm = (idr: number): boolean => (idr & ~0xf0) >>> 0 === 0x001c_0000
const hasM0Plus = (idr: number): boolean => ((idr >>> 4) & 0xf) === 2
const Stat = { Ready: 2, Secured: 4, IsRunning: 8, MassErase: 0x20, Backdoor: 0x40 } as const
const Control = { MassErase: 1, Reset: 8 } as const
const eraseAllMs = 16_000
const holdMs = 1000
const pollMs = 5
/** During a reset it looks secured for a moment. */
const sureAfter = 8

async function meetClosed(met: Met, ctx: Context): Promise<ArmChip | undefined> {
  const { accessPorts: ports } = met.memory
  const idr = (await ports?.read(mdmPort, Mdm.Idr, ctx)) ?? 0
  if (!ports || !isMdm(idr)) return undefined
  const status = await settledStatus(ports, ctx)
  const [mostKib, sectorBytes, leastKib] = hasM0Plus(idr) ? [256, 1024, 8] : [2048, 4096, 32]
  const main = flashMemory(met.memory, {
    ...{ sectors: sectorsOf(mostKib, sectorBytes), kibibyteMs, isLocked: true },
    // it is met anew when it is open, and says then how large it is
    replace: () => Promise.reject(new FlashError('read-protected', { memory: 'flash' })),
  })
  const canErase = (status & Stat.MassErase) !== 0
  const notice: Notice = {
    ...{ code: 'kinetis-secured', level: 'warning' },
    values: { opens: canErase ? 'mass-erase' : (status & Stat.Backdoor) !== 0 ? 'backdoor' : 'nothing' },
  }
  return {
    ...{ kind: unknownKind, mayBe: allKinetisKinds(), saidBy: 'MDM-AP' },
    ...{
      chip: 'Kinetis',
      facts: [{ name: 'flash-security', value: hex(status, 8), source: 'MDM-AP Status' }],
    },
    notices: [notice],
    ...{ memories: [main], unreadable: [{ memory: 'flash', reason: 'read-protected' }] },
    ...(canErase && {
      eraseChip: {
        ...{ erases: ['flash'], lifts: 'read-protection', ms: 500 },
        run: (within: Context) => eraseAll(met, ports, within),
      },
    }),
    // erased it stays halted: blank it would reset itself again and again
    hasChanged: false,
    check: (wanted, present) => [
      ...checkCortexM({
        ...{ flash: main, wanted, present },
        unknownSize: { least: leastKib * 1024, why: 'size-protected' },
      }),
      ...checkSecurity(wanted, present),
    ],
  }
}

/** @throws `device-refused` where it is not secured, and yet cannot be met: without a program it resets itself all the time */
async function settledStatus(ports: AccessPorts, ctx: Context): Promise<number> {
  for (let seen = 0; ;) {
    const status = await ports.read(mdmPort, Mdm.Status, ctx)
    if ((status & Stat.Secured) === 0)
      throw new FlashError('device-refused', { during: 'meeting it', status: `MDM-AP ${hex(status, 8)}` })
    if (++seen >= sureAfter) return status
  }
}

/**
 * While it is held in reset, by its pin or by itself; a K that is closed is held by its pin alone. The core is halted
 * afterwards, before its first instruction.
 * @throws `device-refused` when it cannot be held, or is closed all the same · `timeout`
 */
async function eraseAll(met: Met, ports: AccessPorts, ctx: Context): Promise<void> {
  const control = (bits: number) => ports.write(mdmPort, Mdm.Control, bits, ctx)
  const refuse = (during: string, status: number): never => {
    throw new FlashError('device-refused', { during, status: `MDM-AP ${hex(status, 8)}` })
  }
  await met.reset(true, ctx)
  try {
    await control(Control.Reset)
    const held = await settled(ports, Mdm.Status, isHeldReady, holdMs, ctx)
    if (!isHeldReady(held)) refuse('holding it in reset', held)
    await control(Control.Reset | Control.MassErase)
    const isDone = (bits: number) => (bits & Control.MassErase) === 0
    const left = await settled(ports, Mdm.Control, isDone, eraseAllMs, ctx)
    if (!isDone(left))
      throw new FlashError('timeout', { during: 'erasing everything', timeoutMs: eraseAllMs })
    const status = await ports.read(mdmPort, Mdm.Status, ctx)
    if ((status & Stat.Secured) !== 0) refuse('erasing everything', status)
    await met.core.catchReset(ctx)
  } finally {
    await control(0)
    await met.reset(false, ctx)
  }
  await met.core.halt(ctx)
}

const isHeldReady = (status: number): boolean =>
  (status & (Stat.Ready | Stat.IsRunning | Stat.MassErase)) === (Stat.Ready | Stat.MassErase)

/** What a register holds at last. */
async function settled(
  ports: AccessPorts,
  register: number,
  isIt: (value: number) => boolean,
  timeoutMs: number,
  ctx: Context,
): Promise<number> {
  for (const until = ctx.clock.now() + timeoutMs; ;) {
    const value = await ports.read(mdmPort, register, ctx)
    if (isIt(value) || ctx.clock.now() >= until) return value
    await ctx.sleep(pollMs)
  }
}

export default { meet } satisfies ArmFamily
