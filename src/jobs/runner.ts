/**
 * The part of a job that runs one step at a time and keeps its snapshot: progress, phases, cancel, time left,
 * the record of what was done, and what to try again. It knows no programmer.
 */
import { cancelSource, Context, type Log, type Phase } from '#core/context.ts'
import { toFlashError, type FlashError } from '#core/errors.ts'
import { Progress, type ProgressEvent } from '#core/progress.ts'
import type { Clock } from '#core/time.ts'
import type { DoneStep } from '#store/journal.ts'
import { Meter } from './meter.ts'
import { stepNames, type JobView, type Next, type Running, type StepName } from './view.ts'

/** Beside what is running. */
export const nothingYet: Omit<JobView, 'id' | 'running' | 'step' | 'next'> = {
  done: [],
  rescue: undefined,
  programmer: undefined,
  seen: [],
  restart: undefined,
  isUnread: false,
  patient: undefined,
  firmware: undefined,
  backup: undefined,
  unacknowledged: [],
  wanted: undefined,
  checks: undefined,
  rule: { outside: 'keep', reserved: 'refuse' },
  plan: undefined,
  newEeprom: false,
  outcome: undefined,
  proofWanted: undefined,
  hasLeft: false,
  proof: undefined,
  reference: '',
  certificateId: undefined,
  error: undefined,
  halfWritten: false,
}

/** A node of the progress tree that does not show in its paths. */
export const unnamed = ''

/** How it is with the programmer, for what comes next. */
export type Presence = 'none' | 'here' | 'gone'

export interface RunnerServices {
  readonly clock: Clock
  readonly log: Log
  readonly onChange: (view: JobView) => void
  readonly presence: () => Presence
}

/** What work ends with that has something to ask first: then it is not on the record. */
export const notYet = Symbol('not yet')
type Work = (ctx: Context) => Promise<unknown>

export class Runner {
  readonly #services: RunnerServices
  #view: JobView = {
    ...nothingYet,
    id: crypto.randomUUID(),
    step: 'connect',
    next: 'connect',
    running: undefined,
  }
  #record: readonly DoneStep[] = []
  #startedAt = new Date()
  #cancel: (() => void) | undefined
  #ended: Promise<void> = Promise.resolve()
  /** Tries again what failed last; undefined: nothing failed. */
  again: (() => Promise<void>) | undefined

  constructor(services: RunnerServices) {
    this.#services = services
  }

  get view(): JobView {
    return this.#view
  }

  /** All steps that ended so far. */
  get past(): readonly DoneStep[] {
    return this.#record
  }

  /** The same, and the one that runs as if it ended now. */
  get record(): readonly DoneStep[] {
    const { running } = this.#view
    return running ? [...this.#record, stepOf(running.step, this.#startedAt)] : this.#record
  }

  /** Another job begins, or one from the journal goes on. */
  recall(past: readonly DoneStep[] = []): void {
    this.#record = past
  }

  set(changes: Partial<JobView>): void {
    const view = { ...this.#view, ...changes }
    this.#view = { ...view, next: nextOf(view, this.#services.presence()) }
    this.#services.onChange(this.#view)
  }

  /** Done are this step and all before it. */
  done(step: StepName, next: StepName): void {
    this.set({ done: stepNames.slice(0, stepNames.indexOf(step) + 1), step: next })
  }

  /**
   * Resolves when the step has ended, well or not. `again`: how to try it again, when not by itself. `as`: what was done
   * is another step than the one on the screen.
   */
  async run(
    step: StepName,
    work: Work,
    again = (): Promise<void> => this.run(step, work),
    as = step,
  ): Promise<void> {
    if (this.#view.running) {
      this.#services.log(`${step} was asked for during ${this.#view.running.step}`)
      return
    }
    this.#ended = this.#runAlone(step, work, again, as)
    await this.#ended
  }

  stop(): void {
    this.#running({ stopping: true })
    this.#cancel?.()
  }

  /** Resolves when nothing runs any more. */
  get ended(): Promise<void> {
    return this.#ended
  }

  async #runAlone(step: StepName, work: Work, again: () => Promise<void>, as: StepName): Promise<void> {
    const { clock, log } = this.#services
    const { signal, cancel } = cancelSource()
    this.#cancel = () => cancel(step)
    this.#startedAt = new Date()
    const phase: Phase = 'free'
    const running: Running = {
      ...{ step, phase, stopping: false, event: undefined },
      ...{ bytesPerSecond: undefined, secondsLeft: undefined },
    }
    this.set({ running, step, error: undefined })
    const progress = Progress.root(this.#listener()).steps({ [step]: 1 } as Record<StepName, number>)[step]
    const onPhase = (phase: Phase) => this.#running({ phase })
    let error: FlashError | undefined
    let result: unknown
    try {
      result = await work(new Context({ signal, progress, clock, log, onPhase }))
      progress.finish()
    } catch (caught) {
      error = toFlashError(caught, step)
      log(`${step}: ${error.message}`)
    }
    if (result !== notYet) this.#record = [...this.#record, stepOf(as, this.#startedAt, error)]
    this.again = error && again
    this.#cancel = undefined
    this.set({ running: undefined, error })
  }

  #listener(): (event: ProgressEvent) => void {
    const meter = new Meter(this.#services.clock)
    return (event) => {
      meter.hear(event)
      const { bytesPerSecond, secondsLeft } = meter
      const path = event.path.filter((name) => name !== unnamed)
      this.#running({ event: { ...event, path }, bytesPerSecond, secondsLeft })
    }
  }

  #running(changes: Partial<Running>): void {
    const { running } = this.#view
    if (running) this.set({ running: { ...running, ...changes } })
  }
}

const stepOf = (name: StepName, startedAt: Date, error?: FlashError): DoneStep => ({
  name,
  startedAt: startedAt.toISOString(),
  finishedAt: new Date().toISOString(),
  ...(error && { error: error.code }),
})

/** Errors of a choice, which no other try will mend. */
const ofTheChoice = [
  'does-not-fit',
  'write-protected',
  'read-protected',
  'backup-corrupt',
  'bad-file',
] as const

function nextOf(view: JobView, presence: Presence): Next {
  const { running, step, done, error, proofWanted, restart } = view
  if (running) return 'wait'
  if (done.includes('prove')) return 'nothing'
  if (step === 'prove' && proofWanted === 'plug-in-by-itself') return 'prove'
  if (restart?.isUnderWay) return 'find'
  if (restart && !error && presence === 'here') return 'restart'
  if (step === 'connect') return error && presence === 'here' ? 'retry' : 'connect'
  if (presence !== 'here') return 'replug'
  if (step === 'check' || step === 'plan')
    return error && !error.is(...ofTheChoice) ? 'retry' : 'choose-again'
  if (error && step !== 'prove') return 'retry'
  if (step === 'choose') return view.unacknowledged.length > 0 ? 'acknowledge' : 'choose'
  return step
}
