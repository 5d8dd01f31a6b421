/**
 * A clock that runs as fast as the code under it: when everybody waits, it jumps to the earliest sleeper.
 *
 * For tests and `npm run bench` (no speed: time costs nothing) and for the practice bench (a speed: time
 * never runs ahead of the wall clock times `speed`, so that a job takes as long as it really would). It
 * cannot see work outside the event loop: whoever waits for a worker while a sleeper is due loses the race.
 */
import { Clock } from '#core/time.ts'

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** One turn of the event loop, in which everybody gets on who can; `setTimeout` would cost 4 ms each in a browser. */
const turn: (run: () => void) => void = 'setImmediate' in globalThis ? setImmediate : turnByMessage()

export class VirtualClock extends Clock {
  /** In order of arrival, so that equal times wake in that order. */
  readonly #sleepers = new Set<Sleeper>()
  #speed: number | undefined
  /** The wall clock had come this far, as this clock counts, when it was given its speed. */
  #wallThen = 0
  #speedSince = performance.now()
  #now = 0
  #turning = false
  #nap: ReturnType<typeof setTimeout> | undefined

  /** `speed` 1: real time; 10: ten times as fast; absent: as fast as it goes. */
  constructor(options: { speed?: number | undefined } = {}) {
    super()
    this.#speed = options.speed
  }

  set speed(speed: number) {
    this.#wallThen = Math.max(this.#now, this.#wall())
    this.#speedSince = performance.now()
    this.#speed = speed
    this.#watch()
  }

  now(): number {
    // While somebody gets on, time goes from sleeper to sleeper: a page that stood still must not use up limits.
    const flows = this.#sleepers.size === 0 || this.#nap !== undefined
    const next = this.#earliest()?.at ?? Infinity
    return flows ? (this.#now = Math.max(this.#now, Math.min(this.#wall(), next))) : this.#now
  }

  after(ms: number, wake: () => void): () => void {
    const sleeper = { at: this.now() + Math.max(0, ms), wake }
    this.#sleepers.add(sleeper)
    this.#watch()
    return () => {
      this.#sleepers.delete(sleeper)
    }
  }

  /** The wall clock as this clock counts; without a speed time does not pass by itself. */
  #wall(): number {
    if (this.#speed === undefined) return -Infinity
    return this.#wallThen + (performance.now() - this.#speedSince) * this.#speed
  }

  #earliest(): Sleeper | undefined {
    let earliest: Sleeper | undefined
    for (const sleeper of this.#sleepers) if (!earliest || sleeper.at < earliest.at) earliest = sleeper
    return earliest
  }

  #watch(): void {
    clearTimeout(this.#nap) // an earlier sleeper may have come
    this.#nap = undefined
    if (this.#turning || this.#sleepers.size === 0) return
    this.#turning = true
    turn(() => {
      this.#turning = false
      this.#wakeOne()
    })
  }

  #wakeOne(): void {
    const sleeper = this.#earliest()
    if (!sleeper) return
    const aheadMs = this.#speed === undefined ? 0 : (sleeper.at - this.#wall()) / this.#speed
    if (aheadMs > shortestTimerMs) {
      this.#nap = setTimeout(() => {
        this.#nap = undefined
        this.#watch()
      }, aheadMs)
      return
    }
    this.#now = Math.max(this.#now, sleeper.at)
    this.#sleepers.delete(sleeper)
    sleeper.wake()
    this.#watch()
  }
}

/** A browser's timers are no finer than this; shorter waits are summed up. */
const shortestTimerMs = 4

function turnByMessage(): (run: () => void) => void {
  const { port1, port2 } = new MessageChannel()
  const waiting: (() => void)[] = []
  port1.onmessage = () => waiting.shift()?.()
  return (run) => {
    waiting.push(run)
    port2.postMessage(undefined)
  }
}
