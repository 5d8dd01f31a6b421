/**
 * An AVR that is flashed by its own boot loader: optiboot or ATmegaBOOT.
 *
 * The loader waits for a second and then starts the application, so every operation first makes sure that it
 * is still there and resets the board again if it is not. It never sees memory type `E` unless it is
 * ATmegaBOOT: optiboot up to 5 writes EEPROM pages into the flash, later ones hang. Sources: `optiboot.c`,
 * `ATmegaBOOT_168.c`; data sheet ATmega328P, "Self-Programming the Flash" and "EEPROM Data Memory" for times.
 */
import { concat, equal, hex, hexBytes } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError, isAnswerLost } from '#core/errors.ts'
import { Progress } from '#core/progress.ts'
import type {
  Check,
  Contents,
  Fact,
  Memory,
  MemoryId,
  Notice,
  Patient,
  Range,
  Unreadable,
} from '#core/programmer.ts'
import { checkAvr } from '#chips/avr-check.ts'
import { findAvrPart, type AvrPart } from '#chips/avr-parts.ts'
import type { Answering } from './find-board.ts'
import { bootSizes, findLoader } from './loaders.ts'
import { leaveProgmode, MemType, progPage, readPage, readSign, seek, type Request } from './packets.ts'
import { mostTries, patiently, type Session } from './session.ts'

/** The shortest window of common builds is 500 ms; beyond this silence the loader may have gone. */
const windowMs = 400
/** The loader answers 375 ms after its first instruction at the latest, ATmegaBOOT of the NG after 600. */
const answerMs = 1000
/** Erasing and writing a page: at most 4.5 ms each (SPM programming time). */
const pageMs = 9
/** Erase and write in one operation (EEPM 00). */
const eepromByteMs = 3.4
/** Chips that ATmegaBOOT was built for with EEPROM commands that count in words, as the others do. */
const eepromChips = ['ATmega168', 'ATmega328', 'ATmega328P', 'ATmega1280']
/** Small enough that a cancel is heard soon. */
const eepromBlock = 32

/**
 * Finds the chip and its boot section, and resets the board before unless the loader has just answered.
 * @throws `device-silent`, `target-unknown`.
 */
export async function connectLoader(session: Session, loader: Answering, ctx: Context): Promise<Patient> {
  const signature = await enterLoader(session, loader, ctx)
  const part = findAvrPart(signature)
  if (!part) throw new FlashError('target-unknown', { signature: hexBytes(signature) })
  const patient = new LoaderPatient(session, loader, part)
  await patient.look(ctx)
  return patient
}

/** Gives the signature. A loader that has just answered is still there; any other is woken by a reset. */
async function enterLoader(session: Session, { baud }: Answering, ctx: Context): Promise<Uint8Array> {
  const { link } = session
  let lost: unknown
  for (let i = 0; i < mostTries; i++) {
    ctx.checkpoint()
    if (session.silentFor(ctx) >= windowMs) {
      if (link.baud !== baud) await link.setBaud(baud)
      await session.reset(ctx)
      if (!(await session.synchronise(answerMs, ctx))) continue
      await session.settle(ctx)
    }
    try {
      return (await session.ask([readSign], ctx))[0]
    } catch (error) {
      if (!isAnswerLost(error)) throw error
      ctx.log(`stk500 READ_SIGN failed: ${String(error)}`)
      lost = error
    }
  }
  throw lost ?? new FlashError('device-silent', { tried: [`reset and GET_SYNC at ${String(baud)} baud`] })
}

class LoaderPatient implements Patient {
  readonly kind: string
  readonly chip: string
  get notices(): readonly Notice[] {
    const values = this.#hasEeprom ? { values: { eeprom: 'yes' } } : {}
    return [{ code: 'bootloader-no-fuses', level: 'info', ...values }]
  }
  readonly #session: Session
  readonly #loader: Answering
  readonly #part: AvrPart
  readonly #signature: Uint8Array
  #section: Range = { address: 0, length: 0 }
  #context = new Context()

  constructor(session: Session, loader: Answering, part: AvrPart) {
    this.#session = session
    this.#loader = loader
    this.#part = part
    this.#signature = Uint8Array.from(part.signature)
    this.kind = `avr:${hexBytes(this.#signature, '')}`
    this.chip = part.name
  }

  /** Finds the boot section; when nothing known is in it, it is taken for the largest possible one. */
  async look(ctx: Context): Promise<void> {
    this.#context = ctx
    const end = this.#part.flash.bytes
    const quiet = ctx.under(Progress.silent())
    let top: Uint8Array = new Uint8Array()
    for (const length of bootSizes(this.#part)) {
      const address = end - length
      top = concat(await this.#readFlash({ address, length: length - top.length }, quiet), top)
      const found = findLoader(top, address, this.#part)
      this.#section = found ? { address: found.start, length: end - found.start } : { address, length }
      if (found) return
    }
  }

  get facts(): readonly Fact[] {
    const { name, version } = this.#loader.speaker
    const section = `${hex(this.#section.address, 4)} (${String(this.#section.length)} B)`
    return [
      { name: 'chip', value: this.chip },
      { name: 'signature', value: hexBytes(this.#signature), source: 'READ_SIGN' },
      { name: 'bootloader', value: [name ?? 'STK500v1', version, section].filter(Boolean).join(' ') },
    ]
  }

  get unreadable(): readonly Unreadable[] {
    const memories: readonly MemoryId[] = ['fuses', 'lock', ...(this.#hasEeprom ? [] : ['eeprom' as const])]
    return memories.map((memory) => ({ memory, reason: 'not-through-this-way' }))
  }

  get memories(): readonly Memory[] {
    const { flash, eeprom } = this.#part
    const always = { address: 0, write: 'overwrite', reserved: [] } as const
    return [
      {
        ...always,
        id: 'flash',
        length: flash.bytes,
        pageBytes: flash.pageBytes,
        pageMs,
        reserved: [{ ...this.#section, why: 'bootloader' }],
        read: (range, ctx) => this.#readFlash(range, ctx),
        program: (address, bytes, ctx) => this.#programFlash(address, bytes, ctx),
      },
      ...(this.#hasEeprom
        ? [
            {
              ...always,
              id: 'eeprom' as const,
              length: eeprom.bytes,
              pageBytes: eeprom.pageBytes,
              pageMs: eeprom.pageBytes * eepromByteMs,
              read: (range: Range, ctx: Context) => this.#read(MemType.Eeprom, range, ctx),
              program: (address: number, bytes: Uint8Array, ctx: Context) =>
                this.#programEeprom(address, bytes, ctx),
            },
          ]
        : []),
      {
        ...always,
        id: 'signature',
        length: this.#signature.length,
        pageBytes: 1,
        pageMs: 0,
        read: (range, ctx) => this.#readSignature(range, ctx),
      },
    ]
  }

  check(wanted: Contents, present: Contents, claimedChip?: string): readonly Check[] {
    return checkAvr({ part: this.#part, wanted, present, claimedChip, bootBytes: this.#section.length })
  }

  /** Starts the application at once; a loader that is not there any more has done so itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, log } = this.#context
    const ctx = new Context({ clock, log })
    if (this.#session.silentFor(ctx) > windowMs) return
    try {
      await this.#session.ask([leaveProgmode], ctx)
    } catch (error) {
      log(`stk500 LEAVE_PROGMODE failed: ${String(error)}`) // whatever went wrong before matters more
    }
    this.#session.lose()
  }

  /** Only ATmegaBOOT surely reads and writes EEPROM; its sources for these chips do. */
  get #hasEeprom(): boolean {
    return this.#loader.speaker.name === 'ATmegaBOOT' && eepromChips.includes(this.chip)
  }

  async #readFlash(range: Range, ctx: Context): Promise<Uint8Array> {
    return this.#read(MemType.Flash, range, ctx)
  }

  async #read(memType: MemType, { address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    const blockBytes = this.#part.flash.pageBytes
    // LOAD_ADDRESS counts in words
    for (let at = address - (address % 2); at < address + length; at += blockBytes) {
      const count = Math.min(blockBytes, address + length - at)
      const request = readPage(memType, count)
      const block = await this.#patiently(ctx, () => this.#session.askAfter(this.#seek(at), request, ctx))
      const skip = Math.max(0, address - at)
      bytes.set(block.subarray(skip), at + skip - address)
      ctx.progress.advance(count - skip, at + skip)
    }
    return bytes
  }

  /** Whole pages only: optiboot 4.4 fills what is missing of one with what it has in RAM. */
  async #programFlash(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const { pageBytes } = this.#part.flash
    if (address % pageBytes !== 0 || bytes.length % pageBytes !== 0)
      throw new FlashError('bug', { during: `programming a part of a page at ${hex(address, 4)}` })
    if (address + bytes.length > this.#section.address)
      throw new FlashError('write-protected', { memory: 'flash' })
    for (let at = 0; at < bytes.length; at += pageBytes) {
      const page = bytes.subarray(at, at + pageBytes)
      await this.#programPage(address + at, progPage(MemType.Flash, page), ctx, pageMs)
      ctx.progress.advance(pageBytes, address + at)
    }
  }

  async #programEeprom(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    for (let at = 0; at < bytes.length; at += eepromBlock) {
      const block = bytes.subarray(at, at + eepromBlock)
      const request = progPage(MemType.Eeprom, block)
      await this.#programPage(address + at, request, ctx, block.length * eepromByteMs)
      ctx.progress.advance(block.length, address + at)
    }
  }

  /** The address is answered before the data go out: what follows a broken command is taken for commands. */
  #programPage(address: number, request: Request, ctx: Context, workMs: number): Promise<unknown> {
    return this.#patiently(ctx, async () => {
      await this.#session.ask(this.#seek(address), ctx)
      await this.#session.ask([request], ctx, workMs)
    })
  }

  /**
   * One block, at a safe boundary. When its answer is lost the board is reset and the block is sent again:
   * reading or writing it twice leaves the same as once.
   */
  async #patiently<T>(ctx: Context, send: () => Promise<T>): Promise<T> {
    await this.#beThere(ctx)
    return patiently(ctx, send, async () => {
      await this.#beThere(ctx)
      return true
    })
  }

  async #readSignature({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    const [signature] = await this.#patiently(ctx, () => this.#session.ask([readSign], ctx))
    ctx.progress.advance(length, address)
    return signature.slice(address, address + length)
  }

  #seek(address: number): readonly Request[] {
    return seek(address, this.#part.flash.bytes)
  }

  /** At every safe boundary: hears a cancel, and resets the board again if its loader may have gone. */
  async #beThere(ctx: Context): Promise<void> {
    ctx.checkpoint()
    if (this.#session.silentFor(ctx) < windowMs) return
    const signature = await enterLoader(this.#session, this.#loader, ctx)
    if (!equal(signature, this.#signature))
      throw new FlashError('target-changed', {
        expected: hexBytes(this.#signature),
        found: hexBytes(signature),
      })
  }
}
