/**
 * Time as something that is handed in, so that tests and `npm run bench` run on a virtual clock.
 * Nothing calls `setTimeout` for waiting on a device but clocks: this one, the virtual one, and the worker of
 * `host/steady-clock.ts`.
 */
import { FlashError } from './errors.ts'

export abstract class Clock {
  /** Milliseconds, monotonic. */
  abstract now(): number
  /** Calls `run` after `ms`, unless what it returns is called before. */
  abstract after(ms: number, run: () => void): () => void

  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const abort = () => {
        stop()
        reject(signal?.reason as Error)
      }
      const stop = this.after(ms, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      })
      signal?.addEventListener('abort', abort, { once: true })
    })
  }
}

class SystemClock extends Clock {
  now(): number {
    return performance.now()
  }
  after(ms: number, run: () => void): () => void {
    const timer = setTimeout(run, ms)
    return () => {
      clearTimeout(timer)
    }
  }
}

export const systemClock: Clock = new SystemClock()

/** Whether a signal is aborted already, or is before `ms` are over. */
export async function isAbortedWithin(signal: AbortSignal, ms: number, clock: Clock): Promise<boolean> {
  await clock.sleep(ms, signal).catch(() => undefined) // rejects when it is; that is looked at here
  return signal.aborted
}

/**
 * `work`, or a `timeout` error after `timeoutMs`, or the reason of the first `signal` that aborts.
 * The work itself goes on (WebUSB cannot cancel a transfer); whoever owns it must treat it as spent.
 */
export async function within<T>(
  work: Promise<T>,
  clock: Clock,
  during: string,
  timeoutMs: number | undefined,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<T> {
  // Every transfer comes through here, and an AbortController to stop the clock would cost more than all else.
  const stops: (() => void)[] = []
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of signals) if (signal) stops.push(onAbort(signal, reject))
    if (timeoutMs === undefined) return
    const strike = () => {
      reject(new FlashError('timeout', { during, timeoutMs }))
    }
    // in a page that stood still its timer comes before the answer
    stops.push(clock.after(timeoutMs, () => stops.push(clock.after(0, strike))))
  })
  try {
    return await Promise.race([work, interrupted])
  } finally {
    for (const stop of stops) stop()
  }
}

function onAbort(signal: AbortSignal, reject: (reason: Error) => void): () => void {
  const abort = () => {
    reject(signal.reason as Error)
  }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  return () => {
    signal.removeEventListener('abort', abort)
  }
}
