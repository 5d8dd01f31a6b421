/**
 * Rate and time left of a running step, from its progress events. Nothing is said before there is something
 * to say: both are undefined at the start, and the time left is a range that narrows.
 */
import type { ProgressEvent } from '#core/progress.ts'
import type { Clock } from '#core/time.ts'

/** The rate is that of the last moments. */
const windowMs = 3000
/** Before that a guess would be worth nothing. */
const fewestMs = 1000
const leastFraction = 0.03

export class Meter {
  readonly #clock: Pick<Clock, 'now'>
  readonly #startedAt: number
  /** Bytes moved up to a time, oldest first. */
  #moved: { at: number; bytes: number }[] = []
  #bytes = 0
  #fraction = 0

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
    this.#startedAt = clock.now()
  }

  hear({ range, fraction }: ProgressEvent): void {
    this.#fraction = fraction
    if (!range) return
    const now = this.#clock.now()
    this.#bytes += range.length
    this.#moved.push({ at: now, bytes: this.#bytes })
    while ((this.#moved[1]?.at ?? now) < now - windowMs) this.#moved.shift()
  }

  get bytesPerSecond(): number | undefined {
    const [first, last] = [this.#moved[0], this.#moved.at(-1)]
    if (!first || !last || last.at - first.at < fewestMs / 4) return undefined
    return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000
  }

  get secondsLeft(): readonly [number, number] | undefined {
    const elapsedMs = this.#clock.now() - this.#startedAt
    if (elapsedMs < fewestMs || this.#fraction < leastFraction) return undefined
    const left = ((elapsedMs / this.#fraction) * (1 - this.#fraction)) / 1000
    const doubt = 0.5 * (1 - this.#fraction) // the beginning says little about the end
    return [Math.round(left * (1 - doubt)), Math.ceil(left * (1 + doubt))]
  }
}
