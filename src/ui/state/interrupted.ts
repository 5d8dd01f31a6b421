/** Jobs that were not seen to end, as far as they can be continued here: on this bench, by no other tab. */
import { isFlashError } from '#core/errors.ts'
import { saveFile } from '#host/download.ts'
import { openJobs, unlessOpen } from '#host/job-lock.ts'
import type { Backups } from '#store/backups.ts'
import type { Journal, JournalEntry } from '#store/journal.ts'

/** Newest first. `practice`: those of the practice bench; a twin never stands in for a device, nor the other way. */
export async function interruptedJobs(journal: Journal, practice: boolean): Promise<readonly JournalEntry[]> {
  const [entries, open] = await Promise.all([journal.list(), openJobs()])
  return entries.filter((entry) => (entry.practice === true) === practice && !open.has(entry.id))
}

/** A file with all that is kept of it. False: without the backup, which is damaged or gone; the rest still helps. */
export async function saveJob(backups: Backups, entry: JournalEntry): Promise<boolean> {
  const { exportJob } = await import('#store/archive.ts')
  const time = entry.startedAt.slice(0, 16).replace(/[T:]/g, '-')
  const backup = await backups
    .receiptFor(entry.backupId, entry.backupSha256)
    .then(() => backups.get(entry.backupId))
    .catch(noneWhenDamaged)
  saveFile(`reflasher-interrupted-${time}.zip`, await exportJob(entry, backup))
  return backup !== undefined
}

/** Not while a tab is on it: the entry is then all that a power cut would leave. */
export async function forgetJob(journal: Journal, id: string): Promise<void> {
  await unlessOpen(id, () => journal.close(id))
}

function noneWhenDamaged(error: unknown): undefined {
  if (!isFlashError(error, 'backup-corrupt')) throw error
}
