/**
 * The flash of an STM32F1, of its clones, and of an STM32F0 through their controller (FPEC): pages erased and programmed by
 * a routine in RAM (`fpec-routine.ts`), or halfword by halfword where there is no running one. Sources: ST, PM0075 ("STM32F10xxx Flash programming");
 * RM0091, chapters 3 and 4 (STM32F0: levels of protection, OBL_LAUNCH).
 */
import { hex, lengthBeforeBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import type { Range } from '#core/programmer.ts'
import { FlashError } from '#core/errors.ts'
import type { CortexM } from './cortex-m.ts'
import { FedRoutine, type Fed, type FedJob } from './fed-routine.ts'
import { fpecJob, fpecPlaces } from './fpec-routine.ts'
import type { Stm32Flash } from './stm32-chip.ts'
import { flashStart } from './stm32-parts.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

const fpec = 0x4002_2000
const Register = {
  Key: fpec + 0x04,
  OptionKey: fpec + 0x08,
  Status: fpec + 0x0c,
  Control: fpec + 0x10,
  Address: fpec + 0x14,
  Options: fpec + 0x1c,
  WriteProtection: fpec + 0x20,
} as const
const Control = {
  Program: 0x01,
  PageErase: 0x02,
  OptionProgram: 0x10,
  OptionErase: 0x20,
  Start: 0x40,
  Lock: 0x80,
  OptionsOpen: 0x200,
  OptionsLaunch: 0x2000,
} as const
const Status = { Busy: 1, NotErased: 4, WriteProtected: 0x10, Errors: 0x14, Clear: 0x34 } as const
const keys = [0x4567_0123, 0xcdef_89ab] as const
const readProtected = 2

const optionBytesAt = 0x1fff_f800
/** RDP that protects nothing. */
const unprotected = { f1: 0xa5, f0: 0xaa } as const
/** A bit of WRPR stands for this many bytes, the last one for all that follow. */
const wrprBytes = 4096
const wrprBits = 32

/** Time limits: data sheets give 40 ms at most for an erase, 70 µs for a halfword; a busy page asks late. */
const eraseMs = 1000

export class FpecFlash implements Stm32Flash {
  readonly #memory: TargetMemory
  readonly #core: CortexM
  readonly #of: keyof typeof unprotected
  readonly #routine: FedRoutine
  /** The routine does not work here. */
  #isDirect = false
  /** What is begun anew first: the controller may be locked, or still busy. */
  #isOpen = false
  hasChanged = false

  constructor(memory: TargetMemory, core: CortexM, pages: readonly Range[], of: keyof typeof unprotected) {
    const pageBytes = Math.max(...pages.map(({ length }) => length))
    this.#memory = memory
    this.#core = core
    this.#of = of
    this.#routine = new FedRoutine(memory, core, fpecPlaces(pageBytes, fpec))
  }

  async isReadProtected(ctx: Context): Promise<boolean> {
    return ((await readWord(this.#memory, Register.Options, ctx)) & readProtected) !== 0
  }

  async writeProtected(pages: readonly Range[], ctx: Context): Promise<Range[]> {
    const flashBytes = pages.reduce((sum, { length }) => sum + length, 0)
    const open = await readWord(this.#memory, Register.WriteProtection, ctx)
    return Array.from({ length: Math.min(wrprBits, Math.ceil(flashBytes / wrprBytes)) }, (_, bit) => bit)
      .filter((bit) => ((open >>> bit) & 1) === 0)
      .map((bit) => {
        const length = bit === wrprBits - 1 ? flashBytes - bit * wrprBytes : wrprBytes
        return { address: flashStart + bit * wrprBytes, length }
      })
  }

  /**
   * A whole page: erased, and programmed where it is not to be blank. It is handed over when that before the last is done;
   * the controller stays open until the reset that comes when the chip is let go.
   * @throws `write-protected` · `device-refused` with the status register, for a page before it, too
   */
  async replace({ address }: Range, bytes: Uint8Array, ctx: Context): Promise<void> {
    await this.#beginAnew(ctx)
    const job = fpecJob(address, bytes.subarray(0, (lengthBeforeBlank(bytes) + 1) & ~1))
    await this.#unbroken(async () => {
      if (!this.#isOpen) await this.#open(ctx)
      if (this.#isDirect) return this.#directly([job], ctx)
      await this.#heed(await this.#routine.hand(job, ctx), job, ctx)
    })
  }

  async settle(ctx: Context): Promise<void> {
    await this.#unbroken(async () => this.#heed(await this.#routine.settle(ctx), undefined, ctx))
  }

  /**
   * It takes effect with a reset, which is done. The user's own option bytes are written again; what protected pages from
   * being written is gone with it.
   */
  async liftReadProtection(ctx: Context): Promise<void> {
    await this.#beginAnew(ctx)
    await this.#open(ctx)
    const kept = [unprotected[this.#of], ...(await this.#usersOptions(ctx))]
    await this.#memory.writeWords(
      keys.map((key) => [Register.OptionKey, key] as const),
      ctx,
    )
    const control = await readWord(this.#memory, Register.Control, ctx)
    if ((control & Control.OptionsOpen) === 0)
      throw new FlashError('device-refused', {
        ...{ during: 'unlocking its option bytes', status: hex(control, 8) },
      })
    await this.#memory.writeWords(
      [
        [Register.Control, Control.OptionErase | Control.OptionsOpen],
        [Register.Control, Control.OptionErase | Control.OptionsOpen | Control.Start],
      ],
      ctx,
    )
    await this.#untilReady('erasing its option bytes', ctx)
    await this.#memory.writeWords([[Register.Control, Control.OptionProgram | Control.OptionsOpen]], ctx)
    for (const [i, byte] of kept.entries()) {
      await this.#memory.write(optionBytesAt + i * 2, Uint8Array.of(byte, ~byte), ctx, 2)
      await this.#untilReady('writing its option bytes', ctx)
    }
    this.#isOpen = false
    // an STM32F0 loads them when it is told to, with a reset of its own
    const launch = () => this.#memory.writeWords([[Register.Control, Control.OptionsLaunch]], ctx)
    await this.#core.resetAndHalt(ctx, this.#of === 'f0' ? launch : undefined)
    const now = await readWord(this.#memory, Register.Options, ctx)
    if ((now & readProtected) !== 0)
      throw new FlashError('device-refused', {
        ...{ during: 'lifting its read protection', status: `FLASH_OBR ${hex(now, 8)}` },
      })
  }

  /** USER, DATA0 and DATA1, as they were loaded. */
  async #usersOptions(ctx: Context): Promise<readonly number[]> {
    const now = await readWord(this.#memory, Register.Options, ctx)
    ctx.log(`its option bytes before they are erased: FLASH_OBR ${hex(now, 8)}`)
    const byteAt = (bit: number) => (now >>> bit) & 0xff
    // an STM32F1 has only those bits of USER that there are
    return this.#of === 'f0'
      ? [byteAt(8), byteAt(16), byteAt(24)]
      : [byteAt(2) | 0xf8, byteAt(10), byteAt(18)]
  }

  /** Without what its program does to the RAM by itself: a transfer by DMA goes on while the core stands. */
  async #beginAnew(ctx: Context): Promise<void> {
    if (this.hasChanged) return
    this.hasChanged = true
    await this.#core.resetAndHalt(ctx)
  }

  /** After an error what is under way ends by itself, and nothing of it counts. */
  async #unbroken(run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#routine.forget()
      this.#isOpen = false
      throw error
    }
  }

  async #open(ctx: Context): Promise<void> {
    await this.#core.halt(ctx)
    await this.#memory.writeWords([[Register.Status, Status.Clear]], ctx)
    await this.#untilReady('waiting for its flash', ctx)
    await this.#unlock(ctx)
    this.#isOpen = true
  }

  /** `job`: what was handed over last. */
  async #heed(fed: Fed, job: FedJob | undefined, ctx: Context): Promise<void> {
    const { pending } = this.#routine
    if (fed?.refused !== undefined) {
      const [page = 0] = pending[0]?.words ?? []
      await this.#memory.writeWords([[Register.Control, Control.Lock]], ctx)
      this.#refuse(`replacing ${hex(page, 8)}`, fed.refused)
    }
    if (fed) return
    const left = [...pending, ...(job && !pending.includes(job) ? [job] : [])]
    ctx.log('no routine runs in its RAM: its flash is written halfword by halfword')
    this.#isDirect = true
    this.#routine.forget()
    await this.#open(ctx)
    await this.#directly(left, ctx)
  }

  /** Each access by itself takes longer than a halfword. */
  async #directly(jobs: readonly FedJob[], ctx: Context): Promise<void> {
    for (const { words, bytes } of jobs) {
      const [page] = words
      const during = `replacing ${hex(page, 8)}`
      await this.#memory.writeWords(
        [
          [Register.Control, Control.PageErase],
          [Register.Address, page],
          [Register.Control, Control.PageErase | Control.Start],
        ],
        ctx,
      )
      await this.#untilReady(during, ctx)
      await this.#memory.writeWords([[Register.Control, Control.Program]], ctx)
      for (let at = 0; at < bytes.length; at += 2)
        await this.#memory.write(page + at, bytes.slice(at, at + 2), ctx, 2)
      await this.#untilReady(during, ctx)
    }
  }

  async #unlock(ctx: Context): Promise<void> {
    if (((await readWord(this.#memory, Register.Control, ctx)) & Control.Lock) === 0) return
    const unlocking = keys.map((key) => [Register.Key, key] as const)
    await this.#memory.writeWords(unlocking, ctx)
    const control = await readWord(this.#memory, Register.Control, ctx)
    if ((control & Control.Lock) !== 0)
      throw new FlashError('device-refused', { during: 'unlocking its flash', status: hex(control, 8) })
  }

  async #untilReady(during: string, ctx: Context): Promise<void> {
    for (const until = ctx.clock.now() + eraseMs; ;) {
      const status = await readWord(this.#memory, Register.Status, ctx)
      if ((status & Status.Busy) === 0) {
        if ((status & Status.Errors) !== 0) this.#refuse(during, status)
        return
      }
      if (ctx.clock.now() >= until) throw new FlashError('timeout', { during, timeoutMs: eraseMs })
      await ctx.sleep(1)
    }
  }

  #refuse(during: string, status: number): never {
    if ((status & Status.WriteProtected) !== 0) throw new FlashError('write-protected', { memory: 'flash' })
    throw new FlashError('device-refused', { during, status: `FLASH_SR ${hex(status, 8)}` })
  }
}
