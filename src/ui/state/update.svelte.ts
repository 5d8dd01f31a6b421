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
  /** `apply` was asked for while there is a job, here or in another tab: ask again after it. */
  postponed = $state(false)
  readonly #isIdle: () => boolean
  readonly #copy: OfflineCopy
  #isReplaced = false

  /** Made within a component. `isIdle` is reactive; while it is false, other tabs wait with the update, too. */
  constructor(isIdle: () => boolean, copy: OfflineCopy = offlineCopy) {
    this.#isIdle = isIdle
    this.#copy = copy
    $effect(() => (isIdle() ? undefined : holdJob()))
  }

  async start(): Promise<void> {
    const kept = await this.#copy.keep({
      waiting: () => (this.waiting = true),
      replaced: () => this.#leave(),
    })
    this.offline = kept ? 'ready' : 'unavailable'
  }

  /** Changes to the newer app, which reloads every tab; sets `postponed` when that must wait. @throws `timeout`. */
  async apply(): Promise<void> {
    this.postponed = !this.#isIdle()
    if (this.postponed) return
    if (this.#isReplaced) return this.#copy.reload()
    this.postponed = !(await this.#copy.replace())
    this.waiting = this.postponed
  }

  /** Another tab has applied it. */
  #leave(): void {
    this.#isReplaced = true
    this.waiting = true
    if (this.#isIdle()) this.#copy.reload()
  }
}
