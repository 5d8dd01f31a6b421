/**
 * The job at hand for the screen: the newest view, and what the memory maps show. The job itself
 * (`jobs/job.ts`) runs without any screen; progress reaches the screen at its own pace.
 */
import { Job, type JobServices } from '#jobs/job.ts'
import { awaitedAmong, isOneOf } from '#jobs/awaited.ts'
import { unsaved } from '#jobs/backup.ts'
import { isWhole } from '#jobs/choose.ts'
import { slowerHz } from '#jobs/slower.ts'
import type { JobView, StepName } from '#jobs/view.ts'
import type { Backup } from '#store/backups.ts'
import type { JournalEntry, Wanted } from '#store/journal.ts'
import type { Candidate } from '#jobs/identify.ts'
import type { FlashError } from '#core/errors.ts'
import type { MemoryId, Rescue } from '#core/programmer.ts'
import { systemClock } from '#core/time.ts'
import { onceDrawn } from '#host/drawn.ts'
import { steadyClock } from '#host/steady-clock.ts'
import { browserSurroundings } from '#host/surroundings.ts'
import type { Attached } from '#transport/devices.ts'
import { filled, PageTracker, planStates, type PageState } from '../parts/memory-map.ts'
import type { BenchState, Present } from './bench.svelte.ts'
import { logChanges } from './job-log.ts'
import { Pace } from './pace.ts'
import { SessionLog } from './session-log.ts'
import type { Stores } from './stores.ts'

interface MapView {
  readonly id: MemoryId
  readonly states: readonly PageState[]
  /** The page at hand. */
  readonly now: number | undefined
}

export class JobState {
  view: JobView = $state.raw() as JobView
  /** A step that was opened again; undefined: the one at hand. */
  opened: StepName | undefined = $state()
  /** What was brought last and cannot be read: nothing was chosen by it. */
  refused: { readonly error: FlashError; readonly name: string } | undefined = $state.raw()
  readonly bench: BenchState
  readonly stores: Stores
  readonly practising: boolean
  readonly #log: SessionLog
  #job: Job
  #attached: Attached | undefined = $state.raw()
  #candidate: Candidate | undefined
  #trackers: readonly PageTracker[] = []
  /** What the trackers said when the screen was last painted. */
  #painted: readonly MapView[] = $state.raw([])
  #scheduled = false
  /** What was going on last. */
  #operation: string | undefined
  readonly #pace = new Pace()
  #newest: JobView
  #wanted: Wanted | undefined
  readonly #rescue: Rescue | undefined
  /** Keys of what was plugged in when the last step began: in it, it was told to start anew. */
  #presentBefore: readonly string[] = []
  /** Keys of what was plugged in when the write ended: none of it is the patient by itself. */
  #presentAtEnd: readonly string[] = []

  /** `wanted` is chosen by itself after the backup; `rescue` is what the job is to bring back. */
  constructor(bench: BenchState, stores: Stores, wanted?: Wanted, rescue?: Rescue) {
    this.bench = bench
    this.stores = stores
    this.practising = bench.practice !== undefined
    if (bench.clock === systemClock) bench.clock = steadyClock // in a hidden tab too nobody waits for longer
    this.#log = bench.log ??= new SessionLog()
    this.#wanted = wanted
    this.#rescue = rescue
    this.#job = new Job(this.#services())
    this.view = this.#newest = this.#job.view
  }

  /** A job that began in another session and was not seen to end; it waits for its device. */
  static async reopen(bench: BenchState, stores: Stores, entry: JournalEntry): Promise<JobState> {
    const state = new JobState(bench, stores)
    state.#job = await Job.reopen(state.#services(), entry)
    state.view = state.#newest = state.#job.view
    return state
  }

  #services(): JobServices {
    const { backups, certificates, keys } = this.stores
    return {
      ...{ backups, certificates, keys },
      surroundings: {
        ...browserSurroundings,
        // a twin has the ids of a device, and must not lock it
        lock: (name) => browserSurroundings.lock(this.practising ? `practice:${name}` : name),
      },
      clock: this.bench.clock,
      log: this.#log.add,
      practice: this.practising,
      rescue: this.#rescue,
      onChange: (view) => this.#hear(view),
    }
  }

  /** What a half-written chip can go back to; undefined when that is what is being written, or not all of it is saved. */
  get wayBack(): Backup | undefined {
    const { halfWritten, backup, wanted } = this.view
    const isOther = wanted?.source.backupId !== backup?.id
    return halfWritten && backup && isOther && isWhole(backup) ? backup : undefined
  }

  /** Of a write that ended early: everything was written, and it ended while that was read back. */
  get isAllWritten(): boolean {
    const { halfWritten, running } = this.view
    if (!halfWritten || running || this.#operation !== 'verify') return false
    return this.#trackers.length > 0 && this.#trackers.every(({ isWritten }) => isWritten)
  }

  /** Of what is to be written, what no backup can bring back. */
  get unsaved(): readonly MemoryId[] {
    const { backup, wanted } = this.view
    return backup && wanted ? unsaved(backup, wanted) : []
  }

  get link(): Attached['link'] | undefined {
    return this.view.seen[0]?.link
  }

  /** A step stays on the screen until its question is answered: what cannot be saved, what is planned. */
  get atHand(): StepName {
    const { next, step } = this.view
    if (next === 'acknowledge') return 'back-up'
    return next === 'write' ? 'plan' : step
  }

  get shown(): StepName {
    return this.opened ?? this.atHand
  }

  async connect(attached: Attached, candidate?: Candidate, way?: number, speedHz?: number): Promise<void> {
    this.#meet(attached)
    this.#candidate = candidate
    await this.#job.connect(attached, {
      ...(candidate && { family: candidate.identity.id }),
      ...(way !== undefined && { way }),
      ...(speedHz !== undefined && { speedHz }),
    })
  }

  /** The first device of this job. Resolves with what it was given, when that does not open. */
  async begin(attached: Attached, candidate?: Candidate): Promise<Wanted | undefined> {
    await this.connect(attached, candidate)
    return this.view.programmer ? undefined : this.#giveBack()
  }

  /** Another way or speed on the same device. */
  async reconnect(way: number, speedHz?: number): Promise<void> {
    if (this.#attached) await this.connect(this.#attached, this.#candidate, way, speedHz)
  }

  /**
   * Whether this is the device that the job is on, as far as a page can tell: same ids, same serial, as it is now or as it
   * was in this job.
   */
  isSame({ key, seen }: Attached): boolean {
    const text = JSON.stringify(seen)
    const isAlike = seen.vendorId !== undefined && this.view.seen.some((one) => JSON.stringify(one) === text)
    return this.#attached?.key === key || isAlike
  }

  /** The job's device among these: itself, or the only one like it. Of two alike the user chooses. */
  find(present: readonly Present[]): Present | undefined {
    const mine = present.find(({ attached }) => attached.key === this.#attached?.key)
    const alike = present.filter(({ attached }) => this.isSame(attached))
    return mine ?? theOnly(alike)
  }

  #meet(attached: Attached): void {
    this.#attached = attached
  }

  /** What it has become since it was told to start anew; undefined: not there, not allowed, or not to be told apart. */
  awaited = (present: readonly Present[]): Present | undefined =>
    awaitedAmong(present, this.view, this.#presentBefore)

  restart = (): Promise<void> => this.#job.restart()

  /**
   * Who can be asked for the proof, as the patient by itself: one plugged in since; or the one that wrote itself, which
   * may have gone and come as what its firmware appears as.
   */
  prover(present: readonly Present[]): Present | undefined {
    const { backup, hasLeft, wanted } = this.view
    const since = present.filter(({ attached }) => !this.#presentAtEnd.includes(attached.key))
    if (backup?.origin.way.to !== 'itself' && !hasLeft) return theOnly(since)
    const same = hasLeft ? undefined : this.find(present)
    if (same || (!hasLeft && this.#isHere)) return same
    const { vendorId, productId } = wanted?.firmware?.appears ?? {}
    if (vendorId === undefined) return hasLeft ? theOnly(since) : undefined
    const filter = { vendorId, ...(productId !== undefined && { productId }) }
    return theOnly(since.filter(({ attached: { seen } }) => isOneOf([filter], seen)))
  }

  get #isHere(): boolean {
    return this.bench.present.some(({ attached }) => attached.key === this.#attached?.key)
  }

  /** Keys of what is not the patient, as far as the job cannot know it: while the one that wrote itself is here, all others. */
  get #bystanders(): readonly string[] {
    const keys = this.bench.present.map(({ attached }) => attached.key)
    const isItself = this.view.backup?.origin.way.to === 'itself'
    return isItself && this.#isHere ? [...this.#presentAtEnd, ...keys] : this.#presentAtEnd
  }

  /** `acknowledged`: the user knows that what cannot be saved may be lost. */
  async backUp(acknowledged = false): Promise<void> {
    await this.#job.backUp(acknowledged ? { acknowledged: this.view.unacknowledged } : {})
    const wanted = this.#wanted
    if (!wanted || this.view.next !== 'choose') return
    this.#wanted = undefined
    await this.choose(wanted)
  }

  /** For what was chosen elsewhere. Before the choice is due it waits for that; undefined: it is too late. */
  take(wanted: Wanted): Promise<void> | undefined {
    const { programmer, backup, next, running, halfWritten, outcome } = this.view
    if (programmer && (!backup || next === 'acknowledge')) {
      this.#wanted = wanted
      return Promise.resolve()
    }
    if (running || outcome) return undefined
    const isDue = next === 'choose' || next === 'choose-again' || next === 'write' || halfWritten
    return isDue ? this.choose(wanted) : undefined
  }

  /** Whether it works with this backup, made or restored by it, until its end. */
  needs(backupId: string): boolean {
    const { backup, wanted, next } = this.view
    return next !== 'nothing' && (backup?.id === backupId || wanted?.source.backupId === backupId)
  }

  /** What still waits for a backup, and is then this job's no more. */
  #giveBack(): Wanted | undefined {
    const wanted = this.#wanted
    this.#wanted = undefined
    return wanted
  }

  choose = (wanted: Wanted): Promise<void> => this.#job.choose(wanted)
  write = (consents: readonly string[]): Promise<void> => this.#job.write(consents)
  prove = (attached?: Attached): Promise<void> => this.#job.prove(attached, this.#bystanders)
  refer = (reference: string): Promise<void> => this.#job.refer(reference)
  finishUnproven = (): Promise<void> => this.#job.finishUnproven()
  /** The image without its part in the boot loader, which this way cannot write. */
  leaveLoaderOut = (): Promise<void> => this.#job.planWith({ reserved: 'skip' })
  /** At this computer: what its battery and room do to a plan that waits. */
  lookAround = (): Promise<void> => this.#job.lookAround()
  retry = (instead?: Wanted): Promise<void> => this.#job.retry(instead)
  get slowerHz(): number | undefined {
    return slowerHz(this.view)
  }
  retrySlower = (): Promise<void> => this.#job.retrySlower()
  async resumeAfterReplug(attached: Attached, instead?: Wanted): Promise<void> {
    this.#meet(attached)
    await this.#job.resumeAfterReplug(attached, instead)
  }

  stop = (): void => this.#job.stop()
  /** Resolves with what it was given and has not taken. */
  async close(): Promise<Wanted | undefined> {
    await this.#job.close()
    return this.#giveBack()
  }

  /** What the map of a memory shows in the step on the screen: what is going on, or what came of that step. */
  statesOf(id: MemoryId): Omit<MapView, 'id'> | undefined {
    const { patient, backup, plan } = this.view
    const layout = patient?.memories.find((memory) => memory.id === id)
    if (layout && this.shown === 'back-up' && backup?.memories.some((memory) => memory.id === id))
      return { states: filled(layout, 'confirmed'), now: undefined }
    if (layout && this.shown === 'plan' && plan) return { states: planStates(layout, plan), now: undefined }
    return this.#painted.find((map) => map.id === id)
  }

  #hear(view: JobView): void {
    const before = this.#newest
    this.#newest = view
    logChanges(this.#log, view, before)
    if (view.patient !== before.patient) this.#track(view)
    else if (view.plan !== before.plan || isStart(view, before)) this.#track(view)
    if (view.running && !before.running && !before.restart?.isUnderWay)
      this.#presentBefore = this.bench.present.map(({ attached }) => attached.key)
    if (view.outcome && !before.outcome)
      this.#presentAtEnd = this.bench.present.map(({ attached }) => attached.key)
    const event = view.running?.event
    this.#operation = event?.path[1] ?? this.#operation
    if (event && event !== before.running?.event) for (const tracker of this.#trackers) tracker.follow(event)
    if (view.error?.is('verify-mismatch', 'backup-mismatch') && view.error !== before.error)
      this.#markMismatch(view.error.detail.memory, view.error.detail.first ?? [view.error.detail])
    if (view.step !== before.step || view.next !== before.next) this.opened = undefined
    this.#show(!isSameOperation(view, before))
  }

  /** Progress waits for its turn; everything else, another operation too, is shown at once. */
  #show(atOnce: boolean): void {
    const waitMs = this.#pace.waitMs(systemClock.now())
    if (atOnce || waitMs === 0) this.#paint()
    else if (!this.#scheduled) {
      this.#scheduled = true
      void systemClock.sleep(waitMs).then(() => {
        this.#scheduled = false
        this.#paint()
      })
    }
  }

  #paint(): void {
    const drawn = this.#pace.draw(systemClock.now())
    onceDrawn(() => drawn(systemClock.now()))
    this.view = this.#newest
    const { running } = this.view
    this.#painted = this.#trackers.map(({ layout: { id }, states, now }) => ({
      id,
      states: [...states],
      now: running && now,
    }))
  }

  #track({ patient, plan }: JobView): void {
    this.#trackers = patient?.memories.map((memory) => new PageTracker(memory, plan)) ?? []
  }

  #markMismatch(memory: string, places: readonly { address: number }[]): void {
    const tracker = this.#trackers.find(({ layout: { id } }) => id === memory)
    for (const { address } of places) tracker?.mark({ address, length: 1 }, 'mismatch')
  }
}

/** Of several alike the user chooses. */
const theOnly = ([first, ...others]: readonly Present[]): Present | undefined =>
  others.length > 0 ? undefined : first

/** Only its progress is new. */
const isSameOperation = ({ running: now }: JobView, { running: before }: JobView): boolean =>
  now !== undefined && now.phase === before?.phase && now.event?.path.join() === before.event?.path.join()

/** A backup begins anew: its map is empty again. */
const isStart = (view: JobView, before: JobView): boolean =>
  view.running !== undefined && before.running === undefined && view.step === 'back-up'
