/**
 * The flash of an STM32F4 or F7 through its controller: sectors of several sizes, erased and programmed by a routine in
 * RAM, or by the debugger where that does not run, a word at a time, for which it needs 2.7 V. Sources: ST, RM0090, chapter 3 (F4); RM0385 and RM0431, chapters 3 (F7).
 */
import { hex, isBlank, lengthBeforeBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Range } from '#core/programmer.ts'
import type { CortexM } from './cortex-m.ts'
import { RamRoutine } from './ram-routine.ts'
import type { Stm32Flash } from './stm32-chip.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

const controller = 0x4002_3c00
const Register = {
  Key: controller + 0x04,
  OptionKey: controller + 0x08,
  Status: controller + 0x0c,
  Control: controller + 0x10,
  Options: controller + 0x14,
} as const
/** Words: PSIZE is 2. */
const inWords = 0x200
const Control = { Program: 1, SectorErase: 2, Sector: 3, Start: 0x1_0000, Lock: 0x8000_0000 } as const
const Status = { Busy: 0x1_0000, WriteProtected: 0x10, Errors: 0xf2, Clear: 0xf3 } as const
const Options = { Lock: 1, Start: 2, Protection: 0xff00, WriteOpen: 16, IsReadOut: 0x8000_0000 } as const
const keys = [0x4567_0123, 0xcdef_89ab] as const
const optionKeys = [0x0819_2a3b, 0x4c5d_6e7f] as const
/** Of the bits from `WriteOpen` on. */
const lastWriteOpen = 14
/** RDP of level 0. Level 2 lets nobody ask. */
const unprotected = 0xaa00

const ram = 0x2000_0000
/** The smallest of these chips have 32 KiB. */
const bufferBytes = 16 * 1024
/** Time limits: data sheets give 4 s at most for the largest sector, 32 s for everything, 100 µs for a word. */
const eraseMs = 8000
const everythingMs = 40_000
const wordMs = 0.2
const leastMs = 1000

/**
 * r0 source, r1 destination, r2 how many words, r3 the controller, with PG set. Ends at its breakpoint: r2 is 0, or so
 * many are left; r4 is the status register then.
 *
 *     next: ldr r4, [r0]; str r4, [r1]; dsb; adds r0, #4; adds r1, #4
 *     busy: ldr r4, [r3, #12]; lsls r5, r4, #15; bmi busy
 *           movs r5, #0xf0; tst r4, r5; bne end; subs r2, #1; bne next
 *     end:  bkpt
 */
const code = Uint8Array.from([
  ...[0x04, 0x68, 0x0c, 0x60, 0xbf, 0xf3, 0x4f, 0x8f, 0x04, 0x30, 0x04, 0x31],
  ...[0xdc, 0x68, 0xe5, 0x03, 0xfc, 0xd4],
  ...[0xf0, 0x25, 0x2c, 0x42, 0x01, 0xd1, 0x01, 0x3a, 0xf1, 0xd1],
  ...[0x00, 0xbe],
])
const places = { code, at: ram, bufferAt: ram + 0x100, bufferBytes, stack: ram + 0x100 + bufferBytes + 0x400 }

export class Stm32f4Flash implements Stm32Flash {
  readonly #memory: TargetMemory
  readonly #core: CortexM
  readonly #routine: RamRoutine
  /** By their numbers. */
  readonly #sectors: readonly Range[]
  readonly #hasReadOutBits: boolean
  /** The routine does not work here. */
  #isDirect = false
  hasChanged = false

  constructor(memory: TargetMemory, core: CortexM, sectors: readonly Range[], hasReadOutBits = false) {
    this.#hasReadOutBits = hasReadOutBits
    this.#memory = memory
    this.#core = core
    this.#sectors = sectors
    this.#routine = new RamRoutine(memory, core, places)
  }

  async isReadProtected(ctx: Context): Promise<boolean> {
    return ((await readWord(this.#memory, Register.Options, ctx)) & Options.Protection) !== unprotected
  }

  /**
   * A bit stands for a sector, the last one of an STM32F413 for two: 0 protects it, or 1 where they protect from being read
   * out (SPRMOD), too.
   */
  async writeProtected(sectors: readonly Range[], ctx: Context): Promise<Range[]> {
    const options = await readWord(this.#memory, Register.Options, ctx)
    const isReadOut = this.#hasReadOutBits && (options & Options.IsReadOut) !== 0
    const bitOf = (sector: number) => Options.WriteOpen + Math.min(sector, lastWriteOpen)
    return sectors.filter((_, i) => (((options >>> bitOf(i)) & 1) !== 0) === isReadOut)
  }

  /** @throws `write-protected` · `device-refused` with the status register */
  async replace(sector: Range, bytes: Uint8Array, ctx: Context): Promise<void> {
    await this.#beginAnew(ctx)
    await this.#unlock(ctx)
    const number = this.#sectors.findIndex(({ address }) => address === sector.address)
    const erase = inWords | Control.SectorErase | (number << Control.Sector)
    await this.#memory.writeWords(
      [
        [Register.Status, Status.Clear],
        [Register.Control, erase],
        [Register.Control, erase | Control.Start],
      ],
      ctx,
    )
    const used = (lengthBeforeBlank(bytes) + 3) & ~3
    const parts = Array.from({ length: Math.ceil(used / bufferBytes) }, (_, i) => {
      const at = i * bufferBytes
      return { address: sector.address + at, bytes: bytes.subarray(at, Math.min(used, at + bufferBytes)) }
    })
    if (parts[0]) await this.#bring(parts[0].bytes, ctx) // while it erases
    await this.#untilReady(`erasing ${hex(sector.address, 8)}`, eraseMs, ctx)
    for (const [i, part] of parts.entries()) {
      if (i > 0) await this.#bring(part.bytes, ctx)
      await this.#program(part.address, part.bytes, ctx)
    }
    await this.#memory.writeWords([[Register.Control, Control.Lock]], ctx)
  }

  async liftReadProtection(ctx: Context): Promise<void> {
    await this.#beginAnew(ctx)
    this.#routine.forget()
    const options = await this.#openOptions(ctx)
    const wanted = ((options & ~(Options.Protection | Options.Lock | Options.Start)) | unprotected) >>> 0
    await this.#memory.writeWords(
      [
        [Register.Status, Status.Clear],
        [Register.Options, wanted],
        [Register.Options, (wanted | Options.Start) >>> 0],
      ],
      ctx,
    )
    await this.#untilReady('erasing everything', everythingMs, ctx)
    await this.#core.resetAndHalt(ctx)
    if (await this.isReadProtected(ctx)) await this.#optionsRefused('lifting its read protection', ctx)
  }

  async #openOptions(ctx: Context): Promise<number> {
    const before = await readWord(this.#memory, Register.Options, ctx)
    if ((before & Options.Lock) === 0) return before
    await this.#memory.writeWords(
      optionKeys.map((key) => [Register.OptionKey, key] as const),
      ctx,
    )
    const options = await readWord(this.#memory, Register.Options, ctx)
    if ((options & Options.Lock) !== 0) await this.#optionsRefused('unlocking its option bytes', ctx)
    return options
  }

  async #optionsRefused(during: string, ctx: Context): Promise<never> {
    const status = `FLASH_OPTCR ${hex(await readWord(this.#memory, Register.Options, ctx), 8)}`
    throw new FlashError('device-refused', { during, status })
  }

  /** Without the caches that its program may have switched on: what they hold of the flash would be read afterwards. */
  async #beginAnew(ctx: Context): Promise<void> {
    if (this.hasChanged) return
    await this.#core.resetAndHalt(ctx)
    this.hasChanged = true
  }

  async #bring(bytes: Uint8Array, ctx: Context): Promise<void> {
    if (this.#isDirect) return
    const isNew = !this.#routine.isBrought
    await this.#routine.bring(bytes, ctx)
    if (isNew) this.#isDirect = !(await this.#routine.isThere(ctx))
  }

  async #program(address: number, bytes: Uint8Array, ctx: Context): Promise<void> {
    const count = bytes.length / 4
    await this.#memory.writeWords([[Register.Control, inWords | Control.Program]], ctx)
    if (!this.#isDirect) {
      const given = [places.bufferAt, address, count, controller]
      const ended = await this.#routine.tryRun(given, leastMs + count * wordMs, [2, 4], ctx)
      const [left = 0, status = 0] = ended ?? []
      if (ended && left === 0) return
      if (ended) return this.#failed(address, status, ctx)
      this.#isDirect = true
    }
    ctx.log('no routine runs in its RAM: its flash is written word by word')
    for (let at = 0; at < bytes.length; at += 4) {
      const word = bytes.subarray(at, at + 4)
      if (!isBlank(word)) await this.#memory.write(address + at, word, ctx) // which takes longer than a word
    }
    await this.#untilReady(`programming ${hex(address, 8)}`, leastMs, ctx)
  }

  async #failed(address: number, status: number, ctx: Context): Promise<never> {
    this.#routine.forget()
    await this.#memory.writeWords([[Register.Control, Control.Lock]], ctx)
    this.#refuse(`programming ${hex(address, 8)}`, status)
  }

  async #unlock(ctx: Context): Promise<void> {
    if ((await readWord(this.#memory, Register.Control, ctx)) < Control.Lock) return
    await this.#memory.writeWords(
      keys.map((key) => [Register.Key, key] as const),
      ctx,
    )
    const control = await readWord(this.#memory, Register.Control, ctx)
    if (control >= Control.Lock)
      throw new FlashError('device-refused', { during: 'unlocking its flash', status: hex(control, 8) })
  }

  async #untilReady(during: string, timeoutMs: number, ctx: Context): Promise<void> {
    for (const until = ctx.clock.now() + timeoutMs; ;) {
      const status = await readWord(this.#memory, Register.Status, ctx)
      if ((status & Status.Busy) === 0) {
        if ((status & Status.Errors) !== 0) this.#refuse(during, status)
        return
      }
      if (ctx.clock.now() >= until) throw new FlashError('timeout', { during, timeoutMs })
      await ctx.sleep(5)
    }
  }

  #refuse(during: string, status: number): never {
    if ((status & Status.WriteProtected) !== 0) throw new FlashError('write-protected', { memory: 'flash' })
    throw new FlashError('device-refused', { during, status: `FLASH_SR ${hex(status, 8)}` })
  }
}
