/**
 * What a job needs from the computer around it, from this browser: battery, room, wake lock, leave guard and
 * one writer at a time across tabs.
 */
import type { Surroundings } from '#jobs/view.ts'
import { duringJob } from './job-lock.ts'

interface BatteryManager {
  readonly charging: boolean
  readonly level: number
}

export const browserSurroundings: Surroundings = {
  build: __BUILD__,

  async battery() {
    if (!('getBattery' in navigator)) return undefined
    const { charging, level } = await (navigator.getBattery as () => Promise<BatteryManager>)()
    return { charging, level }
  },

  async storageRoom() {
    const { quota, usage } = await navigator.storage.estimate()
    return quota === undefined || usage === undefined ? undefined : quota - usage
  },

  persist: () => navigator.storage.persist(),

  async guarded(work) {
    const awake = new AbortController()
    addEventListener('beforeunload', stay)
    keepAwake(awake.signal)
    try {
      return await duringJob(work)
    } finally {
      removeEventListener('beforeunload', stay)
      awake.abort()
    }
  },

  lock: (name) =>
    new Promise((resolve, reject) => {
      const held = (lock: Lock | null) => {
        if (!lock) return resolve(undefined)
        return new Promise<void>((release) => {
          resolve({
            [Symbol.asyncDispose]() {
              release()
              return Promise.resolve()
            },
          })
        })
      }
      navigator.locks.request(name, { ifAvailable: true }, held).catch(reject)
    }),
}

/** The browser then asks whether to leave. */
const stay = (event: BeforeUnloadEvent) => event.preventDefault()

/** Keeps the screen on until `signal`; the browser drops the lock with a hidden page, so it is taken again. */
function keepAwake(signal: AbortSignal): void {
  let lock: WakeLockSentinel | undefined
  const take = async () => {
    if (document.visibilityState !== 'visible' || (lock && !lock.released)) return
    try {
      lock = await navigator.wakeLock.request('screen')
      if (signal.aborted) await lock.release()
    } catch {
      lock = undefined // low battery or not supported: the job goes on without it
    }
  }
  const retake = () => void take()
  document.addEventListener('visibilitychange', retake, { signal })
  signal.addEventListener('abort', () => void lock?.release())
  retake()
}
