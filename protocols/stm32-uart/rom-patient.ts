/**
 * An STM32 through the boot loader in its ROM. Flash is erased and written by whole pages or sectors; option bytes are
 * read, so that a backup has them, and never written: that resets the chip, and may lock it for good.
 *
 * No order of writing can break it: its boot loader is in ROM. A chip that is protected from being read can still be
 * erased as a whole, by lifting that. Sources: as `session.ts` and `chips/stm32-parts.ts`.
 */
import { hex, isBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
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
import { checkCortexM } from '#chips/cortex-m-check.ts'
import { kibibyteMs, sizesText, unprotectionMs } from '#chips/flash-sectors.ts'
import {
  findStm32Part,
  flashStart,
  leastStm32Kib,
  sectorsOf,
  stm32Kind,
  stm32SizesKib,
  unsizedStm32Kind,
  type Stm32Part,
} from '#chips/stm32-parts.ts'
import type { UnknownSize } from '#chips/unknown-size.ts'
import { Command, mostBytes } from './packets.ts'
import { isRefused, type RomSession } from './session.ts'

/** stm32flash waits as long. */
const mostUnprotectionMs = 35_000

/**
 * @throws `target-unknown` when nobody knows how much flash it has
 */
export async function connectRom(session: RomSession, ctx: Context): Promise<RomPatient> {
  const part = findStm32Part(session.id)
  if (!part || (!part.pagesKib && part.sizeAt === undefined))
    throw new FlashError('target-unknown', {
      signature: [hex(session.id, 3), part?.name].filter(Boolean).join(', '),
    })
  const read = (address: number, count: number) =>
    session.patiently(ctx, () => session.read(address, count, ctx))
  if (await session.patiently(ctx, () => isReadProtected(session, ctx)))
    return new RomPatient(session, part, part.mostKib, { isProtected: true, hasOptions: false })
  const kib = await sizeOf(part, read, ctx)
  return new RomPatient(session, part, kib, {
    isProtected: false,
    hasOptions: part.options !== undefined && (await isReadable(part.options, read)),
  })
}

/** A byte that came broken is refused, too: that does not happen twice in a row. */
async function isReadProtected(session: RomSession, ctx: Context): Promise<boolean> {
  for (let refusals = 0; refusals < 2; refusals++)
    try {
      await session.read(flashStart, 4, ctx)
      return false
    } catch (error) {
      if (!isRefused(error, Command.ReadMemory)) throw error
    }
  return true
}

type Read = (address: number, count: number) => Promise<Uint8Array>

/** Copies of a chip may have anything in that word, or nothing. */
async function sizeOf(part: Stm32Part, read: Read, ctx: Context): Promise<number> {
  const { sizeAt, sizeInBlock, mostKib } = part
  if (sizeAt === undefined) return mostKib
  const offset = sizeInBlock ? sizeAt % mostBytes : 0
  try {
    const word = (await read(sizeAt - offset, sizeInBlock ? mostBytes : 2)).subarray(offset)
    const kib = (word[0] ?? 0) | ((word[1] ?? 0) << 8)
    if (kib > 0 && kib <= mostKib) return kib
    ctx.log(`stm32-uart: a flash of ${String(kib)} KiB`)
  } catch (error) {
    if (!isFlashError(error, 'device-refused')) throw error
  }
  return mostKib
}

async function isReadable({ address }: Range, read: Read): Promise<boolean> {
  try {
    await read(address, 4)
    return true
  } catch (error) {
    if (!isFlashError(error, 'device-refused')) throw error
    return false
  }
}

interface State {
  readonly isProtected: boolean
  readonly hasOptions: boolean
}

export class RomPatient implements Patient {
  readonly kind: string
  readonly mayBe: readonly string[]
  readonly chip: string
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  readonly unreadable: readonly Unreadable[]
  readonly memories: readonly Memory[]
  readonly eraseChip?: ChipErase
  readonly #session: RomSession
  readonly #sectors: readonly Range[]
  readonly #flash: Range
  readonly #unknownSize: UnknownSize | undefined

  constructor(session: RomSession, part: Stm32Part, kib: number, { isProtected, hasOptions }: State) {
    this.#session = session
    this.#sectors = session.canErase ? sectorsOf(part, kib) : []
    this.#flash = { address: flashStart, length: kib * 1024 }
    // a protected one does not say how much it has: as much as any with its id, until it is open
    const unsized = unsizedStm32Kind(part)
    this.kind = isProtected ? unsized : stm32Kind(part, kib)
    this.mayBe = isProtected ? stm32SizesKib(part).map((size) => stm32Kind(part, size)) : [unsized]
    this.#unknownSize = isProtected ? { least: leastStm32Kib * 1024, why: 'size-protected' } : undefined
    this.chip = isProtected ? part.name : `${part.name} (${String(kib)} KiB)`
    const isWritable = this.#sectors.length > 0
    this.facts = [
      { name: 'chip', value: this.chip },
      { name: 'signature', value: hex(part.id, 3), source: 'Get ID' },
      ...(isWritable ? [{ name: 'sectors', value: sizesText(this.#sectors) } as const] : []),
    ]
    this.notices = isWritable ? [] : [{ code: 'pages-unknown', level: 'warning' }]
    this.unreadable = isProtected ? [{ memory: 'flash', reason: 'read-protected' }] : []
    if (isProtected) this.eraseChip = this.#unprotection
    this.memories = [
      this.#flashMemory(isProtected),
      ...(hasOptions && part.options ? [this.#optionBytes(part.options)] : []),
    ]
  }

  check(wanted: Contents, present: Contents, claimedChip?: string): readonly Check[] {
    const isSized = this.#unknownSize && claimedChip?.startsWith(`${this.chip} (`)
    const values = { expected: this.chip, found: claimedChip ?? '' }
    const ofChip: readonly Check[] = isSized ? [{ code: 'chip-matches', result: 'passed', values }] : []
    const flash = this.#flash
    return [...ofChip, ...checkCortexM({ flash, wanted, present, unknownSize: this.#unknownSize })]
  }

  /** It stays in its boot loader, as long as its pins say so. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve()
  }

  leave(ctx: Context): Promise<void> {
    return this.#session.go(flashStart, ctx)
  }

  /** It erases everything, and starts anew: in step again by another opening. Source: AN3155, "Readout Unprotect". */
  get #unprotection(): ChipErase {
    const session = this.#session
    const { vendorId, productId } = session.link.seen
    const as = vendorId === undefined || productId === undefined ? [] : [{ vendorId, productId }]
    return {
      erases: ['flash'],
      lifts: 'read-protection',
      ms: unprotectionMs,
      restarts: { link: 'serial', as, stays: true },
      run: (ctx) => session.unprotect(mostUnprotectionMs, ctx),
    }
  }

  #flashMemory(isProtected: boolean): Memory {
    const pageBytes = Math.min(...this.#sectors.map(({ length }) => length), this.#flash.length)
    return {
      id: 'flash',
      ...this.#flash,
      pageBytes,
      ...(this.#sectors.length > 0 && { sectors: this.#sectors }),
      pageMs: (pageBytes / 1024) * kibibyteMs,
      write: 'overwrite',
      reserved: [],
      ...(isProtected ? { locked: true } : { read: (range: Range, ctx: Context) => this.#read(range, ctx) }),
      ...(this.#sectors.length > 0 && {
        program: (address: number, bytes: Uint8Array, ctx: Context) => this.#program(address, bytes, ctx),
      }),
    }
  }

  #optionBytes(range: Range): Memory {
    return {
      id: 'options',
      ...{ ...range, pageBytes: range.length, pageMs: 0, write: 'overwrite', reserved: [] },
      read: (part, ctx) => this.#read(part, ctx),
    }
  }

  async #read({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const session = this.#session
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += mostBytes) {
      ctx.checkpoint()
      const count = Math.min(mostBytes, length - at)
      bytes.set(await session.patiently(ctx, () => session.read(address + at, count, ctx)), at)
      ctx.progress.advance(count, address + at)
    }
    return bytes
  }

  /** Whole pages: each erased, then written where it is not to be blank. */
  async #program(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      ctx.checkpoint()
      const number = this.#sectors.findIndex((one) => one.address === address + at)
      const { length = 0 } = this.#sectors[number] ?? {}
      if (length === 0 || at + length > bytes.length)
        throw new FlashError('bug', { during: `programming a part of a page at ${hex(address + at, 8)}` })
      await this.#writePage(number, bytes.subarray(at, at + length), ctx)
      at += length
    }
  }

  /** Begun anew from its erase when an answer is lost: nobody knows what the ROM has made of the bytes before. */
  async #writePage(number: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const session = this.#session
    const { address = 0 } = this.#sectors[number] ?? {}
    let told = 0
    await session.patiently(ctx, async () => {
      await session.erase(number, ctx)
      for (let at = 0; at < bytes.length; at += mostBytes) {
        const block = bytes.subarray(at, at + mostBytes)
        if (!isBlank(block)) await session.write(address + at, block, ctx)
        const done = at + block.length
        if (done > told) ctx.progress.advance(done - told, address + at)
        told = Math.max(told, done)
      }
    })
  }
}
