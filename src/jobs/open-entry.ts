/**
 * A job's entry in the journal: each stage is on the disk before it is acted on, and as long as the job is on a
 * page no other one takes it for interrupted.
 */
import type { Surroundings } from '#core/surroundings.ts'
import { FlashError } from '#core/errors.ts'
import type { Backups } from '#store/backups.ts'
import { stageOf, type JournalEntry } from '#store/journal.ts'

interface Services {
  readonly backups: Pick<Backups, 'journal'>
  readonly surroundings: Pick<Surroundings, 'hold'>
}

export class OpenEntry {
  readonly #services: Services
  #entry: JournalEntry | undefined
  #hold: AsyncDisposable | undefined

  constructor(services: Services) {
    this.#services = services
  }

  get isThere(): boolean {
    return this.#entry !== undefined
  }

  /** @throws `device-busy` when another tab is on this job */
  async takeUp(entry: JournalEntry): Promise<void> {
    this.#hold = await this.#services.surroundings.hold(entry.id)
    if (!this.#hold)
      throw new FlashError('device-busy', { api: entry.seen?.link ?? 'usb', holder: 'other-tab' })
    this.#entry = entry
  }

  /** In place of what was there; on the disk when it resolves. */
  async put(entry: JournalEntry): Promise<void> {
    this.#hold ??= await this.#services.surroundings.hold(entry.id)
    await this.#services.backups.journal.open(entry)
    this.#entry = entry
  }

  async amend(changes: Partial<JournalEntry>): Promise<void> {
    if (this.#entry) await this.put({ ...this.#entry, ...changes })
  }

  /** The certificate has taken it off the disk. */
  certified(): void {
    this.#entry = undefined
  }

  /** The page goes on with another job: a choice goes with this one, a write stays until it is certified. */
  async leave(): Promise<void> {
    const [entry, hold] = [this.#entry, this.#hold]
    this.#entry = this.#hold = undefined
    try {
      if (entry && stageOf(entry) === 'chosen') await this.#services.backups.journal.close(entry.id)
    } finally {
      await hold?.[Symbol.asyncDispose]() // else no page can go on with it
    }
  }
}
