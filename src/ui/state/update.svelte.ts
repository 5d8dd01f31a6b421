/**
 * Whether the app works offline, and whether a newer one waits. A newer app never takes over during a job:
 * a job here or in any other tab postpones it, and nothing but `apply` asks for it.
 */
import { holdJob } from '#host/job-lock.ts'
import { offlineCopy, type OfflineCopy } from '#host/offline-copy.ts'

export class Update {
  /** `preparing`: files are still coming. `unavailable`: this browser keeps no copy. */
  offline: 'preparing' | 'ready' | 'unavailable' = $state('preparing')
  /** A newer app is here; `apply` changes to it. */
  waiting = $state(false)
  /** Why `apply` did not: a job, here or in another tab; or the new app did not come. */
  hindrance: 'job' | 'no-answer' | undefined = $state()
  readonly #isIdle: () => boolean
  readonly #copy: OfflineCopy
  #isReplaced = false

  /** Made within a component. `isIdle` is reactive; while it is false, no tab changes to a newer app. */
  constructor(isIdle: () => boolean, copy: OfflineCopy = offlineCopy) {
    this.#isIdle = isIdle
    this.#copy = copy
    const idle = $derived(isIdle())
    $effect(() => (idle ? undefined : holdJob()))
    void this.#keep()
  }

  /** Changes to the newer app, which loads every tab anew; or says in `hindrance` why not. */
  async apply(): Promise<void> {
    this.hindrance = this.#isIdle() ? undefined : 'job'
    if (this.hindrance) return
    if (this.#isReplaced) return this.#copy.reload()
    try {
      this.waiting = !(await this.#copy.replace())
      if (this.waiting) this.hindrance = 'job'
    } catch {
      this.hindrance = 'no-answer'
    }
  }

  async #keep(): Promise<void> {
    const kept = await this.#copy.keep({
      waiting: () => (this.waiting = true),
      replaced: () => this.#leave(),
    })
    this.offline = kept ? 'ready' : 'unavailable'
  }

  /** Another tab has applied it, or this one. */
  #leave(): void {
    this.#isReplaced = true
    this.waiting = true
    if (this.#isIdle()) this.#copy.reload()
  }
}
