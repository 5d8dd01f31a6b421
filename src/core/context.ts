/**
 * What every operation on a device is given: cancel, progress, time, a log, and the three kinds of time.
 *
 *  free      cancel takes effect at once
 *  boundary  cancel takes effect after the block (page) at hand
 *  critical  cancel is held back until the part is over; only an unplug ends it
 */
import { FlashError } from './errors.ts'
import { Progress } from './progress.ts'
import { systemClock, type Clock } from './time.ts'

export type Phase = 'free' | 'boundary' | 'critical'

/** One line of the session log: developers' English, no secrets, exported with a bug report. */
export type Log = (line: string) => void

export interface ContextOptions {
  signal?: AbortSignal
  progress?: Progress
  clock?: Clock
  log?: Log
  onPhase?: (phase: Phase) => void
  phase?: Phase
}

export class Context {
  /** The user's cancel; its reason is always a `cancelled` FlashError. */
  readonly signal: AbortSignal
  readonly progress: Progress
  readonly clock: Clock
  readonly log: Log
  readonly #onPhase: (phase: Phase) => void
  readonly #phase: Phase

  constructor(options: ContextOptions = {}) {
    this.signal = options.signal ?? new AbortController().signal
    this.progress = options.progress ?? Progress.silent()
    this.clock = options.clock ?? systemClock
    this.log = options.log ?? (() => undefined)
    this.#onPhase = options.onPhase ?? (() => undefined)
    this.#phase = options.phase ?? 'free'
  }

  /** The same context, reporting into another branch of the progress tree. */
  under(progress: Progress): Context {
    return this.#copy({ progress })
  }

  /** Throws `cancelled` when the user asked to stop. Call it at every safe boundary. */
  checkpoint(): void {
    if (!this.signal.aborted) return
    throw this.signal.reason instanceof FlashError
      ? this.signal.reason
      : new FlashError('cancelled', {}, { cause: this.signal.reason })
  }

  /** Ended by a cancel only in free time: a page that is being written is finished first. */
  sleep(ms: number): Promise<void> {
    return this.clock.sleep(ms, this.#phase === 'free' ? this.signal : undefined)
  }

  /** Runs `run` with cancel taking effect only where it calls `checkpoint`. */
  boundary<T>(run: (ctx: Context) => Promise<T>): Promise<T> {
    return this.#during('boundary', {}, run)
  }

  /** Runs `run` with cancel held back; afterwards a cancel that came meanwhile takes effect. */
  async critical<T>(run: (ctx: Context) => Promise<T>): Promise<T> {
    const result = await this.#during('critical', { signal: new AbortController().signal }, run)
    this.checkpoint()
    return result
  }

  async #during<T>(phase: Phase, changes: ContextOptions, run: (ctx: Context) => Promise<T>): Promise<T> {
    this.#onPhase(phase)
    try {
      return await run(this.#copy({ ...changes, phase }))
    } finally {
      this.#onPhase(this.#phase)
    }
  }

  #copy(changes: ContextOptions): Context {
    const { signal, progress, clock, log } = this
    return new Context({
      signal,
      progress,
      clock,
      log,
      onPhase: this.#onPhase,
      phase: this.#phase,
      ...changes,
    })
  }
}

/** An `AbortController` whose `abort()` carries the right reason. */
export function cancelSource(): { signal: AbortSignal; cancel: (during?: string) => void } {
  const controller = new AbortController()
  return {
    signal: controller.signal,
    cancel: (during) => {
      controller.abort(new FlashError('cancelled', during === undefined ? {} : { during }))
    },
  }
}
