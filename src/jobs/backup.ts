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
import type { BackupDraft, Receipt } from '#store/backups.ts'
import { differences, isReadable, readWhole, type Readable } from './reading.ts'

export interface ReadContents {
  readonly memories: BackupDraft['memories']
  readonly unreadable: readonly Unreadable[]
  /** Of the largest memory, first pass; undefined when there was too little to measure. */
  readonly bytesPerSecond: number | undefined
}

/** @throws `backup-mismatch` when two readings differ, and whatever the patient throws */
export async function readContents(patient: Patient, ctx: Context): Promise<ReadContents> {
  const readable = patient.memories.filter(isReadable)
  const passes = ctx.progress.steps({ read: 1, confirm: 1 })
  const first = await readAll(readable, ctx.under(passes.read))
  const second = await readAll(readable, ctx.under(passes.confirm))
  for (const [i, memory] of readable.entries()) {
    const [one, two] = [first[i], second[i]]
    if (one && two) await refuseDifference(memory, one.bytes, two.bytes, ctx)
  }
  const memories = readable.map(({ id, address }, i) => ({
    id,
    address,
    bytes: first[i]?.bytes ?? new Uint8Array(),
  }))
  const hidden = hiddenBehindLock(memories)
  return {
    memories: memories.filter(({ id }) => !hidden.includes(id)),
    unreadable: [
      ...patient.unreadable,
      ...hidden.map((memory) => ({ memory, reason: 'read-protected' as const })),
    ],
    bytesPerSecond: rate(first),
  }
}

interface Reading {
  readonly bytes: Uint8Array
  readonly ms: number
}

async function readAll(memories: readonly Readable[], ctx: Context): Promise<Reading[]> {
  const weights = Object.fromEntries(memories.map(({ id, length }) => [id, length])) as Record<
    MemoryId,
    number
  >
  const steps = ctx.progress.steps(weights)
  const readings: Reading[] = []
  for (const memory of memories) {
    ctx.checkpoint()
    const startedAt = ctx.clock.now()
    const bytes = await readWhole(memory, ctx.under(steps[memory.id].expect(memory.length)))
    readings.push({ bytes, ms: ctx.clock.now() - startedAt })
    steps[memory.id].finish()
  }
  return readings
}

async function refuseDifference(
  memory: Readable,
  one: Uint8Array,
  two: Uint8Array,
  ctx: Context,
): Promise<void> {
  const found = differences(memory.id, memory.address, one, two)
  if (!found) return
  const three = await readWhole(memory, ctx)
  const settled = differences(memory.id, memory.address, two, three) === undefined
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

function rate(readings: readonly Reading[]): number | undefined {
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
