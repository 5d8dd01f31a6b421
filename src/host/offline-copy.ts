/**
 * The copy of the app that works offline, kept by the service worker that `vite.config.ts` makes. A newer
 * build waits beside it, because with the old worker the old build's files go too: it takes over only when
 * told, never while any tab has a job, and then every tab must load anew.
 * https://w3c.github.io/ServiceWorker/, 2.1 and 3.4.
 */
import { systemClock, within } from '#core/time.ts'
import { betweenJobs } from './job-lock.ts'

export interface OfflineCopyEvents {
  /** A newer build is here, whole, and waits. */
  readonly waiting: () => void
  /** Another build than this page's has taken over. */
  readonly replaced: () => void
}

export interface OfflineCopy {
  /** Makes the copy once the page is loaded. True: every file is here. False: the browser keeps none. */
  keep(hear: OfflineCopyEvents): Promise<boolean>
  /**
   * Lets the waiting build take over. False: a tab has a job. @throws `timeout`: Chromium keeps the old worker,
   * for minutes, if another tab is just loading by it.
   */
  replace(): Promise<boolean>
  reload(): void
}

const checkEveryMs = 3_600_000
const takeOverMs = 10_000

export const offlineCopy: OfflineCopy = {
  async keep(hear) {
    if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return false
    await loaded()
    listen(navigator.serviceWorker, hear)
    try {
      const registration = await navigator.serviceWorker.register('./sw.js')
      watch(registration, hear)
      checkWhenShown(registration)
    } catch {
      return false // storage is blocked, or full: the app works as long as there is a network
    }
    await navigator.serviceWorker.ready
    return true
  },

  async replace() {
    const { serviceWorker } = navigator
    const { waiting } = await serviceWorker.ready
    if (!waiting) return true
    const replaced = await betweenJobs(async () => {
      const changed = new Promise((resolve) =>
        serviceWorker.addEventListener('controllerchange', resolve, { once: true }),
      )
      waiting.postMessage({ type: 'SKIP_WAITING' }) // as Workbox's worker wants to hear it
      await within(changed, systemClock, 'the update', takeOverMs)
      return true
    })
    return replaced ?? false
  },

  reload: () => location.reload(),
}

/** The first paint does not share the network with the copy. */
async function loaded(): Promise<void> {
  if (document.readyState === 'complete') return
  await new Promise((resolve) => addEventListener('load', resolve, { once: true }))
}

function listen(serviceWorker: ServiceWorkerContainer, { replaced }: OfflineCopyEvents): void {
  let hasOwn = serviceWorker.controller !== null
  serviceWorker.addEventListener('controllerchange', () => {
    if (hasOwn) replaced()
    hasOwn = true // a page without a worker came from the network, and so did the first one to claim it
  })
}

function watch(registration: ServiceWorkerRegistration, { waiting }: OfflineCopyEvents): void {
  const look = () => {
    if (registration.waiting && registration.active) waiting()
  }
  registration.addEventListener('updatefound', () =>
    registration.installing?.addEventListener('statechange', look),
  )
  look()
}

/** The browser looks for a newer build when a page loads; a tab that stays open looks once an hour, when seen. */
function checkWhenShown(registration: ServiceWorkerRegistration): void {
  let checkedAt = systemClock.now()
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState !== 'visible' || systemClock.now() - checkedAt < checkEveryMs) return
    checkedAt = systemClock.now()
    registration.update().catch(() => undefined) // no network: next time
  })
}
