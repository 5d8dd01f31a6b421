/** The app as its screens see it: where we are, what is plugged in, the job at hand, the store. */
import { createContext } from 'svelte'
import { toFlashError, type FlashError } from '#core/errors.ts'
import { detectPlatform } from '#host/platform.ts'
import type { Rescue } from '#core/programmer.ts'
import type { JournalEntry, Wanted } from '#store/journal.ts'
import { BenchState, type Present } from './bench.svelte.ts'
import type { JobState } from './job.svelte.ts'
import { Locale } from './locale.svelte.ts'
import { Router } from './router.svelte.ts'
import type { Stores } from './stores.ts'
import type { Update } from './update.svelte.ts'

export class App {
  readonly platform = detectPlatform()
  readonly router = new Router()
  readonly locale = new Locale()
  readonly bench = new BenchState()
  /** What was asked for is on the screen; what it does not need may follow. */
  settled = $state(false)
  /** It is in the next picture; the mark is for the bench of the first load. */
  stands = () =>
    requestAnimationFrame(() => {
      performance.mark('ready')
      this.settled = true
    })
  job: JobState | undefined = $state.raw()
  /** Chosen before a device was: by a link, or a backup to restore. The next job starts with it. */
  wanted: Wanted | undefined = $state.raw()
  /** The copy of the app for offline use, once it is looked after. */
  update: Update | undefined = $state.raw()
  /** What could not be done outside a job. */
  error: FlashError | undefined = $state.raw()
  #stores: Promise<Stores> | undefined
  #turn = Promise.resolve()

  stores(): Promise<Stores> {
    this.#stores ??= import('./stores.ts')
      .then(({ openStores }) => openStores())
      .catch((error: unknown) => {
        this.#stores = undefined // the next call tries again
        throw error
      })
    return this.#stores
  }

  /** Whether something runs that another job, or another bench, would stop. */
  get isBusy(): boolean {
    return this.job?.view.running !== undefined
  }

  /** Begins a job on this device, perhaps to bring another one back with it, and shows it. */
  startJob({ attached, candidates }: Present, rescue?: Rescue): Promise<void> {
    return this.#begin(({ JobState }, stores) => {
      const job = new JobState(this.bench, stores, this.wanted, rescue)
      this.wanted = undefined
      void job.begin(attached, candidates[0]).then((left) => (this.wanted ??= left))
      return job
    })
  }

  /** Goes on with a write that another session did not finish. */
  reopenJob(entry: JournalEntry): Promise<void> {
    return this.#begin(({ JobState }, stores) => JobState.reopen(this.bench, stores, entry))
  }

  /** What was chosen outside the job at hand: it takes it, now or after its backup; if not, the next one does. */
  async take(wanted: Wanted): Promise<void> {
    const taken = this.job?.take(wanted)
    if (taken) {
      this.router.go('job')
      await taken
    } else {
      this.wanted = wanted
      this.router.go('bench')
    }
  }

  /** To the practice bench at this speed, or back to real devices. A job stays with its device, so it ends. */
  moveTo(practiceSpeed: number | undefined): Promise<void> {
    return this.#inTurn(async () => {
      await this.#closeJob()
      if (practiceSpeed === undefined) this.bench.stopPractice()
      else await this.bench.startPractice(practiceSpeed)
    })
  }

  /** Back to the bench. */
  endJob = (): Promise<void> =>
    this.#inTurn(() => {
      this.router.go('bench')
      return this.#closeJob()
    })

  #begin(
    make: (code: typeof import('./job.svelte.ts'), stores: Stores) => JobState | Promise<JobState>,
  ): Promise<void> {
    return this.#inTurn(async () => {
      const [code, stores] = await Promise.all([import('./job.svelte.ts'), this.stores()])
      await this.#closeJob()
      this.job = await make(code, stores)
      this.router.go('job')
    })
  }

  /** One after another: of two clicks the second finds what the first began. */
  #inTurn(change: () => Promise<void>): Promise<void> {
    return (this.#turn = this.#turn.then(async () => {
      if (this.isBusy) return this.router.go('job')
      this.error = undefined
      try {
        await change()
      } catch (error) {
        this.error = toFlashError(error)
      }
    }))
  }

  /** What it was given and has not taken yet waits for the next one. */
  async #closeJob(): Promise<void> {
    const { job } = this
    this.job = undefined
    const left = await job?.close()
    this.wanted ??= left
  }
}

export const [useApp, provideApp] = createContext<App>()
