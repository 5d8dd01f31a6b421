/**
 * The page's clock for jobs: its waits do not stretch while the tab is hidden. Browsers then let a page's timers strike once
 * a second, later once a minute; a worker's are left alone. HTML, "timers"; Chrome, "Heavy throttling of chained JS
 * timers" (88).
 */
import { Clock, systemClock } from '#core/time.ts'

class SteadyClock extends Clock {
  readonly #waiting = new Map<number, { ms: number; run: () => void }>()
  #worker: Worker | undefined
  #last = 0

  now(): number {
    return systemClock.now()
  }

  after(ms: number, run: () => void): () => void {
    if (!document.hidden) return systemClock.after(ms, run)
    const id = ++this.#last
    this.#waiting.set(id, { ms, run })
    this.#timers().postMessage({ id, ms })
    return () => {
      this.#waiting.delete(id)
    }
  }

  #strike(id: number): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiting?.run()
  }

  #timers(): Worker {
    if (this.#worker) return this.#worker
    const worker = new Worker(new URL('./steady-clock.worker.ts', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data: id }: MessageEvent<number>) => {
      this.#strike(id)
    }
    // Without it the page's own timers have to do, late as they are.
    worker.onerror = () => {
      for (const [id, { ms }] of this.#waiting) systemClock.after(ms, () => this.#strike(id))
      this.#worker = undefined
    }
    return (this.#worker = worker)
  }
}

export const steadyClock: Clock = new SteadyClock()
