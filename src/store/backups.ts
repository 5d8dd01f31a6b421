/**
 * Backups: every memory of a patient as it was read twice and found equal, with where it came from. Only
 * this file makes a `Receipt`: a backup that was stored, read back from the store and hashed again.
 */
import type { IDBPObjectStore, StoreKey, StoreNames } from 'idb'
import { FlashError, isFlashError } from '#core/errors.ts'
import type { Fact, KnownFirmware, MemoryId, Unreadable } from '#core/programmer.ts'
import { firmwareName } from '#core/versions.ts'
import {
  areTexts,
  changing,
  ofBackup,
  reading,
  recordOf,
  recordsOf,
  type Database,
  type Schema,
  type Torn,
} from './db.ts'
import { Journal, stageOf, type JournalEntry } from './journal.ts'
import { sha256 } from '#firmware/hash.ts'

export interface BackupMemoryEntry {
  readonly id: MemoryId
  readonly address: number
  readonly length: number
  /** Hex, of the bytes. */
  readonly sha256: string
}

export interface BackupMemory extends BackupMemoryEntry {
  readonly bytes: Uint8Array
}

/** Where a backup came from. */
export interface Origin {
  /** Read from a twin of the practice bench, not from a device. */
  readonly practice?: true
  readonly programmer: { readonly model: string; readonly facts: readonly Fact[] }
  readonly way: { readonly to: 'itself' | 'target'; readonly by: string }
  readonly patient: {
    readonly kind: string
    readonly chip: string
    readonly facts: readonly Fact[]
    /** What tells two units apart, when there is something. */
    readonly serial: string | undefined
  }
}

/** A backup without its bytes: what the library lists. */
export interface BackupEntry {
  readonly id: string
  /** ISO 8601, UTC. */
  readonly createdAt: string
  readonly name: string
  readonly note: string
  readonly origin: Origin
  readonly firmware: KnownFirmware | undefined
  readonly memories: readonly BackupMemoryEntry[]
  readonly unreadable: readonly Unreadable[]
  /** 'read': read twice here; 'imported': from an archive. */
  readonly source: 'read' | 'imported'
  /** Hex, over the canonical list of memories with their hashes. */
  readonly sha256: string
}

export interface Backup extends BackupEntry {
  readonly memories: readonly BackupMemory[]
}

declare const receiptBrand: unique symbol
/** Proof that a backup is safely stored; `flash` cannot be called without one (or a reason). */
export type Receipt = Readonly<{
  backupId: string
  sha256: string
  patientKind: string
  /** Which memories it can bring back. */
  memories: readonly MemoryId[]
  [receiptBrand]: true
}>

export interface BackupDraft {
  readonly origin: Origin
  readonly firmware: KnownFirmware | undefined
  readonly memories: readonly Omit<BackupMemory, 'sha256' | 'length'>[]
  readonly unreadable: readonly Unreadable[]
  /** Default: what was recognised in it, and the chip. */
  readonly name?: string
  readonly note?: string
}

/** A removed backup, for `restoreRemoved`; it lives as long as somebody holds it. */
export interface RemovedBackup {
  readonly backup: Backup
}

/** In characters; archives are refused beyond it. */
export const longest = { name: 4000, note: 10_000 }

const bothStores = ['backups', 'memories'] as const

export class Backups {
  /** Writes that need one of these backups to be finished. */
  readonly journal: Journal
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
    this.journal = new Journal(db)
  }

  /**
   * Stores a backup, reads it back and hashes it again; only then there is a receipt.
   * @throws `storage-full`, `storage-failed`, `backup-corrupt`
   */
  async add(draft: BackupDraft): Promise<{ backup: Backup; receipt: Receipt }> {
    const memories = await Promise.all(draft.memories.map(hashed))
    const backup: Backup = {
      id: crypto.randomUUID(),
      createdAt: new Date().toISOString(),
      name: draft.name ?? defaultName(draft),
      note: draft.note ?? '',
      origin: draft.origin,
      firmware: draft.firmware,
      memories,
      unreadable: draft.unreadable,
      source: 'read',
      sha256: await sha256OfMemories(memories),
    }
    await this.#write([backup])
    return { backup, receipt: await this.receiptFor(backup.id, backup.sha256) }
  }

  /** All or none, in one transaction; resolves with how many were not there yet. */
  async addImported(backups: readonly Backup[]): Promise<number> {
    const known = await this.list()
    const fresh: Backup[] = []
    for (const backup of backups) {
      const here = known.find((other) => isSameBackup(backup, other))
      if (here && (await this.#isProven(here))) continue
      const isTaken = known.some(({ id }) => id === backup.id)
      const id = here?.id ?? (isTaken ? crypto.randomUUID() : backup.id) // another one has its id
      fresh.push({ ...backup, id, source: 'imported' })
    }
    await this.#write(fresh, true)
    for (const { id, sha256 } of fresh) await this.receiptFor(id, sha256)
    return fresh.length
  }

  /** False: it has rotted. */
  async #isProven({ id, sha256 }: BackupEntry): Promise<boolean> {
    try {
      await this.receiptFor(id, sha256)
      return true
    } catch (error) {
      if (isFlashError(error, 'backup-corrupt')) return false
      throw error
    }
  }

  /**
   * Newest first, without what is damaged (`Damage`); `text`: only those with all of its words in names, notes, chip,
   * programmer, facts or hash.
   */
  async list(text = ''): Promise<readonly BackupEntry[]> {
    const [entries, held] = await reading('listing the backups', this.#db, bothStores, (all) =>
      Promise.all([recordsOf(all.objectStore('backups')), all.objectStore('memories').getAllKeys()]),
    )
    const words = text.toLowerCase().split(/\s+/).filter(Boolean)
    return [...entries.values()]
      .filter((entry) => isSoundBackup(entry))
      .filter((entry) => {
        if (!isWhole(entry, held)) return false
        const haystack = searchable(entry)
        return words.every((word) => haystack.includes(word))
      })
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt))
  }

  /** As it is stored, not hashed again. @throws `backup-corrupt` when it is damaged or memories are missing. */
  async get(id: string): Promise<Backup | undefined> {
    const { isThere, entry, stored } = await reading(
      'reading a backup',
      this.#db,
      bothStores,
      async (all) => {
        const [backups, memories] = [all.objectStore('backups'), all.objectStore('memories')]
        const keys = await memories.getAllKeys(ofBackup(id))
        return {
          isThere: keys.length + (await backups.count(id)) > 0,
          entry: (await recordOf(backups, id)) as Torn<BackupEntry>,
          stored: await Promise.all(keys.map((key) => recordOf(memories, key))),
        }
      },
    )
    if (!isThere) return undefined
    if (!isSoundBackup(entry))
      throw new FlashError('backup-corrupt', { name: entry?.name ?? id, why: 'record' })
    const memories = entry.memories.map((memory) => {
      const bytes = stored.find((one) => one?.id === memory.id)?.bytes
      if (!(bytes instanceof Uint8Array))
        throw new FlashError('backup-corrupt', { name: entry.name, why: `no ${memory.id}` })
      return { ...memory, bytes }
    })
    return { ...entry, memories }
  }

  /**
   * Proves a stored backup again: reads all of it, hashes it, compares.
   * @throws `backup-corrupt`, `storage-failed`
   */
  async receiptFor(id: string, expected?: string): Promise<Receipt> {
    const backup = await this.get(id)
    if (!backup) throw new FlashError('backup-corrupt', { name: id, why: 'not there' })
    const memories = await Promise.all(backup.memories.map(hashed))
    for (const [i, { id: memory, sha256 }] of memories.entries())
      if (sha256 !== backup.memories[i]?.sha256)
        throw new FlashError('backup-corrupt', { name: backup.name, why: `hash of ${memory}` })
    const whole = await sha256OfMemories(memories)
    if (whole !== backup.sha256 || whole !== (expected ?? whole))
      throw new FlashError('backup-corrupt', { name: backup.name, why: 'hash' })
    return {
      backupId: id,
      sha256: whole,
      patientKind: backup.origin.patient.kind,
      memories: memories.map((memory) => memory.id),
    } as unknown as Receipt // the one place that makes one
  }

  rename(id: string, name: string): Promise<BackupEntry> {
    return this.#change(id, { name: name.slice(0, longest.name) })
  }

  note(id: string, note: string): Promise<BackupEntry> {
    return this.#change(id, { note: note.slice(0, longest.note) })
  }

  /**
   * With what the journal has of jobs that wrote nothing yet, or all. Undefined: it was not there.
   * @throws `backup-needed` while the journal has a write that needs it
   */
  async remove(id: string): Promise<RemovedBackup | undefined> {
    const backup = await this.get(id)
    if (!backup) return undefined
    await changing('removing a backup', this.#db, [...bothStores, 'journal'], async (all) => {
      for (const job of await refuseNeeded(all.objectStore('journal'), id, backup.name))
        await all.objectStore('journal').delete(job)
      await all.objectStore('backups').delete(id)
      await all.objectStore('memories').delete(ofBackup(id))
    })
    return { backup }
  }

  async restoreRemoved({ backup }: RemovedBackup): Promise<void> {
    await this.#write([backup])
    await this.receiptFor(backup.id, backup.sha256)
  }

  /** `inPlace`: of what is there of them already, which is damaged. */
  #write(backups: readonly Backup[], inPlace = false): Promise<void> {
    return changing('storing a backup', this.#db, bothStores, async (all) => {
      for (const { memories, ...entry } of backups) {
        if (inPlace) {
          await all.objectStore('backups').delete(entry.id)
          await all.objectStore('memories').delete(ofBackup(entry.id))
        }
        const entries = memories.map(({ id, address, length, sha256 }) => ({ id, address, length, sha256 }))
        await all.objectStore('backups').add({ ...entry, memories: entries })
        for (const { id, bytes } of memories) {
          const own = bytes.slice() // a view would store all of its buffer
          await all.objectStore('memories').add({ backupId: entry.id, id, bytes: own })
        }
      }
    })
  }

  async #change(id: string, changes: Partial<Pick<BackupEntry, 'name' | 'note'>>): Promise<BackupEntry> {
    let changed: BackupEntry | undefined
    await changing('changing a backup', this.#db, ['backups'], async (all) => {
      const entries = all.objectStore('backups')
      const entry = await entries.get(id)
      if (entry) await entries.put((changed = { ...entry, ...changes }))
    })
    if (changed) return changed
    throw new FlashError('storage-failed', { during: `changing backup ${id}, which is not there` })
  }
}

/** Whether it has what it is listed, shown and restored by. */
export function isSoundBackup(entry: Torn<BackupEntry>): entry is BackupEntry {
  const { id, createdAt, name, note, origin, firmware, memories, unreadable, sha256 } = entry ?? {}
  const { programmer, way, patient } = origin ?? {}
  const lists = [programmer?.facts, patient?.facts, memories, unreadable]
  return (
    areTexts([id, createdAt, name, note, sha256, programmer?.model, way?.to, way?.by]) &&
    areTexts([patient?.kind, patient?.chip, firmware ? firmware.name : '']) &&
    lists.every((one) => Array.isArray(one) && one.every((item) => typeof item === 'object')) &&
    areTexts((memories ?? []).flatMap((memory) => [memory?.id, memory?.sha256]))
  )
}

/** Whether the store has bytes for each of its memories. */
export const isWhole = (
  { id, memories }: BackupEntry,
  held: readonly StoreKey<Schema, 'memories'>[],
): boolean => memories.every((memory) => held.some(([of, name]) => of === id && name === memory.id))

/**
 * @returns the jobs of the journal that are of this backup
 * @throws `backup-needed` when one of them is a write that was not seen to end
 */
export async function refuseNeeded(
  journal: IDBPObjectStore<Schema, StoreNames<Schema>[], 'journal', 'readwrite'>,
  id: string,
  name: string,
): Promise<readonly string[]> {
  const jobs = [...(await recordsOf(journal))].filter(([, job]) => job?.backupId === id)
  if (jobs.some(([, job]) => stageOf(job as JournalEntry) === 'writing'))
    throw new FlashError('backup-needed', { name })
  return jobs.map(([job]) => job)
}

/** Its id may be another since it was imported; the same contents alone may be of another chip. */
const isSameBackup = (a: BackupEntry, b: BackupEntry): boolean =>
  a.sha256 === b.sha256 && (a.id === b.id || (a.createdAt === b.createdAt && a.name === b.name))

async function hashed(memory: BackupDraft['memories'][number]): Promise<BackupMemory> {
  const { id, address, bytes } = memory
  return { id, address, length: bytes.length, sha256: await sha256(bytes), bytes }
}

/** Over one line a memory, by name: `eeprom 0x0 512 3f9a…`. */
export function sha256OfMemories(memories: readonly BackupMemoryEntry[]): Promise<string> {
  const lines = memories.map(
    ({ id, address, length, sha256 }) => `${id} 0x${address.toString(16)} ${String(length)} ${sha256}\n`,
  )
  return sha256(new TextEncoder().encode(lines.sort().join('')))
}

function defaultName({ firmware, origin }: BackupDraft): string {
  return [firmware && firmwareName(firmware), origin.patient.chip].filter(Boolean).join(', ')
}

function searchable({ name, note, origin, firmware, createdAt, sha256 }: BackupEntry): string {
  const { programmer, patient } = origin
  const facts = [...programmer.facts, ...patient.facts].map(({ value }) => value)
  return [
    ...[name, note, createdAt, sha256, programmer.model, patient.chip, patient.serial, ...facts],
    ...[firmware?.name, firmware?.version],
  ]
    .join('\n')
    .toLowerCase()
}
