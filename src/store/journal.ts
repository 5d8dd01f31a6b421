/**
 * Jobs that were not seen to end: what a closed tab or a power cut leaves behind. An entry is written before each
 * stage of its job is acted on and removed with its certificate, and has all that is needed to finish: which
 * backup holds what must be kept, and what was to be written. Before there is a choice nothing can be lost: a
 * backup is in the store by itself.
 */
import type { Check, Contents, KnownFirmware, MemoryId, Rescue, Seen, Unreadable } from '#core/programmer.ts'
import type { Claims } from '#firmware/image.ts'
import { areTexts, changing, reading, recordsOf, type Database, type Torn } from './db.ts'

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
  /** What the file says of itself, and in which format. */
  readonly said?: { readonly format: string; readonly claims: Claims }
  /** Whose firmware a link says it is, by the protocol folder's name, and by which way it goes there. */
  readonly device?: string
  readonly patient?: 'itself' | 'target'
  /** Where it was downloaded from. */
  readonly url?: string
}

/** What a write did, once all of it was read back. */
export interface Outcome {
  readonly startedAt: string
  readonly finishedAt: string
  readonly erase: 'chip' | 'none'
  readonly programmedBytes: number
  readonly verifiedBytes: number
  readonly hashes: readonly { memory: string; before: string | undefined; after: string }[]
  /** What is in the patient now, of all that was planned. */
  readonly expected: ReadonlyMap<MemoryId, Uint8Array>
}

/** A step that ended. */
export interface DoneStep {
  readonly name: string
  /** ISO 8601, UTC. */
  readonly startedAt: string
  readonly finishedAt: string
  /** The code of what ended it early, or `page-left`; absent: it was done. */
  readonly error?: string
}

/**
 *  chosen   the image is chosen, nothing was changed yet
 *  writing  the first change is about to be made: from here on the patient may be half-written
 *  written  all was read back; it is to be proven
 */
export type Stage = 'chosen' | 'writing' | 'written'

export interface JournalEntry {
  /** The job's. */
  readonly id: string
  /** Absent: `writing`, as in entries of older versions, which had no other. */
  readonly stage?: Stage
  /** When its stage began; ISO 8601, UTC. */
  readonly startedAt: string
  /** On a twin of the practice bench. */
  readonly practice?: true
  readonly programmer: string
  /** How it shows itself to the computer, to find it again; older entries do not say. */
  readonly seen?: Seen
  /** As what else it has shown itself in this job, newest first: running its own firmware, or its boot loader. */
  readonly seenAlso?: readonly Seen[]
  readonly way: { readonly to: 'itself' | 'target'; readonly by: string }
  /** The protocol folder that its user has chosen for it; absent: the surest. */
  readonly family?: string
  /** Of the programmer's clock, as it was asked for; absent: automatic. */
  readonly speedHz?: number
  readonly patient: { readonly kind: string; readonly chip: string }
  /** What the job was to bring back, if that was its purpose. */
  readonly rescue?: Rescue
  readonly backupId: string
  /** Of that backup as it was then; older entries do not say. */
  readonly backupSha256?: string
  /** Of `JobView`; absent: nothing was typed. */
  readonly reference?: string
  /** What could not be saved and was acknowledged. */
  readonly acknowledged: readonly Unreadable[]
  readonly wanted: Wanted
  /** Decisions of the user about the plan, by the names that `jobs/plan.ts` has for them. */
  readonly rule: { readonly outside: 'keep' | 'blank'; readonly reserved: 'refuse' | 'skip' }
  readonly consents: readonly string[]
  /** Of the write as a whole, for its certificate; older entries do not say. */
  readonly checks?: readonly Check[]
  /** What was read back instead of what was written, by memory; absent: nothing was wrong so far. */
  readonly wrong?: ReadonlyMap<MemoryId, Uint8Array>
  /** What was in the patient when this write began, where another one had left it half-written. */
  readonly before?: ReadonlyMap<MemoryId, Uint8Array>
  /** Of a `writing` one: what was chosen over it since. Nothing of that is written yet, so the patient is still known by `wanted`. */
  readonly instead?: Pick<JournalEntry, 'wanted' | 'rule'>
  /** What there was to do for this choice then; bytes. Absent as `before` is, but for an erase that starts the chip anew. */
  readonly begun?: { readonly erase: 'chip' | 'none'; readonly programBytes: number }
  /** Of a `written` one. */
  readonly outcome?: Outcome
  /** All that ended so far, for the certificate; older entries do not say. */
  readonly steps?: readonly DoneStep[]
}

export const stageOf = ({ stage = 'writing' }: JournalEntry): Stage => stage

export class Journal {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** Also in place of what it was before; resolves when it is on the disk. */
  open(entry: JournalEntry): Promise<void> {
    return changing('opening the journal', this.#db, ['journal'], (all) =>
      all.objectStore('journal').put(entry),
    )
  }

  async close(id: string): Promise<void> {
    await changing('closing the journal', this.#db, ['journal'], (all) =>
      all.objectStore('journal').delete(id),
    )
  }

  /** Newest first, without what is damaged (`Damage`). */
  async list(): Promise<readonly JournalEntry[]> {
    const entries = await reading('reading the journal', this.#db, ['journal'], (all) =>
      recordsOf(all.objectStore('journal')),
    )
    return [...entries.values()].filter(isSoundEntry).sort((a, b) => b.startedAt.localeCompare(a.startedAt))
  }
}

/** Whether it has what a job is told by and gone on with. */
export function isSoundEntry(entry: Torn<JournalEntry>): entry is JournalEntry {
  const { id, startedAt, backupId, programmer, patient, way, wanted, rule, acknowledged, consents } =
    entry ?? {}
  const texts = [id, startedAt, backupId, programmer, patient?.kind, patient?.chip, way?.to, way?.by]
  return (
    areTexts([...texts, wanted?.source?.name, rule?.outside]) &&
    wanted?.contents instanceof Map &&
    Array.isArray(acknowledged) &&
    Array.isArray(consents)
  )
}
