/**
 * The page's clock for jobs: its waits do not stretch while the tab is hidden. Browsers then let a page's timers strike once
 * a second, later once a minute; a worker's are left alone. Both run, and the first that strikes counts. HTML, "timers";
 * Chrome, "Heavy throttling of chained JS timers" (88).
 */
import { Clock, systemClock } from '#core/time.ts'

class SteadyClock extends Clock {
  readonly #waiting = new Map<number, () => void>()
  #worker: Worker | undefined
  #last = 0

  now(): number {
    return systemClock.now()
  }

  after(ms: number, run: () => void): () => void {
    if (!document.hidden) return systemClock.after(ms, run)
    const id = ++this.#last
    const stop = systemClock.after(ms, () => this.#strike(id))
    this.#waiting.set(id, () => {
      stop()
      run()
    })
    this.#timers()?.postMessage({ id, ms })
    return () => {
      stop()
      this.#waiting.delete(id)
    }
  }

  #strike(id: number): void {
    const run = this.#waiting.get(id)
    this.#waiting.delete(id)
    run?.()
  }

  /** Undefined: this browser starts none here; the page's own timers have to do. */
  #timers(): Worker | undefined {
    try {
      this.#worker ??= new Worker(new URL('./steady-clock.worker.ts', import.meta.url), { type: 'module' })
      this.#worker.onmessage = ({ data: id }: MessageEvent<number>) => this.#strike(id)
    } catch {
      return undefined // late is better than never
    }
    return this.#worker
  }
}

export const steadyClock: Clock = new SteadyClock()
