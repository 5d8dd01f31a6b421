/** A job as the screen sees it: immutable snapshots and what a job needs from the computer. Types and names only. */
import type { Phase } from '#core/context.ts'
import type { FlashError } from '#core/errors.ts'
import type {
  Check,
  Comeback,
  Fact,
  KnownFirmware,
  Notice,
  Patient,
  Rescue,
  Seen,
  Unreadable,
  Way,
} from '#core/programmer.ts'
import type { ProgressEvent } from '#core/progress.ts'
import type { Backup } from '#store/backups.ts'
import type { Outcome, Wanted } from '#store/journal.ts'
import type { MemoryLayout, Plan, PlanRule } from './plan.ts'
import type { ProofResult, ProofWanted } from './prove.ts'

export type { Surroundings } from '#core/surroundings.ts'

export const stepNames = ['connect', 'back-up', 'choose', 'check', 'plan', 'write', 'prove'] as const
export type StepName = (typeof stepNames)[number]

/** `confirm` is the second reading of a backup, `look` the short reading before a write. */
export const operationNames = [
  'open',
  'reach',
  'read',
  'confirm',
  'store',
  'look',
  'erase',
  'program',
  'verify',
] as const
export type OperationName = (typeof operationNames)[number]

/** The programmer as the screen sees it. */
export interface ProgrammerView {
  readonly model: string
  /** The protocol folder whose driver has it. */
  readonly family: string | undefined
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  readonly ways: readonly WayView[]
  /** Which of `ways` is gone. */
  readonly way: number
  /** As it was asked for; undefined: automatic. */
  readonly speedHz: number | undefined
}

/** The patient as the screen sees it: no methods. */
export interface PatientView {
  readonly to: 'itself' | 'target'
  readonly by: Way['by']
  readonly kind: string
  readonly mayBe?: Patient['mayBe']
  readonly chip: string
  /** At which it was met; undefined: as the programmer chose. */
  readonly speedHz: number | undefined
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  readonly memories: readonly MemoryLayout[]
  readonly unreadable: readonly Unreadable[]
}

/** One way from the programmer, for the choice of ways and for wiring pictures. */
export type WayView = Pick<Way, 'to' | 'by' | 'speedsHz'>

/**
 * The one thing that the job waits for; the screen's primary action.
 *
 *  connect       a programmer (`connect`)
 *  back-up       the start of the backup (`backUp`)
 *  acknowledge   that `unacknowledged` cannot be saved (`backUp({ acknowledged })`)
 *  choose        firmware (`choose`)
 *  choose-again  other firmware, because a check refused this one (`choose`)
 *  write         the consents to `plan.consequences` (`write`)
 *  prove         the proof, as `proofWanted` says (`prove`)
 *  retry         nothing but a click (`retry`): the step failed or was stopped, the device is there
 *  replug        the device again (`resumeAfterReplug`)
 *  restart       that it may start anew as another device (`restart`)
 *  find          the device that it has become (`resumeAfterReplug`)
 *  wait          `running` to end, or `stop`
 *  nothing       done
 */
export type Next =
  | 'connect'
  | 'back-up'
  | 'acknowledge'
  | 'choose'
  | 'choose-again'
  | 'write'
  | 'prove'
  | 'retry'
  | 'replug'
  | 'restart'
  | 'find'
  | 'wait'
  | 'nothing'

export interface Running {
  readonly step: StepName
  readonly phase: Phase
  /** The newest event; `path` is [step, operation, memory], the operation one of `operationNames`. */
  readonly event: ProgressEvent | undefined
  /** Bytes a second over the last moments; undefined until known. */
  readonly bytesPerSecond: number | undefined
  /** Seconds left, low and high; undefined until known. */
  readonly secondsLeft: readonly [number, number] | undefined
  /** True once the user asked to stop and the job has not stopped yet. */
  readonly stopping: boolean
}

export interface JobView {
  readonly id: string
  readonly step: StepName
  readonly done: readonly StepName[]
  readonly next: Next
  /** What is to be brought back; undefined: the job is for whatever is found. */
  readonly rescue: Rescue | undefined
  readonly programmer: ProgrammerView | undefined
  /** How it has shown itself to the computer in this job, newest first: it may be its boot loader now. */
  readonly seen: readonly Seen[]
  /** What its way begins with; `isUnderWay`: it was told, and is another device by now. */
  readonly restart: (Comeback & { readonly isUnderWay: boolean }) | undefined
  readonly patient: PatientView | undefined
  /** What the patient's flash was recognised as, once it was read. */
  readonly firmware: KnownFirmware | undefined
  readonly backup: Backup | undefined
  /** What cannot be saved, could be lost, and was not acknowledged yet. */
  readonly unacknowledged: readonly Unreadable[]
  readonly wanted: Wanted | undefined
  readonly checks: readonly Check[] | undefined
  readonly rule: PlanRule
  readonly plan: Plan | undefined
  /** The EEPROM was saved anew just before the write, and what that does to the plan is to be asked for. */
  readonly newEeprom: boolean
  /** All was handed over, and it left to run that: it has to be its boot loader again to be read back. */
  readonly isUnread: boolean
  readonly outcome: Outcome | undefined
  readonly proofWanted: ProofWanted | undefined
  /** It was told to start what was written. */
  readonly hasLeft: boolean
  readonly proof: ProofResult | undefined
  /** What the technician wants on the certificate: customer, machine, order. */
  readonly reference: string
  readonly certificateId: string | undefined
  readonly running: Running | undefined
  /** Of the step at hand; cleared when it is tried again. */
  readonly error: FlashError | undefined
  /** Whether the patient may be half-written: shown with every error from the first erase on. */
  readonly halfWritten: boolean
}
