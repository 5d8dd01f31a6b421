/**
 * An AVR chip reached by serial programming (ISP), through any programmer that is an `IspMaster`.
 *
 * It knows a chip's memories, chip erase, fuses and lock bits, and how long each takes. It knows no
 * programmer; `avr-find.ts` knows how a chip is found. Source: data sheets, "Serial Downloading".
 */
import { blank, equal, exactly, hex, hexBytes } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type {
  Check,
  ChipErase,
  Contents,
  Fact,
  Memory,
  MemoryId,
  Notice,
  Patient,
  Range,
  Unreadable,
} from '#core/programmer.ts'
import { checkAvr } from './avr-check.ts'
import { executeAll, findAvr, frequency, readSignatures, type FoundAvr } from './avr-find.ts'
import { bootSection, fuseBytes, fuseMask, isProgrammed, type FuseByte } from './avr-fuses.ts'
import * as isp from './avr-instructions.ts'
import type { AvrPart } from './avr-parts.ts'
import type { IspMaster } from './isp-master.ts'

/** Finds the chip, see `findAvr`, and reads what decides about everything else. */
export async function connectAvr(master: IspMaster, ctx: Context, speedHz?: number): Promise<Patient> {
  try {
    const found = await findAvr(master, ctx, speedHz)
    await master.prepare?.(found.part, ctx)
    const patient = new AvrPatient(master, found, ctx)
    await patient.look(ctx)
    return patient
  } catch (error) {
    await release(master, ctx)
    throw error
  }
}

/** Lets the target run. What went wrong before matters more than that this fails too. */
async function release(master: IspMaster, { clock, log }: Context): Promise<void> {
  try {
    await master.leave(new Context({ clock, log }))
  } catch (error) {
    log(`isp leave failed: ${String(error)}`)
  }
}

/** How often a chip may say "busy", a millisecond apart, after its data sheet's time before it counts as stuck. */
const patientPolls = 100
const reading = 'reading the target'

class AvrPatient implements Patient {
  readonly kind: string
  readonly chip: string
  readonly #master: IspMaster
  readonly #part: AvrPart
  readonly #found: FoundAvr
  /** Of the connection, for letting go of the chip. */
  readonly #ctx: Context
  #fuses: Uint8Array = new Uint8Array()
  #calibration: Uint8Array = new Uint8Array()
  #lock = 0xff

  constructor(master: IspMaster, found: FoundAvr, ctx: Context) {
    this.#ctx = ctx
    this.#master = master
    this.#found = found
    this.#part = found.part
    this.kind = `avr:${hexBytes(Uint8Array.from(found.part.signature), '')}`
    this.chip = found.part.name
  }

  /** Reads what decides about everything else, and that twice: a wrong lock bit would hide a chip's content. */
  async look(ctx: Context): Promise<void> {
    const settings = async () => Uint8Array.of(...(await this.#readFuses(ctx)), await this.#readLock(ctx))
    const [first, second] = [await settings(), await settings()]
    if (!equal(first, second))
      throw new FlashError('unexpected-answer', {
        during: 'reading fuses and lock bits twice',
        found: `${hexBytes(first)} / ${hexBytes(second)}`,
      })
    this.#fuses = first.subarray(0, -1)
    this.#lock = first.at(-1) ?? 0xff
    this.#calibration = await this.#readCalibration(ctx)
  }

  get speedHz(): number | undefined {
    return this.#found.speedHz
  }

  get facts(): readonly Fact[] {
    const boots = isProgrammed(this.#part, this.#fuses, 'BOOTRST') && bootSection(this.#part, this.#fuses)
    const { speedHz, part } = this.#found
    return [
      { name: 'chip', value: part.name },
      { name: 'signature', value: hexBytes(Uint8Array.from(part.signature)) },
      {
        name: 'fuses',
        value: hexBytes(this.#fuses),
        source: fuseBytes.slice(0, this.#fuses.length).join(' '),
      },
      { name: 'lock', value: hexBytes(Uint8Array.of(this.#lock)) },
      { name: 'calibration', value: hexBytes(this.#calibration) },
      ...(boots
        ? [{ name: 'bootloader', value: hex(boots.address, 4), source: 'BOOTRST BOOTSZ' } as const]
        : []),
      ...(speedHz === undefined
        ? []
        : [{ name: 'speed', value: frequency(speedHz), source: 'SCK' } as const]),
    ]
  }

  get notices(): readonly Notice[] {
    const notices: Notice[] = []
    const { slowed, speedHz } = this.#found
    if (slowed && speedHz !== undefined)
      notices.push({ code: 'slow-sck-used', level: 'info', values: { speed: frequency(speedHz) } })
    if (this.#isWriteProtected)
      notices.push({
        code: 'locked',
        level: 'warning',
        values: { lock: hex(this.#lock), prevents: this.#isReadProtected ? 'reading' : 'writing' },
      })
    return notices
  }

  get unreadable(): readonly Unreadable[] {
    if (!this.#isReadProtected) return []
    return (['flash', 'eeprom'] as const).map((memory) => ({ memory, reason: 'read-protected' }))
  }

  get memories(): readonly Memory[] {
    const { flash, eeprom, fuseMs, calibrationBytes, signature } = this.#part
    const master = this.#master
    const always = { address: 0, pageBytes: 1, pageMs: 0, write: 'overwrite', reserved: [] } as const
    const locked = this.#isWriteProtected ? ({ locked: true } as const) : {}
    const whenOpen = <T>(read: T) => (this.#isReadProtected ? {} : { read })
    return [
      {
        ...always,
        ...locked,
        id: 'flash',
        length: flash.bytes,
        pageBytes: flash.pageBytes,
        write: 'and',
        pageMs: master.pageMs ?? flash.ms,
        ...whenOpen((range: Range, ctx: Context) => this.#readFlash(range, ctx)),
        program: (address, bytes, ctx) => this.#programFlash(address, bytes, ctx),
      },
      {
        ...always,
        ...locked,
        id: 'eeprom',
        length: eeprom.bytes,
        pageBytes: eeprom.pageBytes,
        pageMs: eeprom.ms * (eeprom.paged && !master.programEeprom ? 1 : eeprom.pageBytes),
        ...whenOpen((range: Range, ctx: Context) => this.#readEeprom(range, ctx)),
        program: (address, bytes, ctx) => this.#programEeprom(address, bytes, ctx),
      },
      {
        ...always,
        ...locked,
        id: 'fuses',
        length: this.#fuses.length,
        pageMs: fuseMs,
        read: (range, ctx) => part(range, ctx, this.#readFuses(ctx)),
        program: (address, bytes, ctx) => this.#programFuses(address, bytes, ctx),
      },
      {
        ...always,
        id: 'lock',
        length: 1,
        write: 'and',
        pageMs: fuseMs,
        read: (range, ctx) =>
          part(
            range,
            ctx,
            this.#readLock(ctx).then((lock) => Uint8Array.of(lock)),
          ),
        program: (_, [value = 0xff], ctx) => this.#programLock(value, ctx),
      },
      {
        ...always,
        id: 'calibration',
        length: calibrationBytes,
        read: (range, ctx) => part(range, ctx, this.#readCalibration(ctx)),
      },
      {
        ...always,
        id: 'signature',
        length: signature.length,
        read: (range, ctx) => part(range, ctx, this.#readSignature(ctx)),
      },
    ]
  }

  get eraseChip(): ChipErase {
    const keepsEeprom = isProgrammed(this.#part, this.#fuses, 'EESAVE')
    return {
      erases: ['flash', ...(keepsEeprom ? [] : ['eeprom' as const]), 'lock'],
      ms: this.#part.chipEraseMs,
      run: (ctx) => ctx.critical((critical) => this.#eraseChip(critical)),
    }
  }

  check(wanted: Contents, present: Contents, claimedChip?: string): readonly Check[] {
    return checkAvr({ part: this.#part, fuses: this.#fuses, wanted, present, claimedChip })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await release(this.#master, this.#ctx)
  }

  // ---- lock bits: mode 2 (LB1 programmed) forbids writing, mode 3 (LB2 too) forbids reading ----

  get #isReadProtected(): boolean {
    return (this.#lock & 0x02) === 0
  }
  get #isWriteProtected(): boolean {
    return (this.#lock & 0x03) !== 0x03
  }
  #refuseWhenLocked(memory: MemoryId): void {
    if (this.#isWriteProtected) throw new FlashError('write-protected', { memory })
  }

  // ---- flash and EEPROM ----

  async #readFlash({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    this.#refuseOutside('flash', address, length, this.#part.flash.bytes)
    const master = this.#master
    if (master.readFlash && this.#isInReach)
      return exactly(length, await master.readFlash(this.#part, address, length, ctx), reading)
    const bytes = blank(length)
    const selectBank = this.#bankSelector()
    for (const block of blocks(address, length, this.#part.flash.pageBytes)) {
      ctx.checkpoint()
      for (let at = block.address; at < block.address + block.length; at++) {
        await selectBank(at, ctx)
        bytes[at - address] = await master.execute(isp.readFlash(at), ctx)
      }
      ctx.progress.advance(block.length, block.address)
    }
    return bytes
  }

  async #programFlash(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    this.#refuseOutside('flash', address, bytes.length, this.#part.flash.bytes)
    this.#refuseWhenLocked('flash')
    const { pageBytes, ms } = this.#part.flash
    const master = this.#master
    if (master.programFlash && this.#isInReach) return master.programFlash(this.#part, address, bytes, ctx)
    const selectBank = this.#bankSelector()
    for (const page of blocks(address, bytes.length, pageBytes)) {
      ctx.checkpoint()
      const loads = words(bytes.subarray(page.address - address, page.address - address + page.length))
      for (const [offset, value] of loads) await master.execute(isp.loadFlash(offset, value), ctx)
      if (loads.length > 0) {
        await selectBank(page.address, ctx)
        await master.execute(isp.writeFlashPage(page.address), ctx)
        await this.#ready('writing a flash page', ms, ctx)
      }
      ctx.progress.advance(page.length, page.address)
    }
  }

  get #isInReach(): boolean {
    return this.#part.flash.bytes <= (this.#master.reachBytes ?? Infinity)
  }

  /** Sends Load Extended Address when the 128 KiB bank changes; the chip forgets it, so each call begins anew. */
  #bankSelector(): (address: number, ctx: Context) => Promise<void> {
    let selected: number | undefined
    return async (address, ctx) => {
      if (this.#part.flash.bytes <= 0x20000 || isp.bankOf(address) === selected) return
      selected = isp.bankOf(address)
      await this.#master.execute(isp.loadExtendedAddress(address), ctx)
    }
  }

  async #readEeprom({ address, length }: Range, ctx: Context): Promise<Uint8Array> {
    this.#refuseOutside('eeprom', address, length, this.#part.eeprom.bytes)
    const master = this.#master
    if (master.readEeprom)
      return exactly(length, await master.readEeprom(this.#part, address, length, ctx), reading)
    const bytes = blank(length)
    for (const block of blocks(address, length, 32)) {
      ctx.checkpoint()
      for (let at = block.address; at < block.address + block.length; at++)
        bytes[at - address] = await master.execute(isp.readEeprom(at), ctx)
      ctx.progress.advance(block.length, block.address)
    }
    return bytes
  }

  async #programEeprom(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    this.#refuseOutside('eeprom', address, bytes.length, this.#part.eeprom.bytes)
    this.#refuseWhenLocked('eeprom')
    const { pageBytes, ms, paged } = this.#part.eeprom
    const master = this.#master
    if (master.programEeprom) return master.programEeprom(this.#part, address, bytes, ctx)
    for (const page of blocks(address, bytes.length, pageBytes)) {
      ctx.checkpoint()
      for (let at = page.address; at < page.address + page.length; at++) {
        const value = bytes[at - address] ?? 0xff
        await master.execute(paged ? isp.loadEeprom(at % pageBytes, value) : isp.writeEeprom(at, value), ctx)
        if (!paged) await this.#ready('writing an EEPROM byte', ms, ctx)
      }
      if (paged) {
        await master.execute(isp.writeEepromPage(page.address), ctx)
        await this.#ready('writing an EEPROM page', ms, ctx)
      }
      ctx.progress.advance(page.length, page.address)
    }
  }

  // ---- fuses, lock bits, calibration ----

  /** Bits that do not exist read as 1, whatever the chip says of them. */
  async #readFuses(ctx: Context): Promise<Uint8Array> {
    const mask = fuseMask(this.#part)
    const bytes = await executeAll(this.#master, ctx, fuseBytes.slice(0, mask.length).map(isp.readFuse))
    return Uint8Array.from(bytes, (byte, i) => byte | ~(mask[i] ?? 0))
  }

  /** Writes only bytes that differ, and reads each back before the next. */
  async #programFuses(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const mask = fuseMask(this.#part)
    this.#refuseOutside('fuses', address, bytes.length, mask.length)
    for (const [i, byte] of bytes.entries()) {
      ctx.checkpoint()
      const index = address + i
      const wanted = (byte | ~(mask[index] ?? 0)) & 0xff
      if ((await this.#readFuses(ctx))[index] !== wanted) {
        this.#refuseWhenLocked('fuses')
        await this.#writeFuse(fuseBytes[index] ?? 'low', wanted, ctx)
        this.#fuses = await this.#readFuses(ctx)
        refuseDifference('fuses', index, wanted, this.#fuses[index])
      }
      ctx.progress.advance(1, index)
    }
  }

  async #writeFuse(byte: FuseByte, value: number, ctx: Context): Promise<void> {
    ctx.log(`isp write ${byte} fuse ${hex(value)}`)
    await this.#master.execute(isp.writeFuse(byte, value), ctx)
    await this.#ready(`writing the ${byte} fuse`, this.#part.fuseMs, ctx)
  }

  async #readLock(ctx: Context): Promise<number> {
    return ((await this.#master.execute(isp.readLock, ctx)) | ~this.#part.lockMask) & 0xff
  }

  /** Lock bits can be programmed (0) here; only a chip erase brings them back. */
  async #programLock(value: number, ctx: Context): Promise<void> {
    const wanted = (value | ~this.#part.lockMask) & 0xff
    const present = await this.#readLock(ctx)
    if ((wanted & ~present) !== 0) throw new FlashError('write-protected', { memory: 'lock' })
    if (wanted !== present) {
      ctx.log(`isp write lock ${hex(wanted)}`)
      await this.#master.execute(isp.writeLock(wanted), ctx)
      await this.#ready('writing the lock bits', this.#part.fuseMs, ctx)
      this.#lock = await this.#readLock(ctx)
      refuseDifference('lock', 0, wanted, this.#lock)
    }
    ctx.progress.advance(1, 0)
  }

  /**
   * A chip that started anew answers 0xff to everything until programming is enabled again, the same in two
   * readings; only its signature tells that from a blank chip.
   */
  async #readSignature(ctx: Context): Promise<Uint8Array> {
    const expected = Uint8Array.from(this.#part.signature)
    const instructions = this.#part.signature.map((_, i) => isp.readSignature(i))
    const found = await executeAll(this.#master, ctx, instructions)
    if (equal(found, expected)) return found
    throw new FlashError('target-changed', { expected: hexBytes(expected), found: hexBytes(found) })
  }

  #readCalibration(ctx: Context): Promise<Uint8Array> {
    const indexes = Array.from({ length: this.#part.calibrationBytes }, (_, i) => i)
    return executeAll(this.#master, ctx, indexes.map(isp.readCalibration))
  }

  // ---- the whole chip ----

  /** A chip leaves programming mode in an undefined state after an erase, so it is entered again. */
  async #eraseChip(ctx: Context): Promise<void> {
    const master = this.#master
    await master.execute(isp.eraseChip, ctx)
    await this.#ready('erasing the chip', this.#part.chipEraseMs, ctx)
    await master.leave(ctx)
    const answered = await master.enter(this.#found.speedHz, ctx)
    const readings = answered ? await readSignatures(master, ctx) : []
    const found = readings.map((reading) => hexBytes(reading)).join(' / ')
    const expected = hexBytes(Uint8Array.from(this.#part.signature))
    if (found === '') throw new FlashError('target-missing', { tried: ['after the chip erase'] })
    if (found !== expected) throw new FlashError('target-changed', { expected, found })
    await master.prepare?.(this.#part, ctx)
    await this.look(ctx)
  }

  /**
   * Waits as long as the data sheet says, then asks the chip where it can answer. A cancel does not cut it
   * short: releasing the reset of a chip that is writing would spoil what it writes.
   */
  async #ready(during: string, ms: number, ctx: Context): Promise<void> {
    await ctx.clock.sleep(ms)
    if (!this.#part.readyPoll) return
    for (let polls = 0; polls < patientPolls; polls++) {
      if (((await this.#master.execute(isp.pollReady, ctx)) & 0x01) === 0) return
      await ctx.clock.sleep(1)
    }
    throw new FlashError('timeout', { during, timeoutMs: ms + patientPolls })
  }

  #refuseOutside(memory: MemoryId, address: number, length: number, available: number): void {
    if (address < 0 || address + length > available)
      throw new FlashError('does-not-fit', { memory, address, length, available })
  }
}

/** The pieces of a range, cut at multiples of `size`. */
function* blocks(address: number, length: number, size: number): Generator<Range> {
  const end = address + length
  for (let at = address; at < end;) {
    const next = Math.min(end, at - (at % size) + size)
    yield { address: at, length: next - at }
    at = next
  }
}

/** The bytes of a page that must be loaded: whole words, because the low byte alone does nothing. */
function words(page: Uint8Array): [offset: number, value: number][] {
  return Array.from(page, (value, offset): [number, number] => [offset, value]).filter(
    ([offset]) => page[offset & ~1] !== 0xff || page[offset | 1] !== 0xff,
  )
}

/** A small memory is always read whole; this is the part that was asked for. */
async function part(
  { address, length }: Range,
  ctx: Context,
  whole: Promise<Uint8Array>,
): Promise<Uint8Array> {
  const bytes = exactly(length, (await whole).subarray(address, address + length), reading)
  ctx.progress.advance(length, address)
  return bytes
}

function refuseDifference(memory: MemoryId, address: number, expected: number, found = 0xff): void {
  if (found !== expected)
    throw new FlashError('verify-mismatch', { memory, address, expected, found, count: 1 })
}
