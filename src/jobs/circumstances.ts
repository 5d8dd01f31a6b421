/** What the checks look at beside chip and image: whether the store still has what it should, what is known, and the computer. */
import { isFlashError } from '#core/errors.ts'
import type { Log } from '#core/context.ts'
import type { Backup, Backups } from '#store/backups.ts'
import type { Wanted } from '#store/journal.ts'
import type { Computer } from './check.ts'
import { knownOf, natureOf } from './choose.ts'
import type { Surroundings } from './view.ts'

interface Services {
  readonly backups: Backups
  readonly surroundings: Surroundings
}

/** @throws `backup-corrupt` when the backup that is to be restored has rotted since it was chosen */
export async function circumstancesOf(
  wanted: Wanted,
  backup: Backup,
  { backups, surroundings }: Services,
  log: Log,
) {
  const { backupId, sha256 } = wanted.source
  if (backupId !== undefined) await backups.receiptFor(backupId, sha256)
  const [isProven, restored, known, nature, computer] = await Promise.all([
    isStillProven(backup, backups, log),
    backupId === undefined ? undefined : backups.get(backupId),
    knownOf(wanted),
    natureOf(wanted),
    computerOf(surroundings),
  ])
  return { isProven, restored, known, nature, ...computer }
}

/** The battery and the room of this computer, as they are now. */
export async function computerOf(surroundings: Surroundings): Promise<Computer> {
  const [battery, storageRoom] = await Promise.all([surroundings.battery(), surroundings.storageRoom()])
  return { battery, storageRoom }
}

/** False: the store does not hold any more what it should. */
async function isStillProven({ id, sha256 }: Backup, backups: Backups, log: Log): Promise<boolean> {
  try {
    await backups.receiptFor(id, sha256)
    return true
  } catch (error) {
    if (!isFlashError(error, 'backup-corrupt')) throw error
    log(error.message)
    return false
  }
}
