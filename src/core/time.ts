/**
 * Time as something that is handed in, so that tests and `npm run bench` run on a virtual clock.
 * Nothing outside this file calls `setTimeout` for waiting on a device.
 */
import { FlashError } from './errors.ts'

export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const abort = () => {
        clearTimeout(timer)
        reject(signal?.reason as Error)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', abort, { once: true })
    }),
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
  const watched = signals.filter((signal) => signal !== undefined)
  const settled = new AbortController()
  const racers: Promise<T>[] = [work]
  for (const signal of watched) racers.push(aborted(signal, settled.signal))
  if (timeoutMs !== undefined)
    racers.push(
      clock
        .sleep(timeoutMs, settled.signal)
        .then(() => clock.sleep(0, settled.signal)) // in a page that stood still its timer comes before the answer
        .then(() => {
          throw new FlashError('timeout', { during, timeoutMs })
        }),
    )
  try {
    return await Promise.race(racers)
  } finally {
    for (const racer of racers) racer.catch(() => undefined) // losers settle unheard, on purpose
    settled.abort('settled') // without a reason it would make an error with a stack each time
  }
}

function aborted(signal: AbortSignal, settled: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const abort = () => {
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', abort, { once: true })
    settled.addEventListener('abort', () => {
      signal.removeEventListener('abort', abort)
    })
  })
}
