/**
 * What STM32s of all families have in common as patients: which one it is, how large, its unique id, sectors that option
 * bytes protect, and read protection, whose lifting erases everything. Sources: ST, the reference manuals of the families
 * ("Device electronic signature", "Debug support"); where each is, its family says.
 */
import { hexBytes } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Check, ChipErase, Contents, Fact, Memory, Notice, Range } from '#core/programmer.ts'
import {
  flashMemory,
  keptMemory,
  wordIfAny,
  type ArmChip,
  type ArmFamily,
  type Met,
  type Replace,
} from './arm-family.ts'
import { checkCortexM } from './cortex-m-check.ts'
import { findStm32Part, flashStart, sectorsOf, stm32Kind, type Stm32Part } from './stm32-parts.ts'
import { readWord } from './target-memory.ts'
import { checkWriteProtection } from './write-protection.ts'

/** A family's flash behind its controller. */
export interface Stm32Flash {
  /** Whether anything of the chip was changed, its RAM included. */
  readonly hasChanged: boolean
  isReadProtected(ctx: Context): Promise<boolean>
  /** Sectors that are never written, whoever asks, until its option bytes are changed. */
  writeProtected(sectors: readonly Range[], ctx: Context): Promise<Range[]>
  replace: Replace
  settle?(ctx: Context): Promise<void>
  /** It erases all of the flash. The core is halted afterwards. */
  liftReadProtection(ctx: Context): Promise<void>
}

export interface Stm32Family {
  /** Device ids of DBGMCU_IDCODE. */
  readonly ids: readonly number[]
  readonly idcodeAt: number
  /** By its device id. */
  uniqueIdAt(id: number): number
  readonly watchdogs: NonNullable<ArmChip['watchdogs']>
  /** Erased and programmed, typical. */
  readonly kibibyteMs: number
  readonly unprotectionMs: number
  /** `id`: its device id. */
  flashOf(met: Met, sectors: readonly Range[], id: number): Stm32Flash
  /** What it is more exactly. `kib`: as it says itself. */
  look?(met: Met, idcode: number, kib: number, ctx: Context): Promise<Closer | undefined>
}

/** What a second look at a chip adds. */
export interface Closer {
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  /** What it is taken for where it says no size. */
  readonly assumedKib?: number
  /** It may say more than is good of it: so much is sure. */
  readonly sureKib?: number
}

const uniqueIdBytes = 12

/** Of those whose core is one of these: others have something else where the id is. */
export const stm32Family = (isIt: (met: Met) => boolean, family: Stm32Family): ArmFamily => ({
  async meet(met, ctx) {
    if (!isIt(met)) return undefined
    const idcode = await wordIfAny(met, family.idcodeAt, ctx)
    if (idcode === undefined || !family.ids.includes(idcode & 0xfff)) return undefined
    const part = findStm32Part(idcode & 0xfff)
    return part && Stm32Chip.meet(met, family, part, idcode, ctx)
  },
})

interface Known {
  readonly family: Stm32Family
  readonly part: Stm32Part
  readonly kib: number
  readonly flash: Stm32Flash
  readonly isProtected: boolean
  readonly writeProtected: readonly Range[]
  readonly closer: Closer | undefined
}

class Stm32Chip implements ArmChip {
  readonly kind: string
  readonly chip: string
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  readonly memories: readonly Memory[]
  readonly unreadable: ArmChip['unreadable']
  readonly eraseChip?: ChipErase
  readonly saidBy = 'DBGMCU_IDCODE'
  readonly watchdogs: Stm32Family['watchdogs']
  readonly #known: Known

  private constructor(met: Met, known: Known, facts: readonly Fact[]) {
    const { family, part, kib, flash, isProtected } = known
    this.#known = known
    this.kind = stm32Kind(part, kib)
    this.chip = `${part.name} (${String(kib)} KiB)`
    this.facts = facts
    this.notices = known.closer?.notices ?? []
    this.watchdogs = family.watchdogs
    const main = flashMemory(met.memory, {
      ...{ sectors: sectorsOf(part, kib), kibibyteMs: family.kibibyteMs, isLocked: isProtected },
      replace: (sector, bytes, ctx) => flash.replace(sector, bytes, ctx),
      settle: flash.settle && ((ctx) => flash.settle?.(ctx) ?? Promise.resolve()),
    })
    const options = part.options && !isProtected ? [keptMemory(met.memory, part.options)] : []
    this.memories = [main, ...options]
    this.unreadable = isProtected ? [{ memory: 'flash', reason: 'read-protected' }] : []
    if (isProtected)
      this.eraseChip = {
        ...{ erases: ['flash'], lifts: 'read-protection', ms: family.unprotectionMs },
        run: (ctx) => flash.liftReadProtection(ctx),
      }
  }

  static async meet(
    met: Met,
    family: Stm32Family,
    part: Stm32Part,
    idcode: number,
    ctx: Context,
  ): Promise<Stm32Chip | undefined> {
    if (part.sizeAt === undefined || part.pagesKib === undefined) return undefined
    const { memory } = met
    const said = await readSize(met, part.sizeAt, ctx)
    const closer = await family.look?.(met, idcode, said, ctx)
    const kib = closer?.assumedKib ?? said
    if (kib === 0 || kib > part.mostKib)
      throw new FlashError('unexpected-answer', { during: 'asking for its flash size', found: String(kib) })
    const uniqueId = hexBytes(await memory.read(family.uniqueIdAt(part.id), uniqueIdBytes, ctx), '')
    const sectors = sectorsOf(part, kib)
    const flash = family.flashOf(met, sectors, part.id)
    const isProtected = await flash.isReadProtected(ctx)
    const writeProtected = await flash.writeProtected(sectors, ctx)
    return new Stm32Chip(met, { family, part, kib, flash, isProtected, writeProtected, closer }, [
      { name: 'serial', value: uniqueId, source: 'U_ID' },
      ...(closer?.facts ?? []),
    ])
  }

  get hasChanged(): boolean {
    return this.#known.flash.hasChanged
  }

  check(wanted: Contents, present: Contents): readonly Check[] {
    const { kib, writeProtected, isProtected, closer } = this.#known
    const flash = { address: flashStart, length: kib * 1024 }
    const least = (closer?.sureKib ?? kib) * 1024
    const isBeyond = (wanted.get('flash') ?? []).some(
      ({ address, bytes }) => address + bytes.length > flashStart + least,
    )
    const unknownSize =
      isBeyond && least < flash.length ? ({ least, why: 'size-claimed' } as const) : undefined
    const checks = checkCortexM({ flash, wanted, present, unknownSize })
    // lifting the read protection takes this one away, too
    return isProtected ? checks : [...checks, ...checkWriteProtection(writeProtected, wanted, present)]
  }
}

/** 16 bits, which need not begin a word. */
async function readSize({ memory }: Met, at: number, ctx: Context): Promise<number> {
  const word = await readWord(memory, (at & ~3) >>> 0, ctx)
  return (word >>> ((at & 2) * 8)) & 0xffff
}
