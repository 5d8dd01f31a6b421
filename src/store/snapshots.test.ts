/**
 * Databases as released versions of the app left them (`version-N.snapshot.json`, never changed again) must open in this
 * one, with all that is in them usable. A new version of the schema adds one more snapshot, or this fails.
 */
import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterEach, expect, test } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import { Backups } from './backups.ts'
import { Certificates } from './certificates.ts'
import { openDatabase, upgrades } from './db.ts'
import { stageOf } from './journal.ts'

interface Snapshot {
  readonly version: number
  /** `bytes` and `map` stand for what JSON cannot hold, see `revive`. */
  readonly stores: Readonly<
    Record<string, { readonly keyPath?: string | string[]; readonly records: unknown[] }>
  >
}

const snapshots = Object.values(
  import.meta.glob<Snapshot>('./*.snapshot.json', { import: 'default', eager: true }),
)
const name = 'snapshot-test'
afterEach(() => deleteDB(name))

test('each version of the schema has its snapshot', () => {
  expect(snapshots.map(({ version }) => version).sort()).toEqual(upgrades.map((_, i) => i + 1))
})

test.each(snapshots)('version $version opens, and all of it is usable', async (snapshot) => {
  await lay(snapshot)
  const db = await openDatabase(name)
  const backups = new Backups(db)
  const [backup, ...others] = await backups.list()
  expect(others).toEqual([])
  await expect(backups.receiptFor(backup?.id ?? '', backup?.sha256)).resolves.toBeDefined()
  const [certificate] = await new Certificates(db).list()
  expect(certificate?.backupId).toBe(backup?.id)
  const entries = await backups.journal.list()
  const stages = ['writing', 'chosen', 'written'] as const
  expect(entries.map(stageOf)).toEqual(snapshot.version < 3 ? ['writing'] : stages)
  for (const { backupId, wanted } of entries) {
    expect(backupId).toBe(backup?.id)
    expect(wanted.contents.get('flash')).toEqual([{ address: 0, bytes: Uint8Array.of(1, 2, 3) }])
  }
  db.close()
})

test('a damaged record is refused by its name, and the others stay usable', async () => {
  const snapshot = snapshots.at(-1)
  if (!snapshot) throw new Error('there is no snapshot')
  await lay(snapshot)
  const db = await openDatabase(name)
  const backups = new Backups(db)
  const [backup] = await backups.list()
  if (!backup) throw new Error('the snapshot has no backup')
  const { origin, firmware, unreadable } = backup
  const memories = [{ id: 'flash' as const, address: 0, bytes: new Uint8Array(9) }]
  const { backup: whole } = await backups.add({ origin, firmware, unreadable, memories })
  await db.put('memories', { backupId: backup.id, id: 'flash', bytes: new Uint8Array(64) })
  await expect(backups.receiptFor(backup.id)).rejects.toMatchObject({
    code: 'backup-corrupt',
    detail: { name: backup.name },
  })
  await expect(backups.receiptFor(whole.id)).resolves.toBeDefined()
  expect(await backups.list()).toHaveLength(2)
  db.close()
})

/** Makes the database with IndexedDB alone, as no code of ours makes it any more. */
async function lay({ version, stores }: Snapshot): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const opening = indexedDB.open(name, version)
    opening.onupgradeneeded = () => {
      for (const [store, { keyPath, records }] of Object.entries(stores)) {
        const made = opening.result.createObjectStore(store, keyPath === undefined ? {} : { keyPath })
        for (const record of records) made.put(revive(record))
      }
    }
    opening.onsuccess = () => {
      opening.result.close()
      resolve()
    }
    opening.onerror = () => reject(opening.error ?? new Error('not opened'))
  })
}

function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive)
  if (typeof value !== 'object' || value === null) return value
  if ('bytes' in value && typeof value.bytes === 'string' && Object.keys(value).length === 1)
    return fromHex(value.bytes)
  if ('map' in value && Array.isArray(value.map))
    return new Map(value.map.map(revive) as [unknown, unknown][])
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, revive(one)]))
}
