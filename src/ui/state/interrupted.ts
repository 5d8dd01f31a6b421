/** Writes that began and were not seen to end, as far as they can be continued here: on this bench, by no other tab. */
import { unlessWriting, writingJobs } from '#host/job-lock.ts'
import type { Journal, JournalEntry } from '#store/journal.ts'

/** Newest first. `practice`: those of the practice bench; a twin never stands in for a device, nor the other way. */
export async function interruptedWrites(
  journal: Journal,
  practice: boolean,
): Promise<readonly JournalEntry[]> {
  const [entries, writing] = await Promise.all([journal.list(), writingJobs()])
  return entries.filter((entry) => (entry.practice === true) === practice && !writing.has(entry.id))
}

/** Not while it runs: the entry is then all that a power cut would leave. */
export async function forgetWrite(journal: Journal, id: string): Promise<void> {
  await unlessWriting(id, () => journal.close(id))
}
