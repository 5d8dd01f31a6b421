/** Writes that began and were not seen to end, as far as they can be continued here: on this bench, by no other tab. */
import { isFlashError } from '#core/errors.ts'
import { saveFile } from '#host/download.ts'
import { unlessWriting, writingJobs } from '#host/job-lock.ts'
import type { Backups } from '#store/backups.ts'
import type { Journal, JournalEntry } from '#store/journal.ts'

/** Newest first. `practice`: those of the practice bench; a twin never stands in for a device, nor the other way. */
export async function interruptedWrites(
  journal: Journal,
  practice: boolean,
): Promise<readonly JournalEntry[]> {
  const [entries, writing] = await Promise.all([journal.list(), writingJobs()])
  return entries.filter((entry) => (entry.practice === true) === practice && !writing.has(entry.id))
}

/** A file with all that is kept of it. False: without the backup, which is damaged or gone; the rest still helps. */
export async function saveWrite(backups: Backups, entry: JournalEntry): Promise<boolean> {
  const { exportWrite } = await import('#store/archive.ts')
  const time = entry.startedAt.slice(0, 16).replace(/[T:]/g, '-')
  const backup = await backups
    .receiptFor(entry.backupId, entry.backupSha256)
    .then(() => backups.get(entry.backupId))
    .catch(noneWhenDamaged)
  saveFile(`reflasher-interrupted-${time}.zip`, await exportWrite(entry, backup))
  return backup !== undefined
}

/** Not while it runs: the entry is then all that a power cut would leave. */
export async function forgetWrite(journal: Journal, id: string): Promise<void> {
  await unlessWriting(id, () => journal.close(id))
}

function noneWhenDamaged(error: unknown): undefined {
  if (!isFlashError(error, 'backup-corrupt')) throw error
}
