/**
 * A routine of ours in a chip's RAM, with a buffer behind it, that the chip's own core runs: a flash is written as fast as
 * it takes it, whatever the wires. It is brought there once, and again after anything that may have changed it.
 */
import type { Context } from '#core/context.ts'
import type { CortexM } from './cortex-m.ts'
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

  constructor(memory: TargetMemory, core: CortexM, places: RamPlaces) {
    this.#memory = memory
    this.#core = core
    this.places = places
  }

  /** The bytes into its buffer, up to a whole word. */
  async bring(bytes: Uint8Array, ctx: Context): Promise<void> {
    const { code, at, bufferAt } = this.places
    try {
      if (!this.#isThere) await this.#memory.write(at, wholeWords(code), ctx)
      this.#isThere = true
      if (bytes.length > 0) await this.#memory.write(bufferAt, wholeWords(bytes), ctx)
    } catch (error) {
      this.forget()
      throw error
    }
  }

  /** Until its breakpoint. r0 is the first of `given`; gives those registers afterwards. */
  async run(
    given: readonly number[],
    timeoutMs: number,
    results: readonly number[],
    ctx: Context,
  ): Promise<number[]> {
    const { at, stack } = this.places
    const words: number[] = []
    try {
      await this.#core.call({ entry: at, stack, arguments: given }, timeoutMs, ctx)
      for (const index of results) words.push(await this.#core.readRegister(index, ctx))
    } catch (error) {
      this.forget()
      throw error
    }
    return words
  }

  /** Its RAM may hold something else. */
  forget(): void {
    this.#isThere = false
  }
}

/** Filled up with what a flash takes and stays blank. */
function wholeWords(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes
  const words = new Uint8Array((bytes.length + 3) & ~3).fill(0xff)
  words.set(bytes)
  return words
}
