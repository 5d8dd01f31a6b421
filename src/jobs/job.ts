/**
 * The main job as a state machine without a screen: connect, back up, choose, check, plan, write, prove.
 *
 * It knows programmers, the store and files through the layers below; it knows no browser object and no
 * text. The screen gets immutable snapshots (`JobView`) and calls the methods. Everything outside that it
 * needs from the computer comes in through `Surroundings`.
 */
import type { Phase } from '#core/context.ts'
import type { FlashError } from '#core/errors.ts'
import type { Check, Contents, Fact, KnownFirmware, Memory, Notice, Unreadable } from '#core/programmer.ts'
import type { ProgressEvent } from '#core/progress.ts'
import type { Backup } from '#store/backups.ts'
import type { Plan } from './plan.ts'

export const stepNames = ['connect', 'back-up', 'choose', 'check', 'plan', 'write', 'prove'] as const
export type StepName = (typeof stepNames)[number]

/** What is to be in the patient afterwards, and where that came from. */
export interface Wanted {
  readonly contents: Contents
  readonly source: WantedSource
  readonly firmware: KnownFirmware | undefined
}

export interface WantedSource {
  readonly kind: 'file' | 'link' | 'backup' | 'catalogue' | 'practice'
  readonly name: string
  readonly version: string | undefined
  /** Of the file as it came, hex and bytes. For a backup: its own hash. */
  readonly sha256: string
  readonly sizeBytes: number
  readonly backupId?: string
  /** The hash that a link or catalogue had promised and that was checked. */
  readonly promisedSha256?: string
  /** The chip that a link, catalogue or backup says it is for. */
  readonly chip?: string
}

/** The patient as the screen sees it: no methods. */
export interface PatientView {
  readonly to: 'itself' | 'target'
  readonly by: 'isp' | 'bootloader'
  readonly kind: string
  readonly chip: string
  readonly facts: readonly Fact[]
  readonly notices: readonly Notice[]
  readonly memories: readonly MemoryView[]
  readonly unreadable: readonly Unreadable[]
}

export type MemoryView = Pick<Memory, 'id' | 'address' | 'length' | 'pageBytes' | 'write' | 'reserved'> & {
  readonly readable: boolean
  readonly writable: boolean
}

export interface Running {
  readonly step: StepName
  readonly phase: Phase
  /** The newest event; `path` is [step, operation, memory]. */
  readonly event: ProgressEvent | undefined
  /** Bytes a second over the last moments; undefined until known. */
  readonly bytesPerSecond: number | undefined
  /** Seconds left, low and high; undefined until known. */
  readonly secondsLeft: readonly [number, number] | undefined
  /** True once the user asked to stop and the job has not stopped yet. */
  readonly stopping: boolean
}

/** How the end was proven, or that it was not. */
export interface ProofResult {
  readonly kind: 'running-version' | 'read-again' | 'none'
  /** What was expected and what was found, in the field's words. */
  readonly expected: string
  readonly found: string
  readonly facts: readonly Fact[]
}

export interface Outcome {
  readonly startedAt: string
  readonly finishedAt: string
  readonly programmedBytes: number
  readonly verifiedBytes: number
  readonly hashes: readonly { memory: string; before: string | undefined; after: string }[]
}

/** Which way the user is asked to help with the proof. */
export type ProofWanted = 'plug-in-by-itself' | 'read-again'

export interface JobView {
  readonly id: string
  readonly step: StepName
  readonly done: readonly StepName[]
  readonly programmer:
    | { readonly model: string; readonly facts: readonly Fact[]; readonly notices: readonly Notice[] }
    | undefined
  readonly patient: PatientView | undefined
  /** What the patient's flash was recognised as, once it was read. */
  readonly firmware: KnownFirmware | undefined
  readonly backup: Backup | undefined
  readonly wanted: Wanted | undefined
  readonly checks: readonly Check[] | undefined
  readonly plan: Plan | undefined
  readonly outcome: Outcome | undefined
  readonly proofWanted: ProofWanted | undefined
  readonly proof: ProofResult | undefined
  readonly certificateId: string | undefined
  readonly running: Running | undefined
  /** Of the step at hand; cleared when it is tried again. */
  readonly error: FlashError | undefined
  /** Whether the patient may be half-written: shown with every error from the first erase on. */
  readonly halfWritten: boolean
}

/** What a job needs from the computer around it; `host/` has the browser's, tests their own. */
export interface Surroundings {
  /** Undefined: the browser does not say. */
  battery(): Promise<{ readonly charging: boolean; readonly level: number } | undefined>
  /** Bytes still free for this site; undefined: unknown. */
  storageRoom(): Promise<number | undefined>
  /** Asks the browser to keep our storage. */
  persist(): Promise<boolean>
  /** Runs `work` with wake lock and leave guard; both end with it. */
  guarded<T>(work: () => Promise<T>): Promise<T>
  /** Holds the lock of that name for as long as the returned disposable lives; undefined: another tab has it. */
  lock(name: string): Promise<AsyncDisposable | undefined>
  /** The app's build, for the certificate. */
  readonly build: string
}
