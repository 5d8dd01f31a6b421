/**
 * The flash of an STM32F1, of its clones, and of an STM32F0 through their controller (FPEC): pages erased and programmed by
 * a routine in RAM, which takes halfwords as fast as the flash does. Sources: ST, PM0075 ("STM32F10xxx Flash programming");
 * RM0091, chapters 3 and 4 (STM32F0: levels of protection, OBL_LAUNCH).
 */
import { hex, lengthBeforeBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import type { Range } from '#core/programmer.ts'
import { FlashError } from '#core/errors.ts'
import type { CortexM } from './cortex-m.ts'
import { RamRoutine } from './ram-routine.ts'
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

const ram = 0x2000_0000
/** Behind the routine. */
const buffer = ram + 0x100
/** The smallest of these chips have 4 KiB. */
const stack = ram + 0x1000
/** Time limits: data sheets give 40 ms at most for an erase, 70 µs for a halfword; a busy page asks late. */
const eraseMs = 1000
const halfwordMs = 1

/**
 * Started while a page is being erased, it waits for that by itself. r0 source, r1 destination, r2 how many halfwords, r3
 * the controller. Ends at its breakpoint: r2 is 0, or so many are left; r4 is the status register then.
 *
 *     wait: ldr r4, [r3, #12]; movs r5, #1; tst r4, r5; bne wait
 *           movs r5, #0x14; tst r4, r5; bne end
 *           movs r5, #1; str r5, [r3, #16]
 *     next: ldrh r4, [r0]; strh r4, [r1]; adds r0, #2; adds r1, #2
 *     busy: ldr r4, [r3, #12]; movs r5, #1; tst r4, r5; bne busy
 *           movs r5, #0x14; tst r4, r5; bne end; subs r2, #1; bne next
 *     end:  bkpt; bkpt
 */
const routine = Uint8Array.from([
  ...[0xdc, 0x68, 0x01, 0x25, 0x2c, 0x42, 0xfb, 0xd1],
  ...[0x14, 0x25, 0x2c, 0x42, 0x0e, 0xd1],
  ...[0x01, 0x25, 0x1d, 0x61],
  ...[0x04, 0x88, 0x0c, 0x80, 0x02, 0x30, 0x02, 0x31],
  ...[0xdc, 0x68, 0x01, 0x25, 0x2c, 0x42, 0xfb, 0xd1],
  ...[0x14, 0x25, 0x2c, 0x42, 0x01, 0xd1, 0x01, 0x3a, 0xf2, 0xd1],
  ...[0x00, 0xbe, 0x00, 0xbe],
])

const places = {
  ...{ code: routine, at: ram, bufferAt: buffer, bufferBytes: stack - buffer, stack },
}

export class FpecFlash implements Stm32Flash {
  readonly #memory: TargetMemory
  readonly #core: CortexM
  readonly #of: keyof typeof unprotected
  readonly #routine: RamRoutine
  hasChanged = false

  constructor(memory: TargetMemory, core: CortexM, of: keyof typeof unprotected) {
    this.#memory = memory
    this.#core = core
    this.#of = of
    this.#routine = new RamRoutine(memory, core, places)
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
   * A whole page: erased, and programmed where it is not to be blank. The core is halted. The controller stays open until
   * the reset that comes when the chip is let go.
   * @throws `write-protected` · `device-refused` with the status register
   */
  async replace({ address }: Range, bytes: Uint8Array, ctx: Context): Promise<void> {
    this.hasChanged = true
    await this.#unlock(ctx)
    await this.#memory.writeWords(
      [
        [Register.Status, Status.Clear],
        [Register.Control, Control.PageErase],
        [Register.Address, address],
        [Register.Control, Control.PageErase | Control.Start],
      ],
      ctx,
    )
    const count = (lengthBeforeBlank(bytes) + 1) >> 1
    if (count === 0) return this.#untilReady(`erasing ${hex(address, 8)}`, ctx)
    await this.#routine.bring(bytes.subarray(0, count * 2), ctx) // while it erases
    await this.#program(address, count, ctx)
  }

  /**
   * It takes effect with a reset, which is done. The user's own option bytes are written again; what protected pages from
   * being written is gone with it.
   */
  async liftReadProtection(ctx: Context): Promise<void> {
    this.hasChanged = true
    this.#routine.forget()
    const kept = [unprotected[this.#of], ...(await this.#usersOptions(ctx))]
    await this.#unlock(ctx)
    await this.#memory.writeWords(
      [
        [Register.OptionKey, keys[0]],
        [Register.OptionKey, keys[1]],
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
    if (this.#of === 'f1') return this.#core.resetAndHalt(ctx)
    // it loads them when it is told to, with a reset of its own
    const launch = () => this.#memory.writeWords([[Register.Control, Control.OptionsLaunch]], ctx)
    await this.#core.resetAndHalt(ctx, launch)
  }

  /** USER, DATA0 and DATA1. */
  async #usersOptions(ctx: Context): Promise<readonly number[]> {
    if (this.#of === 'f0') {
      const bytes = await this.#memory.read(optionBytesAt, 8, ctx)
      return [2, 4, 6].map((at) => bytes[at] ?? 0xff)
    }
    const now = await readWord(this.#memory, Register.Options, ctx)
    // OBR has only those bits of USER that there are
    return [((now >>> 2) & 0x07) | 0xf8, (now >>> 10) & 0xff, (now >>> 18) & 0xff]
  }

  async #program(address: number, count: number, ctx: Context): Promise<void> {
    const timeoutMs = eraseMs + count * halfwordMs
    const [left = 0] = await this.#routine.run([buffer, address, count, fpec], timeoutMs, [2], ctx)
    if (left === 0) return
    this.#routine.forget()
    const status = await this.#core.readRegister(4, ctx)
    await this.#memory.writeWords([[Register.Control, Control.Lock]], ctx)
    this.#refuse(`replacing ${hex(address, 8)}`, status)
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
