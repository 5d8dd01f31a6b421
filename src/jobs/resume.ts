/**
 * Going on after an interruption: what is in the patient now, whether it is still the unit that the job was on, and
 * what its own program has written meanwhile. What there is to do follows from that by planning again (`plan.ts`).
 */
import { equal } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { Contents, MemoryId, Patient } from '#core/programmer.ts'
import type { Backup, BackupDraft } from '#store/backups.ts'
import type { DoneStep, JournalEntry, Wanted } from '#store/journal.ts'
import { readOnce, readTwice, refuseSilence } from './backup.ts'
import { layoutOf, planFlash, type Memories, type PatientLayout, type PlanRule } from './plan.ts'
import { isReadable } from './reading.ts'
import { fitted, hasSerial, refuseStranger } from './same-unit.ts'
import { verifyRead } from './verify.ts'
import { stepNames, type JobView, type StepName } from './view.ts'

/** What a write that was not seen to end may have left in the patient. */
export interface Unfinished {
  readonly wanted: Wanted
  readonly rule: PlanRule
  readonly before: Memories
  /** What was read back instead of what was written: that too tells this unit from another one. */
  readonly wrong: Memories
  /** All that there was to do when it began; undefined: what the backup tells. */
  readonly begun: JournalEntry['begun']
}

const nothing: Memories = new Map()

/** As the journal has it. */
export const unfinishedOf = ({
  wanted,
  rule,
  before = nothing,
  wrong = nothing,
  begun,
}: JournalEntry): Unfinished => ({
  ...{ wanted, rule, before, wrong, begun },
})

/** All that ended so far, and the write that its page was left in: when that was, nobody saw. */
export function pastOf({ stage, startedAt, steps = [], instead }: JournalEntry): readonly DoneStep[] {
  if (stage === 'chosen' || stage === 'written' || instead) return steps
  return [...steps, { name: 'write', startedAt, finishedAt: startedAt, error: 'page-left' }]
}

/** How far it is; its device is not there yet. */
export function viewOf({ stage, ...entry }: JournalEntry): Partial<JobView> {
  const { id, rescue, wanted, rule, checks, outcome, reference = '', instead } = entry
  const seen = [...(entry.seen ? [entry.seen] : []), ...(entry.seenAlso ?? [])]
  const common = { id, rescue, wanted, rule, reference, seen, ...instead }
  if (stage === 'chosen' || instead)
    return { ...common, step: 'check', done: before('check'), halfWritten: instead !== undefined }
  if (stage !== 'written')
    return { ...common, checks, step: 'write', done: before('write'), halfWritten: true }
  // What was plugged in when the write ended is not known any more, so that a version which answers proves nothing.
  return { ...common, checks, outcome, step: 'prove', done: before('prove'), proofWanted: 'read-again' }
}

const before = (step: StepName) => stepNames.slice(0, stepNames.indexOf(step))

async function read(patient: Patient, ctx: Context): Promise<Memories> {
  const { memories } = await readOnce(patient, ctx)
  return new Map(memories.map(({ id, bytes }): [MemoryId, Uint8Array] => [id, bytes]))
}

/** What a half-written patient is compared with. */
export interface Known {
  readonly kept: Memories
  readonly unfinished: Unfinished
  /** It left with all of that, which was not read back; undefined: it did not. */
  readonly written: Memories | undefined
  /** Of the unit that was backed up. */
  readonly serial: string | undefined
}

export interface Present {
  readonly memories: Memories
  /** Its program has written its EEPROM since: nobody has that yet. */
  readonly hasNewEeprom: boolean
  /** It does not hold what was written; what it holds instead, where two readings agree on it. */
  readonly mismatch: FlashError | undefined
  readonly wrong: Memories
}

/**
 * What is in a half-written patient. What it left with may have become anything in it: if its serial number proves it,
 * that is told as wrong, else as another unit.
 * @throws `target-changed` when it is not the one that was being written · `read-protected` when what was written
 * cannot be read back
 */
export async function readHalfWritten(patient: Patient, known: Known, ctx: Context): Promise<Present> {
  const memories = await read(patient, ctx)
  const { kept, unfinished, written = nothing, serial } = known
  const { wanted, rule } = unfinished
  const layout = layoutOf(patient)
  const [before, was] = [fitted(unfinished.before, layout), fitted(kept, layout)]
  const contents = withinLayout(wanted.contents, layout)
  const { expected } = planFlash({ layout, wanted: contents, present: was, kept: was, rule })
  const { mismatch, wrong } = await readingBack(patient, written, memories, ctx)
  const isProven = hasSerial(patient, serial)
  const explained = new Map([...unfinished.wrong, ...(isProven ? wrong : [])])
  try {
    const hasNewEeprom = refuseStranger(memories, [was, expected, before], explained, expected.get('flash'))
    return { memories, hasNewEeprom, mismatch, wrong }
  } catch (stranger) {
    throw isProven && mismatch && wrong.size === 0 ? mismatch : stranger // no two readings that agree: nothing is known
  }
}

async function readingBack(
  patient: Patient,
  written: Memories,
  present: Memories,
  ctx: Context,
): Promise<Pick<Present, 'mismatch' | 'wrong'>> {
  const wrong = new Map<MemoryId, Uint8Array>()
  try {
    await verifyRead(patient, written, present, ctx, (id, found) => void wrong.set(id, found))
    return { mismatch: undefined, wrong }
  } catch (error) {
    if (isFlashError(error, 'verify-mismatch')) return { mismatch: error, wrong }
    throw error
  }
}

/** What can have been written of an image that turned out too long. */
function withinLayout(contents: Contents, { memories }: PatientLayout): Contents {
  return new Map(
    [...contents].map(([id, segments]) => {
      const memory = memories.find((one) => one.id === id)
      const end = memory ? memory.address + memory.length : 0
      const within = segments
        .filter(({ address }) => address < end)
        .map(({ address, bytes }) => ({ address, bytes: bytes.subarray(0, end - address) }))
      return [id, within]
    }),
  )
}

/** Whether a patient that nothing was written to is as it was kept, but for an EEPROM that its program may write. */
export async function isAsKept(patient: Patient, kept: Memories, ctx: Context): Promise<boolean> {
  const memories = await read(patient, ctx)
  const isSame = (id: MemoryId, bytes: Uint8Array) => equal(bytes, kept.get(id) ?? new Uint8Array())
  return (
    memories.size === kept.size && [...memories].every(([id, bytes]) => id === 'eeprom' || isSame(id, bytes))
  )
}

/**
 * The backup once more, but with the EEPROM as it is now.
 * @throws `backup-mismatch`, and what the patient throws
 */
export async function withNewEeprom(patient: Patient, backup: Backup, ctx: Context): Promise<BackupDraft> {
  const eeprom = patient.memories.filter(isReadable).find(({ id }) => id === 'eeprom')
  if (!eeprom) throw new FlashError('bug', { during: 'saving an EEPROM that is not there' })
  const bytes = await readTwice(eeprom, ctx)
  await refuseSilence(patient, backup, ctx)
  const { origin, firmware, unreadable } = backup
  const memories = backup.memories.map((memory) => (memory.id === 'eeprom' ? { ...memory, bytes } : memory))
  ctx.log('the EEPROM has changed since the backup, and is saved anew')
  return { origin, firmware, unreadable, memories }
}
