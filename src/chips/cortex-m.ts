/**
 * The core of a Cortex-M under a debugger: stopped, started, reset, and made to run a routine in its RAM. Sources: Armv7-M
 * and Armv6-M Architecture Reference Manuals, C1 ("Debug"), and B3.2.6 (AIRCR).
 */
import { hex } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

const Register = {
  Cpuid: 0xe000_ed00,
  Aircr: 0xe000_ed0c,
  Dhcsr: 0xe000_edf0,
  Dcrsr: 0xe000_edf4,
  Dcrdr: 0xe000_edf8,
  Demcr: 0xe000_edfc,
} as const

/** Written words are unsigned: bit 31 is set. */
const debugKey = 0xa05f_0000
const Debug = { Enable: 1, Halt: 2, MaskInterrupts: 8 } as const
const Status = { RegisterReady: 1 << 16, Halted: 1 << 17, Lockup: 1 << 19, WasReset: 1 << 25 } as const
const resetKey = 0x05fa_0004
/** VC_CORERESET: it stops before its first instruction. */
const catchReset = 1
const traceEnable = 0x0100_0000
const thumb = 0x0100_0000
const writeRegister = 0x1_0000
const Core = { StackPointer: 13, ProgramCounter: 15, Status: 16 } as const

const haltMs = 1000
const resetMs = 1000
const registerMs = 100
const pollMs = 1
const mostPollMs = 2

/** What a routine begins with; r0 is the first of `arguments`. */
export interface Routine {
  readonly entry: number
  readonly stack: number
  readonly arguments: readonly number[]
}

export class CortexM {
  readonly #memory: TargetMemory

  constructor(memory: TargetMemory) {
    this.#memory = memory
  }

  readCpuid(ctx: Context): Promise<number> {
    return readWord(this.#memory, Register.Cpuid, ctx)
  }

  async isHalted(ctx: Context): Promise<boolean> {
    return ((await this.#status(ctx)) & Status.Halted) !== 0
  }

  async halt(ctx: Context): Promise<void> {
    await this.#control(Debug.Enable | Debug.Halt, ctx)
    await this.#until(Status.Halted, 'stopping its core', haltMs, ctx)
  }

  /** While it is held in reset: let go, it stops before its first instruction. */
  async catchReset(ctx: Context): Promise<void> {
    await this.#memory.writeWords([[Register.Demcr, traceEnable | catchReset]], ctx)
    await this.#control(Debug.Enable | Debug.Halt, ctx)
  }

  /** It stands before its first instruction afterwards. `reset`: where something else resets it than its core. */
  async resetAndHalt(ctx: Context, reset = () => this.#reset(ctx)): Promise<void> {
    await this.catchReset(ctx)
    await this.#status(ctx) // which forgets earlier resets
    await reset()
    await this.#until(Status.WasReset, 'resetting its core', resetMs, ctx)
    await this.#until(Status.Halted, 'resetting its core', resetMs, ctx)
    await this.#memory.writeWords([[Register.Demcr, traceEnable]], ctx)
  }

  /** As after power-on, without a debugger. From where it stands now it goes on at no time. */
  async resetAndRun(ctx: Context): Promise<void> {
    await this.#letRun(
      [
        [Register.Aircr, resetKey],
        [Register.Dhcsr, debugKey],
      ],
      ctx,
    )
  }

  /** On from where it was stopped, without a debugger. */
  async run(ctx: Context): Promise<void> {
    await this.#letRun(
      [
        [Register.Dhcsr, debugKey | Debug.Enable],
        [Register.Dhcsr, debugKey],
      ],
      ctx,
    )
  }

  /** The last that it is told: its program may turn the debug lines off at once. */
  async #letRun(words: readonly (readonly [number, number])[], ctx: Context): Promise<void> {
    await this.#memory.writeWords([[Register.Demcr, 0]], ctx)
    try {
      await this.#memory.writeWords(words, ctx)
    } catch (error) {
      if (!isFlashError(error, 'target-missing')) throw error
      ctx.log(`running, it is heard no more: ${String(error)}`)
    }
  }

  /**
   * Runs it until its breakpoint, which takes no longer than that. What it says then is in its registers.
   * @throws `timeout` · `device-refused` when it went astray
   */
  async call(routine: Routine, timeoutMs: number, ctx: Context): Promise<void> {
    const astray = await this.#astray(routine, timeoutMs, ctx)
    if (astray !== undefined) throw late(astray, 'running a routine', timeoutMs)
  }

  /** The same; false: it did not come to its breakpoint. */
  async comesBack(routine: Routine, timeoutMs: number, ctx: Context): Promise<boolean> {
    return (await this.#astray(routine, timeoutMs, ctx)) === undefined
  }

  /** Its status, where it had to be stopped. */
  async #astray(routine: Routine, timeoutMs: number, ctx: Context): Promise<number | undefined> {
    await this.start(routine, ctx)
    const status = await this.#missed(Status.Halted, timeoutMs, ctx)
    if (status !== undefined) await this.#control(Debug.Enable | Debug.Halt, ctx)
    return status
  }

  /** Lets it run, interrupts masked; the core was halted. */
  async start({ entry, stack, arguments: given }: Routine, ctx: Context): Promise<void> {
    const registers: (readonly [number, number])[] = [
      ...given.map((value, i) => [i, value] as const),
      [Core.StackPointer, stack],
      [Core.ProgramCounter, entry],
      [Core.Status, thumb],
    ]
    await this.#memory.writeWords(
      [
        // the mask takes effect while it stands
        [Register.Dhcsr, debugKey | Debug.Enable | Debug.Halt | Debug.MaskInterrupts],
        ...registers.flatMap(([index, value]): [number, number][] => [
          [Register.Dcrdr, value],
          [Register.Dcrsr, writeRegister | index],
        ]),
      ],
      ctx,
    )
    // by itself: what was refused before must not run
    await this.#until(Status.RegisterReady, 'setting its registers', registerMs, ctx)
    await this.#control(Debug.Enable | Debug.MaskInterrupts, ctx)
  }

  async readRegister(index: number, ctx: Context): Promise<number> {
    if (this.#memory.readRegister) return this.#memory.readRegister(index, ctx)
    await this.#memory.writeWords([[Register.Dcrsr, index]], ctx)
    await this.#until(Status.RegisterReady, 'reading its registers', registerMs, ctx)
    return readWord(this.#memory, Register.Dcrdr, ctx)
  }

  #status(ctx: Context): Promise<number> {
    return readWord(this.#memory, Register.Dhcsr, ctx)
  }

  #control(bits: number, ctx: Context): Promise<void> {
    return this.#memory.writeWords([[Register.Dhcsr, (debugKey | bits) >>> 0]], ctx)
  }

  async #reset(ctx: Context): Promise<void> {
    await this.#memory.writeWords([[Register.Aircr, resetKey]], ctx)
  }

  async #until(flag: number, during: string, timeoutMs: number, ctx: Context): Promise<void> {
    const status = await this.#missed(flag, timeoutMs, ctx)
    if (status !== undefined) throw late(status, during, timeoutMs)
  }

  /** The last status, when it did not come in time. */
  async #missed(flag: number, timeoutMs: number, ctx: Context): Promise<number | undefined> {
    const until = ctx.clock.now() + timeoutMs
    for (let waitMs: number = pollMs; ; waitMs = Math.min(waitMs * 2, mostPollMs)) {
      const status = await this.#status(ctx)
      if ((status & flag) !== 0) return undefined
      if (ctx.clock.now() >= until) return status
      await ctx.sleep(waitMs)
    }
  }
}

/** A lockup ends when the core is stopped, if anything ends it. */
function late(status: number, during: string, timeoutMs: number): FlashError {
  if ((status & Status.Lockup) === 0) return new FlashError('timeout', { during, timeoutMs })
  return new FlashError('device-refused', { during, status: `lockup ${hex(status, 8)}` })
}
