/**
 * The plan: every range to keep, erase, program and verify, before the first byte moves. Pure.
 */
import type { Memory, MemoryId, Range } from '#core/programmer.ts'

/** A memory without its abilities, but with what they were. */
export type MemoryLayout = Omit<Memory, 'read' | 'program'> & {
  readonly readable: boolean
  readonly writable: boolean
}

/** What the user may decide about a plan. */
export interface PlanRule {
  /** What the image does not mention, in a memory that it does: stays, or is blanked. */
  readonly outside: 'keep' | 'blank'
  /** Parts of the image in a reserved range (the boot loader): no plan, or left out. */
  readonly reserved: 'refuse' | 'skip'
}

export interface PlannedRange extends Range {
  readonly memory: MemoryId
  /**
   * keep: stays as it is and is not touched · refill: stays the same, but a chip erase takes it, so it is
   * written again from the backup · program: new bytes · blank: erased, and that is all the image asks for
   */
  readonly action: 'keep' | 'refill' | 'program' | 'blank'
  /** Why a kept range is kept. */
  readonly why?: 'same' | 'outside' | 'bootloader'
}

export interface Plan {
  /** `Patient.kind` that this was planned for. */
  readonly patientKind: string
  /** What was in the patient when it was planned, whole memories; absent: could not be read. */
  readonly before: ReadonlyMap<MemoryId, Uint8Array>
  /** 'chip': a chip erase comes first. 'none': only bits are cleared, or pages overwrite. */
  readonly erase: 'chip' | 'none'
  readonly ranges: readonly PlannedRange[]
  /** What each written memory must hold afterwards, whole; the verify compares all of it. */
  readonly expected: ReadonlyMap<MemoryId, Uint8Array>
  /** Bytes to program and to read back, and the estimate in ms (low, high). */
  readonly programBytes: number
  readonly verifyBytes: number
  readonly estimateMs: readonly [number, number]
  /** What cannot be undone or is dangerous; each needs the user's consent, typed when `typed`. */
  readonly consequences: readonly Consequence[]
}

export interface Consequence {
  /** What `Job.write` wants to hear back: the code, with the place where there can be several. */
  readonly id: string
  readonly code:
    | 'no-backup' // a memory could not be read and will be lost
    | 'fuse-danger'
    | 'lock-bits' // can only be cleared by a chip erase
    | 'bootloader-replaced'
    | 'other-device' // a backup of another device
    | 'warning-overridden' // a check warned
  readonly typed: boolean
  readonly values: Readonly<Record<string, string>>
}
