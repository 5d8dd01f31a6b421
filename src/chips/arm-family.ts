/**
 * What `arm-target.ts` is told of a family of chips, each in a file of its own, `family-….ts`, which nobody lists: whether
 * this is one of them, and then its memories and what is special about them.
 */
import { hex } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { isFlashError } from '#core/errors.ts'
import type {
  Check,
  ChipErase,
  Contents,
  Fact,
  Memory,
  Notice,
  Patient,
  Range,
  Unreadable,
} from '#core/programmer.ts'
import type { CortexM } from './cortex-m.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

/** A chip that answers and is not known yet. */
export interface Met {
  readonly memory: TargetMemory
  readonly core: CortexM
  /** Undefined: what is behind its debug port is closed to debuggers. */
  readonly cpuid: number | undefined
  /** Drives nRESET low, or lets it go; not everybody wires it. */
  reset(asserted: boolean, ctx: Context): Promise<void>
}

/** src/chips/family-x.ts, default export. */
export interface ArmFamily {
  /** It may be running, so it is only read from. Undefined: it is none of these. */
  meet(met: Met, ctx: Context): Promise<ArmChip | undefined>
}

export interface ArmChip extends Pick<Patient, 'kind' | 'chip' | 'mayBe'> {
  /** Where it says which chip it is, in the field's words. */
  readonly saidBy: string
  /** Besides what every Arm chip says of itself. */
  readonly facts: readonly Fact[]
  readonly notices?: readonly Notice[]
  readonly memories: readonly Memory[]
  readonly unreadable: readonly Unreadable[]
  readonly eraseChip?: ChipErase
  /** Bits of a register that let its watchdogs stand still while its core does. */
  readonly watchdogs?: { readonly address: number; readonly bits: number }
  /** Whether anything of it was changed, its RAM included: it begins anew when it is let go. */
  readonly hasChanged: boolean
  check(wanted: Contents, present: Contents, claimedChip?: string): readonly Check[]
}

/** Bits 15:4 of CPUID. */
export const Core = { M0: 0xc20, M0Plus: 0xc60, M3: 0xc23, M4: 0xc24, M7: 0xc27 } as const
export const isCore = ({ cpuid }: Met, part: number): boolean =>
  cpuid !== undefined && ((cpuid >>> 4) & 0xfff) === part

/** Of an address where only some chips have anything; undefined: this one has nothing there. */
export async function wordIfAny(
  { memory }: Pick<Met, 'memory'>,
  address: number,
  ctx: Context,
): Promise<number | undefined> {
  try {
    return await readWord(memory, address, ctx)
  } catch (error) {
    if (!isFlashError(error, 'device-refused')) throw error
    ctx.log(`nothing at ${hex(address, 8)}`)
    return undefined
  }
}

/** PIDR4, and PIDR0 to PIDR2. */
const romTableIds = [0xe00f_ffd0, 0xe00f_ffe0, 0xe00f_ffe4, 0xe00f_ffe8] as const

/** Who made it, and as what, by the ids of its ROM table (ADIv5.2, D1.2): JEP106 bank and number, and its part. */
export interface Maker {
  readonly bank: number
  readonly id: number
  readonly part: number
}

export async function readMaker({ memory }: Met, ctx: Context): Promise<Maker> {
  const ids: number[] = []
  // word by word: a report without contents keeps single ones
  for (const at of romTableIds) ids.push((await readWord(memory, at, ctx)) & 0xff)
  const [bank = 0, part0 = 0, part1 = 0, part2 = 0] = ids
  return { bank: bank & 0xf, id: (part1 >> 4) | ((part2 & 7) << 4), part: part0 | ((part1 & 0xf) << 8) }
}

/** At once; what comes is told in between. */
const readBytes = 4096

/** Whole words, whatever is asked for. */
export async function readTold(
  memory: TargetMemory,
  { address, length }: Range,
  ctx: Context,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += readBytes) {
    ctx.checkpoint()
    const count = Math.min(readBytes, length - at)
    const from = (address + at) & ~3
    const words = await memory.read(from >>> 0, (((address + at + count + 3) & ~3) - from) >>> 0, ctx)
    bytes.set(words.subarray(address + at - from, address + at - from + count), at)
    ctx.progress.advance(count, address + at)
  }
  return bytes
}

/** What replaces a whole sector: erased, and programmed where it is not to be blank; now, or until `settle` is through. */
export type Replace = (sector: Range, bytes: Uint8Array, ctx: Context) => Promise<void>

export interface FlashOptions {
  /** All of them, in order. */
  readonly sectors: readonly Range[]
  /** What a KiB takes, erased and programmed. */
  readonly kibibyteMs: number
  /** Read protection: neither read nor written. */
  readonly isLocked: boolean
  readonly reserved?: Memory['reserved']
  readonly guard?: Range
  readonly replace: Replace
  /** Waits until all that was begun is done. It is quicker the more there is at once. */
  readonly settle?: ((ctx: Context) => Promise<void>) | undefined
}

/** A cancel is heard in between all the same, and what goes wrong on the wire is done again from there. */
const settledBytes = 0x8000

export function flashMemory(memory: TargetMemory, options: FlashOptions): Memory {
  const { sectors, kibibyteMs, isLocked, reserved = [], guard, settle } = options
  const address = sectors[0]?.address ?? 0
  const length = sectors.reduce((sum, one) => sum + one.length, 0)
  const pageBytes = Math.min(...sectors.map((one) => one.length))
  const isEven = sectors.every((one) => one.length === pageBytes)
  return {
    ...{ id: 'flash', address, length, pageBytes, ...(isEven ? {} : { sectors }) },
    ...{ write: 'overwrite', reserved, pageMs: (pageBytes / 1024) * kibibyteMs, ...(guard && { guard }) },
    ...(isLocked ? { locked: true as const } : { read: (range, ctx) => readTold(memory, range, ctx) }),
    ...(settle && { atOnceBytes: settledBytes }),
    program: async (from, bytes, ctx) => {
      try {
        await replaceAll(options, from, bytes, ctx)
      } catch (error) {
        await settle?.(new Context({ clock: ctx.clock, log: ctx.log })).catch((failure: unknown) => {
          ctx.log(`nor did what was begun end: ${String(failure)}`) // the first error says more
        })
        throw error
      }
      await settle?.(ctx)
    },
  }
}

async function replaceAll(
  { sectors, replace }: FlashOptions,
  from: number,
  bytes: Uint8Array,
  ctx: Context,
): Promise<void> {
  for (const sector of sectors) {
    if (sector.address < from || sector.address >= from + bytes.length) continue
    ctx.checkpoint()
    const at = sector.address - from
    await replace(sector, bytes.subarray(at, at + sector.length), ctx)
    ctx.progress.advance(sector.length, sector.address)
  }
}

/** Small memories that are read, so that a backup has them, and not written. */
export const keptMemory = (memory: TargetMemory, { address, length }: Range): Memory => ({
  ...{ id: 'options', address, length, pageBytes: length, write: 'overwrite', reserved: [], pageMs: 0 },
  read: (range, ctx) => readTold(memory, range, ctx),
})
