/** The database and what is kept in it; opened when somebody needs it first, then shared. */
import { Backups } from '#store/backups.ts'
import { Certificates } from '#store/certificates.ts'
import { Damage } from '#store/damage.ts'
import { openDatabase } from '#store/db.ts'
import { Keys } from '#store/keys.ts'

export interface Stores {
  readonly backups: Backups
  readonly certificates: Certificates
  readonly keys: Keys
  readonly damage: Damage
}

export async function openStores(): Promise<Stores> {
  const db = await openDatabase()
  return {
    backups: new Backups(db),
    certificates: new Certificates(db),
    keys: new Keys(db),
    damage: new Damage(db),
  }
}
