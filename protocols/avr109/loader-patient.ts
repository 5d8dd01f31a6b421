/**
 * An AVR behind an AVR109 boot loader: flash and EEPROM are read and written, fuses and lock bits read. The loader erases
 * each page before it writes it, and its own section is never written.
 *
 * Its power starts the sketch as soon as the first word of the flash is not blank, so the first page is blanked before all
 * others and written last: a write that was broken off comes back as the loader. Sources: as `packets.ts`; data sheet
 * ATmega16U4/32U4, "Boot Loader Support" and "EEPROM Data Memory" for times.
 */
import { concat, hex, hexBytes } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Check, Contents, Fact, Memory, Notice, Patient, Range } from '#core/programmer.ts'
import { isAbortedWithin } from '#core/time.ts'
import { checkAvr } from '#chips/avr-check.ts'
import { bootSection } from '#chips/avr-fuses.ts'
import { findAvrPart, type AvrPart } from '#chips/avr-parts.ts'
import { exit, MemType, readFuses, readLock, readSignature, setAddress, writeBlock } from './packets.ts'
import type { Session } from './session.ts'

/** Page erase and page write (SPM), 4.5 ms each at most. */
const pageMs = 9
/** Erase and write of one byte. */
const eepromByteMs = 3.4
/** Small enough that a cancel is heard soon. */
const eepromBlock = 32
/** It goes half a second after its answer. */
const leavesMs = 3000

export interface Loader {
  readonly session: Session
  /** `CATERIN 1.0`. */
  readonly name: string
  /** How much it takes at once. */
  readonly blockBytes: number
}

export class LoaderPatient implements Patient {
  readonly kind: string
  readonly chip: string
  readonly notices: readonly Notice[] = []
  readonly unreadable = []
  readonly #loader: Loader
  readonly #part: AvrPart
  /** Low, high, extended. */
  readonly #fuses: Uint8Array
  readonly #boot: Range

  private constructor(loader: Loader, part: AvrPart, fuses: Uint8Array) {
    this.#loader = loader
    this.#part = part
    this.#fuses = fuses
    this.kind = `avr:${hexBytes(Uint8Array.from(part.signature), '')}`
    this.chip = part.name
    const length = Math.max(0, ...(part.bootBytes ?? []))
    this.#boot = bootSection(part, fuses) ?? { address: part.flash.bytes - length, length }
  }

  /** @throws `target-unknown` · `wrong-device` when its pages are not the chip's · `device-silent` */
  static async connect(loader: Loader, ctx: Context): Promise<LoaderPatient> {
    const { session, blockBytes } = loader
    const signature = (await session.patiently(ctx, () => session.ask(readSignature))).slice().reverse()
    const part = findAvrPart(signature)
    if (!part) throw new FlashError('target-unknown', { signature: hexBytes(signature) })
    if (blockBytes !== part.flash.pageBytes)
      throw new FlashError('wrong-device', {
        expected: `${part.name} (${String(part.flash.pageBytes)} B)`,
        found: `${String(blockBytes)} B`,
      })
    return new LoaderPatient(loader, part, await readAllFuses(session, ctx))
  }

  get facts(): readonly Fact[] {
    const { address, length } = this.#boot
    const signature = hexBytes(Uint8Array.from(this.#part.signature))
    return [
      { name: 'chip', value: this.chip },
      { name: 'signature', value: signature, source: 's' },
      { name: 'fuses', value: hexBytes(this.#fuses), source: 'F, N, Q' },
      { name: 'bootloader', value: `${this.#loader.name}, ${hex(address, 4)} (${String(length)} B)` },
    ]
  }

  get memories(): readonly Memory[] {
    const { flash, eeprom } = this.#part
    const common = { address: 0, write: 'overwrite', reserved: [] } as const
    const small = { ...common, pageBytes: 1, pageMs: 0 }
    return [
      {
        ...{ ...common, id: 'flash', length: flash.bytes, pageBytes: flash.pageBytes, pageMs },
        reserved: [{ ...this.#boot, why: 'bootloader' }],
        guard: { address: 0, length: flash.pageBytes },
        read: (range, ctx) => this.#read(MemType.Flash, range, ctx),
        program: (address, bytes, ctx) => this.#programFlash(address, bytes, ctx),
      },
      {
        ...{ ...common, id: 'eeprom', length: eeprom.bytes, pageBytes: eeprom.pageBytes },
        pageMs: eeprom.pageBytes * eepromByteMs,
        read: (range, ctx) => this.#read(MemType.Eeprom, range, ctx),
        program: (address, bytes, ctx) => this.#programEeprom(address, bytes, ctx),
      },
      { ...small, id: 'fuses', length: this.#fuses.length, read: (...to) => this.#readFuses(...to) },
      { ...small, id: 'lock', length: 1, read: (...to) => this.#readLock(...to) },
    ]
  }

  check(wanted: Contents, present: Contents, claimedChip?: string): readonly Check[] {
    const bootBytes = this.#boot.length
    return checkAvr({ part: this.#part, fuses: this.#fuses, wanted, present, claimedChip, bootBytes })
  }

  /** Half a second later. @throws `device-refused` when it stays, as a chip without a sketch does */
  async leave(ctx: Context): Promise<void> {
    const { session } = this.#loader
    await session.patiently(ctx, () => session.tell(exit))
    if (!(await isAbortedWithin(session.link.gone, leavesMs, ctx.clock)))
      throw new FlashError('device-refused', { during: 'starting its sketch', status: 'still there' })
  }

  /** It stays in its boot loader: leaving it would end the job. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve()
  }

  /** Flash is addressed by words. */
  async #read(memory: MemType, { address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const { session, blockBytes } = this.#loader
    const bytes = new Uint8Array(length)
    const end = address + length
    for (let at = address & ~1; at < end; at += blockBytes) {
      const count = Math.min(blockBytes, end + (end & 1) - at)
      const block = await session.patiently(ctx, () =>
        session.read(memory, at, count, setAddress(memory, at)),
      )
      const from = Math.max(at, address)
      const part = block.subarray(from - at, Math.min(count, end - at))
      bytes.set(part, from - address)
      ctx.progress.advance(part.length, from)
    }
    return bytes
  }

  async #programFlash(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const { pageBytes } = this.#part.flash
    if (address % pageBytes !== 0 || bytes.length % pageBytes !== 0)
      throw new FlashError('bug', { during: `programming a part of a page at ${hex(address, 4)}` })
    if (address + bytes.length > this.#boot.address)
      throw new FlashError('write-protected', { memory: 'flash' })
    await this.#program(MemType.Flash, address, bytes, { blockBytes: pageBytes, blockMs: pageMs }, ctx)
  }

  async #programEeprom(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const blocks = { blockBytes: eepromBlock, blockMs: eepromBlock * eepromByteMs }
    await this.#program(MemType.Eeprom, address, bytes, blocks, ctx)
  }

  async #program(
    memory: MemType,
    address: number,
    bytes: Uint8Array,
    { blockBytes, blockMs }: { readonly blockBytes: number; readonly blockMs: number },
    ctx: Context,
  ): Promise<void> {
    const { session } = this.#loader
    for (let at = 0; at < bytes.length; at += blockBytes) {
      const block = bytes.subarray(at, at + blockBytes)
      await session.patiently(ctx, async () => {
        await session.tell(setAddress(memory, address + at))
        await session.tell(writeBlock(memory, block), blockMs)
      })
      ctx.progress.advance(block.length, address + at)
    }
  }

  async #readFuses({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const fuses = await readAllFuses(this.#loader.session, ctx)
    ctx.progress.advance(length, address)
    return fuses.slice(address, address + length)
  }

  async #readLock({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const { session } = this.#loader
    const lock = await session.patiently(ctx, () => session.ask(readLock))
    ctx.progress.advance(length, address)
    return lock
  }
}

async function readAllFuses(session: Session, ctx: Context): Promise<Uint8Array> {
  const fuses: Uint8Array[] = []
  for (const fuse of readFuses) fuses.push(await session.patiently(ctx, () => session.ask(fuse)))
  return concat(...fuses)
}
