/**
 * A routine of ours in a chip's RAM, with a buffer behind it, that the chip's own core runs: a flash is written as fast as
 * it takes it, whatever the wires. It is brought there once, and again after anything that may have changed it.
 */
import { equal } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { isFlashError } from '#core/errors.ts'
import type { CortexM, Routine } from './cortex-m.ts'
import type { TargetMemory } from './target-memory.ts'

export interface RamPlaces {
  readonly code: Uint8Array
  /** Where it is. */
  readonly at: number
  readonly bufferAt: number
  readonly bufferBytes: number
  /** It grows down from here. */
  readonly stack: number
}

export class RamRoutine {
  readonly places: RamPlaces
  readonly #memory: TargetMemory
  readonly #core: CortexM
  #isThere = false

  get isBrought(): boolean {
    return this.#isThere
  }

  constructor(memory: TargetMemory, core: CortexM, places: RamPlaces) {
    this.#memory = memory
    this.#core = core
    this.places = places
  }

  /** The bytes into its buffer, up to a whole word. */
  async bring(bytes: Uint8Array, ctx: Context): Promise<void> {
    const { code, at, bufferAt } = this.places
    await this.#unbroken(async () => {
      if (!this.#isThere) await this.#memory.write(at, wholeWords(code), ctx)
      this.#isThere = true
      if (bytes.length > 0) await this.#memory.write(bufferAt, wholeWords(bytes), ctx)
    })
  }

  /** Until its breakpoint. r0 is the first of `given`; gives those registers afterwards. */
  async run(
    given: readonly number[],
    timeoutMs: number,
    results: readonly number[],
    ctx: Context,
  ): Promise<number[]> {
    return this.#unbroken(async () => {
      await this.#core.call(this.#with(given), timeoutMs, ctx)
      return this.#registers(results, ctx)
    })
  }

  /** The same; undefined: it does not come back. */
  async tryRun(
    given: readonly number[],
    timeoutMs: number,
    results: readonly number[],
    ctx: Context,
  ): Promise<number[] | undefined> {
    return this.#unbroken(async () => {
      if (await this.#core.comesBack(this.#with(given), timeoutMs, ctx)) return this.#registers(results, ctx)
      this.forget()
      return undefined
    })
  }

  /** Whether its RAM keeps what is brought there. */
  async isThere(ctx: Context): Promise<boolean> {
    const { code, at } = this.places
    const whole = wholeWords(code)
    return equal(await this.#memory.read(at, whole.length, ctx), whole)
  }

  /** The bytes brought and run. Undefined: its RAM takes nothing, or it did not come back; what it is for can go on without it. */
  async attempt(
    bytes: Uint8Array,
    given: readonly number[],
    timeoutMs: number,
    results: readonly number[],
    ctx: Context,
  ): Promise<number[] | undefined> {
    try {
      await this.bring(bytes, ctx)
      return await this.tryRun(given, timeoutMs, results, ctx)
    } catch (error) {
      if (!isFlashError(error, 'device-refused')) throw error
      ctx.log(`the routine in RAM failed: ${String(error)}`)
      return undefined
    }
  }

  /** Its RAM may hold something else. */
  forget(): void {
    this.#isThere = false
  }

  #with(given: readonly number[]): Routine {
    return { entry: this.places.at, stack: this.places.stack, arguments: given }
  }

  async #registers(indexes: readonly number[], ctx: Context): Promise<number[]> {
    const words: number[] = []
    for (const index of indexes) words.push(await this.#core.readRegister(index, ctx))
    return words
  }

  async #unbroken<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      this.forget()
      throw error
    }
  }
}

/** Filled up with what a flash takes and stays blank. */
function wholeWords(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes
  const words = new Uint8Array((bytes.length + 3) & ~3).fill(0xff)
  words.set(bytes)
  return words
}
