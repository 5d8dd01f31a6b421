/**
 * A routine of ours in a chip's RAM that does one job after another while the next one is brought: between two jobs the
 * flash waits for nobody, whatever the wires. Two slots of RAM take turns. A slot is the bytes of a job and, right behind
 * them, four words: where the bytes begin, two that the routine knows, and the state, which is written last.
 */
import type { Context } from '#core/context.ts'
import { ByteWriter, equal } from '#core/bytes.ts'
import { isFlashError } from '#core/errors.ts'
import type { CortexM } from './cortex-m.ts'
import { readWord, type TargetMemory } from './target-memory.ts'

export interface FedPlaces {
  /** r0 is the words of the slot that it begins with, r1 those of the other one. It writes `Slot.Free` or an error there. */
  readonly code: Uint8Array
  /** Where it is. */
  readonly at: number
  readonly slotsAt: number
  /** Of a job, at most; whole words. */
  readonly mostBytes: number
  /** From r2 on. */
  readonly registers: readonly number[]
}

export const Slot = { Free: 0, Ready: 1 } as const
const wordsBytes = 16
const stateOffset = 12
const stackBytes = 64
/** A slot is seldom free at once, and the other one is full meanwhile. */
const pollMs = 8

export interface FedJob {
  readonly bytes: Uint8Array
  readonly words: readonly [number, number]
  /** It takes no longer. */
  readonly timeoutMs: number
}

/** What became of a job: done, refused with what the routine found, or nothing: it does not come back. */
export type Fed = { readonly refused?: number } | undefined

export class FedRoutine {
  readonly places: FedPlaces
  /** What was handed over, oldest first, until it is known to be done. */
  readonly pending: FedJob[] = []
  readonly #memory: TargetMemory
  readonly #core: CortexM
  #isRunning = false
  /** Slot that the next job goes into. */
  #next = 0

  constructor(memory: TargetMemory, core: CortexM, places: FedPlaces) {
    this.#memory = memory
    this.#core = core
    this.places = places
  }

  /** When there is room for it. It is not done yet. */
  async hand(job: FedJob, ctx: Context): Promise<Fed> {
    if (!this.#isRunning && !(await this.#start(ctx))) return undefined
    if (this.pending.length === 2) {
      const fed = await this.#oldest(ctx)
      if (!fed || fed.refused !== undefined) return fed
    }
    const words = this.#wordsAt(this.#next)
    const length = (job.bytes.length + 3) & ~3
    const whole = new Uint8Array(length + wordsBytes).fill(0xff)
    whole.set(job.bytes)
    whole.set(
      new ByteWriter()
        .u32le(words - length)
        .u32le(job.words[0])
        .u32le(job.words[1])
        .u32le(Slot.Ready)
        .done(),
      length,
    )
    this.pending.push(job)
    await this.#memory.write(words - length, whole, ctx)
    this.#next ^= 1
    return {}
  }

  /** Until all is done; its core is stopped then. */
  async settle(ctx: Context): Promise<Fed> {
    while (this.pending.length > 0) {
      const fed = await this.#oldest(ctx)
      if (!fed || fed.refused !== undefined) return fed
    }
    await this.stop(ctx)
    return {}
  }

  /** Whatever it does. What is pending stays so. */
  async stop(ctx: Context): Promise<void> {
    if (!this.#isRunning) return
    this.#isRunning = false
    await this.#core.halt(ctx)
  }

  /** After an error nobody knows how far it is. */
  forget(): void {
    this.#isRunning = false
    this.pending.length = 0
  }

  /** False: the RAM does not keep it. */
  async #start(ctx: Context): Promise<boolean> {
    const { code, at, registers, mostBytes } = this.places
    await this.#core.halt(ctx)
    this.pending.length = 0
    this.#next = 0
    const free = new Uint8Array(wordsBytes)
    for (const slot of [0, 1]) await this.#memory.write(this.#wordsAt(slot), free, ctx)
    await this.#memory.write(at, code, ctx)
    if (!equal(await this.#memory.read(at, code.length, ctx), code)) return false
    const stack = this.#wordsAt(1) + wordsBytes + stackBytes
    const given = [this.#wordsAt(0), this.#wordsAt(1), ...registers]
    await this.#core.start({ entry: at, stack, arguments: given }, ctx)
    this.#isRunning = true
    ctx.log(`a routine of ${String(code.length)} bytes writes ${String(mostBytes)} bytes at a time`)
    return true
  }

  async #oldest(ctx: Context): Promise<Fed> {
    const timeoutMs = this.pending.reduce((sum, one) => sum + one.timeoutMs, 0)
    const slot = this.pending.length === 2 ? this.#next : this.#next ^ 1
    for (const until = ctx.clock.now() + timeoutMs; ;) {
      const state = await readWord(this.#memory, this.#wordsAt(slot) + stateOffset, ctx)
      if (state === Slot.Free) {
        this.pending.shift()
        return {}
      }
      if (state !== Slot.Ready) {
        await this.stop(ctx)
        return { refused: state }
      }
      if (ctx.clock.now() >= until) return this.#lost(ctx)
      await ctx.sleep(pollMs)
    }
  }

  async #lost(ctx: Context): Promise<undefined> {
    ctx.log('the routine does not come back')
    await this.stop(ctx).catch((error: unknown) => {
      if (!isFlashError(error, 'timeout', 'device-refused')) throw error
      ctx.log(`nor does its core stop: ${String(error)}`) // its memory may still be reached
    })
  }

  #wordsAt(slot: number): number {
    const { slotsAt, mostBytes } = this.places
    return slotsAt + slot * (mostBytes + wordsBytes) + mostBytes
  }
}
