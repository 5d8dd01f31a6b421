/**
 * The one database of this site (IndexedDB through idb): its stores, its versions, and what its failures
 * are called. What the records mean is known by the other files of this folder.
 *
 * A released version is never changed: a change is one more function at the end of `upgrades`.
 */
import {
  openDB,
  unwrap,
  type DBSchema,
  type IDBPDatabase,
  type IDBPObjectStore,
  type IDBPTransaction,
  type StoreKey,
  type StoreNames,
  type StoreValue,
} from 'idb'
import { FlashError } from '#core/errors.ts'
import type { MemoryId } from '#core/programmer.ts'
import type { BackupEntry } from './backups.ts'
import type { StoredCertificate } from './certificates.ts'
import type { JournalEntry } from './journal.ts'

export interface Schema extends DBSchema {
  /** Without the bytes, so that a list does not load megabytes. */
  backups: { key: string; value: BackupEntry }
  memories: { key: [backupId: string, id: MemoryId]; value: StoredMemory }
  certificates: { key: string; value: StoredCertificate }
  keys: { key: string; value: CryptoKeyPair }
  journal: { key: string; value: JournalEntry }
}

export interface StoredMemory {
  readonly backupId: string
  readonly id: MemoryId
  readonly bytes: Uint8Array
}

export type Database = IDBPDatabase<Schema>
export type Upgrade = (
  db: Database,
  all: IDBPTransaction<Schema, StoreNames<Schema>[], 'versionchange'>,
) => void

/** `upgrades[n]` leads from version n to version n + 1. */
export const upgrades: readonly Upgrade[] = [firstVersion, withoutSettingsAndFiles, withStages]

function firstVersion(db: Database): void {
  db.createObjectStore('backups', { keyPath: 'id' })
  db.createObjectStore('memories', { keyPath: ['backupId', 'id'] })
  db.createObjectStore('certificates', { keyPath: 'id' })
  db.createObjectStore('keys')
  db.createObjectStore('journal', { keyPath: 'id' })
  const untyped = db as unknown as IDBPDatabase
  untyped.createObjectStore('settings')
  untyped.createObjectStore('firmware', { keyPath: 'sha256' })
}

/** Nothing was ever kept in them. */
function withoutSettingsAndFiles(db: Database): void {
  const untyped = db as unknown as IDBPDatabase
  untyped.deleteObjectStore('settings')
  untyped.deleteObjectStore('firmware')
}

/** Entries of the journal have a stage; an older page would take any of them for a write that began. */
function withStages(): void {
  // those that are there are of writes that began, and say so by having none
}

/**
 * Opens the database, upgrading it when it is older. A newer page in another tab may ask for it: then this
 * connection closes and later calls fail as `storage-failed`.
 * @throws `browser-unsupported`, `storage-full`, `storage-failed` (also when it is from a newer version).
 */
export function openDatabase(name = 'reflasher', steps: readonly Upgrade[] = upgrades): Promise<Database> {
  if (typeof indexedDB === 'undefined') throw new FlashError('browser-unsupported', { api: 'storage' })
  return storing('opening the database', () => {
    return new Promise<Database>((resolve, reject) => {
      const opening = openDB<Schema>(name, steps.length, {
        upgrade: (db, from, _to, all) => {
          for (const step of steps.slice(from)) step(db, all)
        },
        blocked: () => {
          opening.then((db) => db.close(), reject) // it comes too late: nobody waits for it any more
          reject(new FlashError('storage-failed', { during: 'waiting for another tab to let go' }))
        },
        blocking: (_current, _blocked, event) => {
          ;(event.target as IDBDatabase).close()
        },
      })
      opening.then(resolve, reject)
    })
  })
}

/** Makes changes in one transaction: all or none, and on the disk when it resolves. */
export function changing(
  during: string,
  db: Database,
  stores: readonly StoreNames<Schema>[],
  change: (all: IDBPTransaction<Schema, StoreNames<Schema>[], 'readwrite'>) => Promise<unknown>,
): Promise<void> {
  return storing(during, async () => {
    const all = db.transaction([...stores], 'readwrite', { durability: 'strict' })
    try {
      await change(all)
      await all.done
    } catch (error) {
      if (!all.error) all.abort()
      // A full disk may end the transaction, and the requests in it only say that it ended.
      const reason = await all.done.then(
        () => undefined,
        () => all.error,
      )
      throw reason ?? error
    }
  })
}

/** Reads in one transaction. idb's own shortcuts leave the end of theirs to nobody, who then hears of a failure. */
export function reading<T>(
  during: string,
  db: Database,
  stores: readonly StoreNames<Schema>[],
  read: (all: IDBPTransaction<Schema, StoreNames<Schema>[]>) => Promise<T>,
): Promise<T> {
  return storing(during, async () => {
    const all = db.transaction([...stores])
    const [result] = await Promise.all([read(all), all.done])
    return result
  })
}

/** A record as it may be that a power cut or a failing disk has torn. */
export type Torn<T> = T extends object ? { readonly [K in keyof T]?: Torn<T[K]> } | undefined : T | undefined

type Shelf<S extends StoreNames<Schema>> = IDBPObjectStore<
  Schema,
  StoreNames<Schema>[],
  S,
  IDBTransactionMode
>

/** One record; undefined: it is not there, or the browser cannot read it any more. That ends no transaction. */
export function recordOf<S extends StoreNames<Schema>>(
  store: Shelf<S>,
  key: StoreKey<Schema, S>,
): Promise<StoreValue<Schema, S> | undefined> {
  return new Promise((resolve) => {
    const request = unwrap(store).get(key) as IDBRequest<StoreValue<Schema, S> | undefined>
    request.onsuccess = () => resolve(request.result)
    request.onerror = (event) => {
      event.preventDefault()
      event.stopPropagation()
      resolve(undefined)
    }
  })
}

/** All records by their keys, each as `recordOf` has it: `getAll` gives none where one cannot be read. */
export async function recordsOf<S extends StoreNames<Schema>>(
  store: Shelf<S>,
): Promise<ReadonlyMap<StoreKey<Schema, S>, Torn<StoreValue<Schema, S>>>> {
  const keys = await store.getAllKeys()
  const records = keys.map(async (key) => [key, await recordOf(store, key)] as const)
  return new Map((await Promise.all(records)) as [StoreKey<Schema, S>, Torn<StoreValue<Schema, S>>][])
}

/** The keys of its memories. */
export const ofBackup = (id: string): IDBKeyRange => IDBKeyRange.bound([id], [id, []])

export const areTexts = (texts: readonly unknown[]): boolean =>
  texts.every((text) => typeof text === 'string')

/** What goes wrong in `work` as `storage-full` or `storage-failed`; a `FlashError` stays what it is. */
export async function storing<T>(during: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof FlashError) throw error
    if (!isQuotaError(error)) throw new FlashError('storage-failed', { during }, { cause: error })
    const { requested, quota } = error
    throw new FlashError(
      'storage-full',
      {
        ...(typeof requested === 'number' ? { needed: requested } : {}),
        ...(typeof quota === 'number' ? { available: quota } : {}),
      },
      { cause: error },
    )
  }
}

/** `DOMException` once, a class of its own in newer browsers; the name is the same. */
const isQuotaError = (
  error: unknown,
): error is Error & { requested?: number | null; quota?: number | null } =>
  error instanceof Error && error.name === 'QuotaExceededError'
