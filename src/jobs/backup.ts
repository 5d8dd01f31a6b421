/**
 * Reading a patient so that the result can be trusted: every readable memory twice, in two passes with time
 * between them, and compared. Two readings that differ are never a backup; a third tells a bad contact
 * from a content that changes.
 *
 * Also the other half of safety: the acknowledgement that something cannot be saved.
 */
import { isBlank } from '#core/bytes.ts'
import type { Context } from '#core/context.ts'
import { FlashError } from '#core/errors.ts'
import type { MemoryId, Patient, Unreadable } from '#core/programmer.ts'
import { Progress } from '#core/progress.ts'
import type { Backup, BackupDraft, Receipt } from '#store/backups.ts'
import type { Wanted } from '#store/journal.ts'
import type { Memories } from './plan.ts'
import { isReadable, mismatch, readWhole, type Readable } from './reading.ts'

export interface ReadContents {
  readonly memories: BackupDraft['memories']
  readonly unreadable: readonly Unreadable[]
  /** Of the largest memory, first pass; undefined when there was too little to measure. */
  readonly bytesPerSecond: number | undefined
}

/** @throws `backup-mismatch` when two readings differ, and whatever the patient throws */
export async function readContents(
  patient: Patient,
  ctx: Context,
  passes = ctx.progress.steps({ read: 1, confirm: 1 }),
): Promise<ReadContents> {
  const first = await readOnce(patient, ctx.under(passes.read))
  const second = await readOnce(patient, ctx.under(passes.confirm))
  for (const [i, { id, bytes }] of second.memories.entries()) {
    const memory = patient.memories.filter(isReadable).find((one) => one.id === id)
    const before = first.memories[i]
    if (memory && before) await refuseDifference(memory, before.bytes, bytes, ctx)
  }
  return first
}

/** One pass: enough to plan from, because a write reads back; not enough for a backup. */
export async function readOnce(patient: Patient, ctx: Context): Promise<ReadContents> {
  const readable = patient.memories.filter(isReadable)
  const weights = Object.fromEntries(readable.map(({ id, length }) => [id, length])) as Record<
    MemoryId,
    number
  >
  const steps = ctx.progress.steps(weights)
  const readings: { id: MemoryId; address: number; bytes: Uint8Array; ms: number }[] = []
  for (const memory of readable) {
    ctx.checkpoint()
    const { id, address, length } = memory
    const startedAt = ctx.clock.now()
    const bytes = await readWhole(memory, ctx.under(steps[id].expect(length)))
    readings.push({ id, address, bytes, ms: ctx.clock.now() - startedAt })
    steps[id].finish()
  }
  const memories = readings.map(({ id, address, bytes }) => ({ id, address, bytes }))
  const hidden = hiddenBehindLock(memories)
  return {
    memories: memories.filter(({ id }) => !hidden.includes(id)),
    unreadable: [
      ...patient.unreadable,
      ...hidden.map((memory) => ({ memory, reason: 'read-protected' as const })),
    ],
    bytesPerSecond: rate(readings),
  }
}

/** One memory, twice. */
export async function readTwice(memory: Readable, ctx: Context): Promise<Uint8Array> {
  const bytes = await readWhole(memory, ctx)
  await refuseDifference(memory, bytes, await readWhole(memory, ctx), ctx)
  return bytes
}

/**
 * A chip that has started anew answers blank, and does so twice; its signature, read last, tells.
 * @throws `backup-mismatch` when the signature is not the backup's
 */
export async function refuseSilence(
  { memories }: Patient,
  backup: Pick<Backup, 'memories'>,
  ctx: Context,
): Promise<void> {
  const memory = memories.filter(isReadable).find(({ id }) => id === 'signature')
  const before = backup.memories.find(({ id }) => id === 'signature')
  if (!memory || !before) return
  const now = await readWhole(memory, ctx.under(Progress.silent()))
  const found = mismatch('signature', memory.address, before.bytes, now)
  if (found) throw new FlashError('backup-mismatch', { ...found, likely: 'bad-contact' })
}

async function refuseDifference(
  memory: Readable,
  one: Uint8Array,
  two: Uint8Array,
  ctx: Context,
): Promise<void> {
  const found = mismatch(memory.id, memory.address, one, two)
  if (!found) return
  const three = await readWhole(memory, ctx.under(Progress.silent()))
  const settled = mismatch(memory.id, memory.address, two, three) === undefined
  throw new FlashError('backup-mismatch', { ...found, likely: settled ? 'changing' : 'bad-contact' })
}

/**
 * A net under the drivers: AVR lock mode 3 reads as blank (or worse), and a blank backup of a full chip is
 * no backup. Lock bits other than the lowest two only guard the boot section; they hide nothing.
 */
function hiddenBehindLock(memories: BackupDraft['memories']): readonly MemoryId[] {
  const lock = memories.find(({ id }) => id === 'lock')?.bytes[0] ?? 0xff
  if ((lock & 0x03) === 0x03) return []
  return memories.filter(({ id, bytes }) => id === 'flash' && isBlank(bytes)).map(({ id }) => id)
}

function rate(readings: readonly { bytes: Uint8Array; ms: number }[]): number | undefined {
  const [largest] = [...readings].sort((a, b) => b.bytes.length - a.bytes.length)
  if (!largest || largest.ms < 1 || largest.bytes.length < 64) return undefined
  return (largest.bytes.length / largest.ms) * 1000
}

// ---- what cannot be saved ------------------------------------------------------------------------

declare const noBackupBrand: unique symbol
/** The user knows that these memories cannot be saved; the receipt is for the others. */
export type NoBackup = Readonly<{
  acknowledged: readonly Unreadable[]
  receipt: Receipt
  [noBackupBrand]: true
}>

/** To be called for an explicit act of the user and nothing else: the only way to a `NoBackup`. */
export function acknowledge(unreadable: readonly Unreadable[], receipt: Receipt): NoBackup {
  return { acknowledged: unreadable, receipt } as unknown as NoBackup
}

/** What could be lost for good: it cannot be read, and this way can write or erase it. */
export function atRisk(
  unreadable: readonly Unreadable[],
  { memories, eraseChip }: Pick<Patient, 'memories' | 'eraseChip'>,
): readonly Unreadable[] {
  const reach = new Set(eraseChip?.erases)
  for (const memory of memories) if (memory.program) reach.add(memory.id)
  return unreadable.filter(({ memory }) => reach.has(memory))
}

/** Of what is to be written, what the backup cannot bring back. */
export const unsaved = (
  backup: Pick<Backup, 'memories'>,
  { contents }: Pick<Wanted, 'contents'>,
): readonly MemoryId[] => [...contents.keys()].filter((id) => !backup.memories.some((one) => one.id === id))

export const contentsOf = (backup: Pick<Backup, 'memories'> | undefined): Memories =>
  new Map(backup?.memories.map(({ id, bytes }) => [id, bytes]))
