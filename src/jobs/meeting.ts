/**
 * The device that a job is on: opened, met, let go, started anew as another one. It remembers how the device was reached
 * and how it showed itself, and whoever is met must be the patient that was backed up.
 */
import type { Context, Log } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Comeback, Patient, Programmer } from '#core/programmer.ts'
import type { JournalEntry } from '#store/journal.ts'
import type { Attached } from '#transport/devices.ts'
import { Connection, refuseOther, type ConnectOptions } from './connection.ts'
import { release } from './flash.ts'
import type { Presence, Runner } from './runner.ts'
import type { JobView, Surroundings } from './view.ts'

interface Services {
  readonly surroundings: Surroundings
  readonly log: Log
  readonly runner: Pick<Runner, 'view' | 'set'>
}

export class Meeting {
  /** How it is reached; from the first connection on by the same way. */
  options: ConnectOptions = {}
  readonly #services: Services
  #connection: Connection | undefined
  #source: Attached | Programmer | undefined
  #patient: Patient | undefined

  constructor(services: Services) {
    this.#services = services
  }

  get connection(): Connection | undefined {
    return this.#connection
  }

  get presence(): Presence {
    if (!this.#connection) return 'none'
    return this.#connection.isGone ? 'gone' : 'here'
  }

  /** As it was met last; disposed, so only for its pure parts. */
  get patient(): Patient | undefined {
    return this.#patient
  }

  /** What can be opened again. */
  get attached(): Attached | undefined {
    return this.#source && !('ways' in this.#source) ? this.#source : undefined
  }

  /** How it is found and reached again. */
  get forJournal(): Pick<JournalEntry, 'seen' | 'seenAlso' | 'speedHz' | 'family'> {
    const [seen, ...seenAlso] = this.#services.runner.view.seen
    const { speedHz, family } = this.options
    return {
      ...(seen && { seen }),
      ...(seenAlso.length > 0 && { seenAlso }),
      ...(speedHz !== undefined && { speedHz }),
      ...(family !== undefined && { family }),
    }
  }

  /** @throws as `Connection.open` */
  async open(source: Attached | Programmer, ctx: Context): Promise<void> {
    await this.letGo()
    this.#source = source
    const { surroundings, runner } = this.#services
    const connection = await Connection.open(source, this.options, surroundings, ctx)
    this.#connection = connection
    this.options = { ...this.options, way: undefined, ends: connection.ends }
    connection.programmer.gone.addEventListener('abort', () => {
      if (this.#connection === connection) this.#hearThatItIsGone()
    })
    const { view, restart } = connection
    const now = this.attached ? [this.attached.seen] : []
    const isOther = (seen: unknown) => JSON.stringify(seen) !== JSON.stringify(now[0])
    runner.set({
      programmer: view,
      seen: [...now, ...runner.view.seen.filter(isOther)],
      restart: restart && restartView(restart, false),
    })
  }

  /** A busy browser tells late that what broke a transfer was the plug. */
  #hearThatItIsGone(): void {
    const { runner } = this.#services
    const { error } = runner.view
    const late = error?.is('transfer-failed') && new FlashError('device-gone', {}, { cause: error })
    runner.set(late ? { error: late } : {})
  }

  /**
   * Goes the way to the patient. Whoever meets it releases it.
   * @throws `target-changed` when it is not the one that was backed up · what the way throws
   */
  readonly meet = async (ctx: Context): Promise<Patient> => {
    if (!this.#connection) throw new FlashError('device-gone', {})
    const patient = await this.#connection.connect(ctx)
    const { backup } = this.#services.runner.view
    try {
      if (backup) refuseOther(patient, backup.origin.patient)
    } catch (error) {
      await release(patient, ctx)
      throw error
    }
    return (this.#patient = patient)
  }

  /** Tells it to start its boot loader, which is then to be found. */
  async restart(ctx: Context): Promise<void> {
    const restart = this.#connection?.restart
    if (!restart) throw new FlashError('device-gone', {})
    await restart.run(ctx)
    await this.#awaits(restart)
  }

  /** An erase has started it anew. */
  async startedAnew(): Promise<void> {
    await this.#awaits(this.#patient?.eraseChip?.restarts)
  }

  /** With all that was written, which is not read back yet. */
  async hasLeft(): Promise<void> {
    await this.#awaits(this.#patient?.hasLeft)
  }

  async #awaits(what: Comeback | undefined): Promise<void> {
    await this.letGo()
    this.#services.runner.set({ restart: what && restartView(what, true) })
  }

  /** From now on. */
  slowDown(speedHz: number): void {
    this.options = { ...this.options, speedHz }
    if (!this.#connection) return
    this.#connection.speedHz = speedHz
    this.#services.runner.set({ programmer: this.#connection.view })
  }

  async letGo(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    try {
      await connection?.[Symbol.asyncDispose]()
    } catch (error) {
      this.#services.log(`closing the programmer failed: ${String(error)}`) // it is gone, or will be with the page
    }
  }
}

const restartView = (
  { link, as, waitsMs, stays }: Comeback,
  isUnderWay: boolean,
): NonNullable<JobView['restart']> => ({
  ...{ link, as, isUnderWay },
  ...(waitsMs !== undefined && { waitsMs }),
  ...(stays && { stays }),
})
