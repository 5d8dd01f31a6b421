/**
 * Going on after an interruption: what is in the patient now, whether it is still the unit that the job was on, and
 * what its own program has written meanwhile. What there is to do follows from that by planning again (`plan.ts`).
 */
import { equal } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { Contents, MemoryId, Patient } from '#core/programmer.ts'
import type { Backup, BackupDraft } from '#store/backups.ts'
import type { DoneStep, JournalEntry, Wanted } from '#store/journal.ts'
import { readOnce, readTwice, refuseSilence } from './backup.ts'
import { layoutOf, planFlash, type Memories, type PatientLayout, type PlanRule } from './plan.ts'
import { isReadable } from './reading.ts'
import { fitted, refuseStranger } from './same-unit.ts'
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

export interface Present {
  readonly memories: Memories
  /** Its program has written its EEPROM since: nobody has that yet. */
  readonly hasNewEeprom: boolean
}

/**
 * What is in a half-written patient.
 * @throws `target-changed` when it is not the one that was being written
 */
export async function readHalfWritten(
  patient: Patient,
  kept: Memories,
  unfinished: Unfinished,
  ctx: Context,
): Promise<Present> {
  const memories = await read(patient, ctx)
  const { wanted, rule, wrong } = unfinished
  const layout = layoutOf(patient)
  const [before, present] = [fitted(unfinished.before, layout), fitted(kept, layout)]
  const contents = withinLayout(wanted.contents, layout)
  const { expected } = planFlash({ layout, wanted: contents, present, kept: present, rule })
  const hasNewEeprom = refuseStranger(memories, [present, expected, before], wrong, expected.get('flash'))
  return { memories, hasNewEeprom }
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
