/**
 * What a job needs from the computer around it, from this browser: battery, room, wake lock, leave guard and
 * one writer at a time across tabs.
 */
import type { Surroundings } from '#core/surroundings.ts'
import { duringJob, lockOfJob } from './job-lock.ts'
import { keepStorage, storageUse } from './storage.ts'

interface BatteryManager extends EventTarget {
  readonly charging: boolean
  readonly level: number
}

/** Undefined: the browser does not say, or a permissions policy (a frame, a managed browser) is against it. */
async function batteryManager(): Promise<BatteryManager | undefined> {
  if (!('getBattery' in navigator)) return undefined
  return (navigator.getBattery as () => Promise<BatteryManager>)().catch(() => undefined)
}

const lock: Surroundings['lock'] = (name) =>
  new Promise((resolve, reject) => {
    const request = navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(undefined)
      return new Promise<void>((release) => {
        resolve({
          async [Symbol.asyncDispose]() {
            release()
            await request // only then it is free
          },
        })
      })
    })
    request.catch(reject)
  })

export const browserSurroundings: Surroundings = {
  build: __BUILD__,

  async battery() {
    const battery = await batteryManager()
    return battery && { charging: battery.charging, level: battery.level }
  },

  async storageRoom() {
    const { used, quota } = (await storageUse()) ?? {}
    return quota === undefined || used === undefined ? undefined : quota - used
  },

  persist: keepStorage,

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

  lock,
  hold: (jobId) => lock(lockOfJob(jobId)),
}

/** Calls when the battery changes, and when the page is hidden or seen again, until `signal`. */
export async function watchComputer(hear: () => void, signal: AbortSignal): Promise<void> {
  document.addEventListener('visibilitychange', hear, { signal })
  const battery = await batteryManager()
  for (const event of ['chargingchange', 'levelchange']) battery?.addEventListener(event, hear, { signal })
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
