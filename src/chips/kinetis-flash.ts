/**
 * The flash of a Kinetis through its controller (FTFA, FTFL or FTFE): sectors erased, and programmed by a routine in RAM, a
 * longword or a phrase at a time; without the routine, slower, where that does not come back or its RAM takes nothing.
 *
 * The flash configuration field decides at the next reset who may look into the chip. Its sector is erased last thing before
 * that field is written again, and never written so that nothing could open the chip any more.
 *
 * Sources: NXP, KL26 and K20 Sub-Family Reference Manuals, "Flash Memory Module" (FTFA, FTFL), "Computer Operating Properly",
 * "WDOG"; K26, the same (FTFE).
 */
import { hex, isBlank, lengthBeforeBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'
import type { CortexM } from './cortex-m.ts'
import { fieldAt, fieldBytes, isForGood, securityAt } from './kinetis-check.ts'
import type { KinetisPart } from './kinetis-parts.ts'
import { RamRoutine } from './ram-routine.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

const controller = 0x4002_0000
/** FSTAT with FSEC in its word; FCCOB3 to 0 and the data behind; FPROT3 to 0. */
const Register = {
  Status: controller,
  Command: controller + 0x04,
  Data: controller + 0x08,
  Protection: controller + 0x10,
} as const
/** What did not come out as it should (MGSTAT0) is no error here: the read-back tells it, with its place. */
const Status = { Ready: 0x80, Protected: 0x10, Errors: 0x70 } as const
const Command = { EraseSector: 0x09, Longword: 0x06, Phrase: 0x07 } as const

const copControl = 0x4004_8100
const watchdog = { at: 0x4005_2000, keys: [0xc520, 0xd928], off: 0x01d2 } as const
/** Bytes that make the flash's caches forget: of MCM_PLACR and FMC_PFB0CR. */
const forgetting = { cop: [0xf000_300d, 0x04], wdog: [0x4001_f006, 0xf0] } as const

const ram = 0x2000_0000
const bufferAt = ram + 0x80
/** Time limits: data sheets give 114 ms at most for a sector, 145 µs for a longword, 225 µs for a phrase. */
const eraseMs = 1000
const unitMs = 1

/**
 * It waits for what is under way first, an erase. r0 source, r1 destination, r2 how many units, r3 the controller, r4 the
 * command in bits 31:24, r5 the bytes of a unit. Ends at its breakpoint: r2 is 0, or so many are left; r6 is FSTAT then.
 *
 *     wait: ldrb r6, [r3]; lsls r7, r6, #24; bpl wait
 *           movs r7, #0x70; tst r6, r7; bne end; cmp r2, #0; beq end
 *           movs r6, r1; orrs r6, r4; str r6, [r3, #4]
 *           ldr r6, [r0]; str r6, [r3, #8]; ldr r6, [r0, #4]; str r6, [r3, #12]
 *           adds r0, r0, r5; adds r1, r1, r5; subs r2, #1
 *           movs r6, #0x80; strb r6, [r3]; b wait
 *     end:  bkpt; bkpt
 */
const programming = Uint8Array.from([
  ...[0x1e, 0x78, 0x37, 0x06, 0xfc, 0xd5],
  ...[0x70, 0x27, 0x3e, 0x42, 0x0e, 0xd1, 0x00, 0x2a, 0x0c, 0xd0],
  ...[0x0e, 0x00, 0x26, 0x43, 0x5e, 0x60],
  ...[0x06, 0x68, 0x9e, 0x60, 0x46, 0x68, 0xde, 0x60],
  ...[0x40, 0x19, 0x49, 0x19, 0x01, 0x3a],
  ...[0x80, 0x26, 0x1e, 0x70, 0xea, 0xe7],
  ...[0x00, 0xbe, 0x00, 0xbe],
])

/**
 * Stops the WDOG, which takes its keys within 20 of its cycles and what follows within 256: no wire is so quick. r0 the WDOG,
 * r1 and r2 the keys, r3 what it is to hold.
 *
 *     strh r1, [r0, #14]; strh r2, [r0, #14]; nop; nop; strh r3, [r0]; bkpt
 */
const stopping = Uint8Array.from([0xc1, 0x81, 0xc2, 0x81, 0x00, 0xbf, 0x00, 0xbf, 0x03, 0x80, 0x00, 0xbe])

/** Bytes for one place, at most a buffer full. */
interface Piece {
  readonly address: number
  readonly bytes: Uint8Array
}

export class KinetisFlash {
  readonly #memory: TargetMemory
  readonly #core: CortexM
  readonly #part: KinetisPart
  readonly #bufferBytes: number
  readonly #routine: RamRoutine
  /** The routine has failed once. */
  #isDirect = false
  hasChanged = false

  /** `ramBytes`: from 2000_0000 on. */
  constructor(memory: TargetMemory, core: CortexM, part: KinetisPart, ramBytes: number) {
    this.#memory = memory
    this.#core = core
    this.#part = part
    this.#bufferBytes = ramBytes < 0x600 ? 512 : 1024
    const stack = bufferAt + this.#bufferBytes + 0x80
    const places = { at: ram, bufferAt, bufferBytes: this.#bufferBytes, stack }
    this.#routine = new RamRoutine(memory, core, { ...places, code: programming })
  }

  /** FSEC, as it was at its last reset. */
  async security(ctx: Context): Promise<number> {
    return ((await readWord(this.#memory, Register.Status, ctx)) >>> 16) & 0xff
  }

  /** A bit stands for a 32nd of the flash, but for 1 KiB at least: 0 protects it. */
  async writeProtected(kib: number, ctx: Context): Promise<Range[]> {
    const open = await readWord(this.#memory, Register.Protection, ctx)
    const length = Math.max(1024, kib * 32)
    return Array.from({ length: Math.min(32, kib) }, (_, bit) => bit)
      .filter((bit) => ((open >>> bit) & 1) === 0)
      .map((bit) => ({ address: bit * length, length }))
  }

  /**
   * A whole sector: erased, and programmed where it is not to be blank.
   * @throws `write-protected` · `device-refused` with FSTAT
   */
  async replace(sector: Range, bytes: Uint8Array, ctx: Context): Promise<void> {
    refuseForGood(sector, bytes)
    if (!this.hasChanged) await this.#beginAnew(ctx)
    const pieces = this.#pieces(sector, bytes)
    if (!this.#isDirect) {
      await this.#erase(sector, ctx)
      if (await this.#byRoutine(pieces, ctx)) return this.#forget(ctx)
      ctx.log('its routine in RAM did not come back: on without it')
      this.#isDirect = true
      await this.#untilReady('waiting for its flash', ctx)
    }
    await this.#erase(sector, ctx)
    await this.#untilReady(`erasing ${hex(sector.address, 8)}`, ctx)
    for (const piece of pieces) await this.#directly(piece, ctx)
    await this.#forget(ctx)
  }

  /** Without what its program may have set up; and without its watchdog, which counts while the routine runs. */
  async #beginAnew(ctx: Context): Promise<void> {
    this.hasChanged = true
    await this.#core.resetAndHalt(ctx)
    if (this.#part.watchdog === 'cop') return this.#memory.writeWords([[copControl, 0]], ctx)
    const stop = new RamRoutine(this.#memory, this.#core, {
      ...{ code: stopping, at: ram, bufferAt, bufferBytes: 0, stack: bufferAt + 0x80 },
    })
    const given = [watchdog.at, ...watchdog.keys, watchdog.off]
    if (!(await stop.attempt(new Uint8Array(), given, eraseMs, [], ctx))) this.#isDirect = true
  }

  /** The configuration field first, then what is before and behind it. Blank ends are left out. */
  #pieces({ address }: Range, bytes: Uint8Array): Piece[] {
    const field = fieldAt - address
    const borders =
      field >= 0 && field < bytes.length
        ? [
            [field, field + fieldBytes],
            [0, field],
            [field + fieldBytes, bytes.length],
          ]
        : [[0, bytes.length]]
    return borders.flatMap(([from = 0, to = 0]) => {
      const pieces: Piece[] = []
      for (let at = from; at < to; at += this.#bufferBytes) {
        const part = bytes.subarray(at, Math.min(to, at + this.#bufferBytes))
        if (!isBlank(part)) pieces.push({ address: address + at, bytes: this.#whole(part) })
      }
      return pieces
    })
  }

  /** Up to the last unit that is not blank. */
  #whole(bytes: Uint8Array): Uint8Array {
    const { unitBytes } = this.#part
    return bytes.subarray(0, Math.ceil(lengthBeforeBlank(bytes) / unitBytes) * unitBytes)
  }

  async #erase({ address }: Range, ctx: Context): Promise<void> {
    await this.#memory.write(Register.Status, Uint8Array.of(Status.Errors), ctx, 1)
    await this.#memory.writeWords([[Register.Command, commandWord(Command.EraseSector, address)]], ctx)
    await this.#launch(ctx)
  }

  #launch(ctx: Context): Promise<void> {
    return this.#memory.write(Register.Status, Uint8Array.of(Status.Ready), ctx, 1)
  }

  /** False: it did not come back. With nothing to program it waits for the erase. */
  async #byRoutine(pieces: readonly Piece[], ctx: Context): Promise<boolean> {
    const { unitBytes } = this.#part
    const [first] = pieces
    if (!first) {
      await this.#untilReady('erasing a sector', ctx)
      return true
    }
    for (const { address, bytes } of pieces) {
      const count = bytes.length / unitBytes
      const given = [bufferAt, address, count, controller, this.#programCommand << 24, unitBytes]
      const results = await this.#routine.attempt(bytes, given, eraseMs + count * unitMs, [2, 6], ctx)
      if (!results) return false
      const [left = 0, status = 0] = results
      if (left > 0 || (status & Status.Errors) !== 0) this.#refuse(`programming ${hex(address, 8)}`, status)
    }
    return true
  }

  async #directly({ address, bytes }: Piece, ctx: Context): Promise<void> {
    const { unitBytes } = this.#part
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at < bytes.length; at += unitBytes) {
      const data = Array.from(
        { length: unitBytes / 4 },
        (_, i) => [Register.Data + i * 4, view.getUint32(at + i * 4, true)] as const,
      )
      const command = commandWord(this.#programCommand, address + at)
      await this.#memory.writeWords([[Register.Command, command], ...data], ctx)
      await this.#launch(ctx)
      await this.#untilReady(`programming ${hex(address + at, 8)}`, ctx)
    }
  }

  get #programCommand(): number {
    return this.#part.unitBytes === 8 ? Command.Phrase : Command.Longword
  }

  /** What its caches hold of the flash is of before. */
  async #forget(ctx: Context): Promise<void> {
    const [address, bits] = forgetting[this.#part.watchdog]
    await this.#memory.write(address, Uint8Array.of(bits), ctx, 1)
  }

  async #untilReady(during: string, ctx: Context): Promise<void> {
    for (const until = ctx.clock.now() + eraseMs; ;) {
      const status = (await readWord(this.#memory, Register.Status, ctx)) & 0xff
      if ((status & Status.Ready) !== 0) {
        if ((status & Status.Errors) !== 0) this.#refuse(during, status)
        return
      }
      if (ctx.clock.now() >= until) throw new FlashError('timeout', { during, timeoutMs: eraseMs })
      await ctx.sleep(1)
    }
  }

  #refuse(during: string, status: number): never {
    if ((status & Status.Protected) !== 0) throw new FlashError('write-protected', { memory: 'flash' })
    throw new FlashError('device-refused', { during, status: `FSTAT ${hex(status, 2)}` })
  }
}

const commandWord = (command: number, address: number): number => ((command << 24) | address) >>> 0

/** Whoever asks: nothing would ever open it again. */
function refuseForGood({ address }: Range, bytes: Uint8Array): void {
  const security = bytes[securityAt - address]
  if (security === undefined || !isForGood(security)) return
  throw new FlashError('device-refused', {
    ...{ during: 'securing it for good', status: `FSEC ${hex(security, 2)}` },
  })
}
