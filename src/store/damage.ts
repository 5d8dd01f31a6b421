/**
 * Records that cannot be used any more, as a power cut or a failing disk leaves them. The lists of the stores have none of
 * them, so that the rest stays usable; here they are named, read as far as they are there, and removed.
 */
import { isSoundBackup, isWhole, refuseNeeded, type BackupEntry } from './backups.ts'
import { isSoundCertificate } from './certificates.ts'
import {
  changing,
  ofBackup,
  reading,
  recordOf,
  recordsOf,
  type Database,
  type StoredMemory,
  type Torn,
} from './db.ts'
import { isSoundEntry } from './journal.ts'

export interface Damaged {
  readonly store: 'backups' | 'certificates' | 'journal'
  readonly id: string
  /** What it was called, or of which chip it was; undefined: that is gone too. */
  readonly name: string | undefined
  /** When it was made, as it says. */
  readonly at: string | undefined
}

export class Damage {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** By store and id. */
  async list(): Promise<readonly Damaged[]> {
    const { backups, certificates, journal, held } = await reading(
      'looking for damage',
      this.#db,
      ['backups', 'certificates', 'journal', 'memories'],
      async (all) => ({
        backups: await recordsOf(all.objectStore('backups')),
        certificates: await recordsOf(all.objectStore('certificates')),
        journal: await recordsOf(all.objectStore('journal')),
        held: await all.objectStore('memories').getAllKeys(),
      }),
    )
    const isUsable = (one: Torn<BackupEntry>) => isSoundBackup(one) && isWhole(one, held)
    const headless = held.map(([id]) => id).filter((id) => !backups.has(id))
    return [
      ...found('backups', [...backups, ...new Map(headless.map((id) => [id, undefined]))], isUsable),
      ...found('certificates', [...certificates], isSoundCertificate),
      ...found('journal', [...journal], isSoundEntry),
    ]
  }

  /** What is there of it. */
  async read({ store, id }: Damaged): Promise<{ record: unknown; memories: readonly StoredMemory[] }> {
    return reading('reading what is damaged', this.#db, [store, 'memories'], async (all) => {
      const memories = all.objectStore('memories')
      const keys = store === 'backups' ? await memories.getAllKeys(ofBackup(id)) : []
      const held = await Promise.all(keys.map((key) => recordOf(memories, key)))
      return {
        record: await recordOf(all.objectStore(store), id),
        memories: held.filter(hasBytes),
      }
    })
  }

  /** For good. @throws `backup-needed` while the journal has a write that needs it */
  async remove({ store, id, name = id }: Damaged): Promise<void> {
    await changing('removing what is damaged', this.#db, [store, 'memories', 'journal'], async (all) => {
      if (store === 'backups') {
        await refuseNeeded(all.objectStore('journal'), id, name)
        await all.objectStore('memories').delete(ofBackup(id))
      }
      await all.objectStore(store).delete(id)
    })
  }
}

function found<T>(
  store: Damaged['store'],
  records: readonly (readonly [id: string, Torn<T>])[],
  isSound: (record: Torn<T>) => boolean,
): Damaged[] {
  return records
    .filter(([, record]) => !isSound(record))
    .map(([id, record]) => ({ store, id, ...told(record) }))
}

/** In whichever store it was. */
interface Told {
  readonly name?: string
  readonly chip?: string
  readonly createdAt?: string
  readonly issuedAt?: string
  readonly startedAt?: string
  readonly patient?: Pick<Told, 'chip'>
  readonly origin?: Pick<Told, 'patient'>
}

function told(record: unknown): Pick<Damaged, 'name' | 'at'> {
  const { name, chip, createdAt, issuedAt, startedAt, patient, origin } = (record ?? {}) as Torn<Told> &
    object
  const text = (...some: unknown[]) =>
    some.find((one) => typeof one === 'string' && one !== '') as string | undefined
  return {
    name: text(name, origin?.patient?.chip, patient?.chip, chip),
    at: text(createdAt, issuedAt, startedAt),
  }
}

const hasBytes = (one: Torn<StoredMemory>): one is StoredMemory => one?.bytes instanceof Uint8Array
