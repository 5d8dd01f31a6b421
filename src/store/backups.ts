/**
 * Backups: every memory of a patient as it was read twice and found equal, with where it came from. Only
 * this file makes a `Receipt`: a backup that was stored, read back from the store and hashed again.
 */
import { FlashError } from '#core/errors.ts'
import type { Fact, KnownFirmware, MemoryId, Unreadable } from '#core/programmer.ts'
import { changing, reading, type Database } from './db.ts'
import { Journal, stageOf } from './journal.ts'
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
    const has = (one: Backup) => known.some((other) => isSameBackup(one, other))
    const isTaken = (id: string) => known.some((one) => one.id === id)
    const fresh = backups
      .filter((backup) => !has(backup))
      .map((backup) => ({
        ...backup,
        id: isTaken(backup.id) ? crypto.randomUUID() : backup.id, // another one has its id
        source: 'imported' as const,
      }))
    await this.#write(fresh)
    for (const { id, sha256 } of fresh) await this.receiptFor(id, sha256)
    return fresh.length
  }

  /** Newest first; `text`: only those with all of its words in names, notes, chip, programmer, facts or hash. */
  async list(text = ''): Promise<readonly BackupEntry[]> {
    const entries = await reading('listing the backups', this.#db, ['backups'], (all) =>
      all.objectStore('backups').getAll(),
    )
    const words = text.toLowerCase().split(/\s+/).filter(Boolean)
    return entries
      .filter((entry) => {
        const haystack = searchable(entry)
        return words.every((word) => haystack.includes(word))
      })
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt))
  }

  /** As it is stored, not hashed again. @throws `backup-corrupt` when memories are missing. */
  async get(id: string): Promise<Backup | undefined> {
    const [entry, stored] = await reading('reading a backup', this.#db, bothStores, (all) =>
      Promise.all([
        all.objectStore('backups').get(id),
        all.objectStore('memories').getAll(IDBKeyRange.bound([id], [id, []])),
      ]),
    )
    if (!entry) return undefined
    const memories = entry.memories.map((memory) => {
      const bytes = stored.find((one) => one.id === memory.id)?.bytes
      if (!bytes) throw new FlashError('backup-corrupt', { name: entry.name, why: `no ${memory.id}` })
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
      const jobs = (await all.objectStore('journal').getAll()).filter(({ backupId }) => backupId === id)
      if (jobs.some((job) => stageOf(job) === 'writing'))
        throw new FlashError('backup-needed', { name: backup.name })
      for (const job of jobs) await all.objectStore('journal').delete(job.id)
      await all.objectStore('backups').delete(id)
      await all.objectStore('memories').delete(IDBKeyRange.bound([id], [id, []]))
    })
    return { backup }
  }

  async restoreRemoved({ backup }: RemovedBackup): Promise<void> {
    await this.#write([backup])
    await this.receiptFor(backup.id, backup.sha256)
  }

  #write(backups: readonly Backup[]): Promise<void> {
    return changing('storing a backup', this.#db, bothStores, async (all) => {
      for (const { memories, ...entry } of backups) {
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
  const held = [firmware?.name, firmware?.version].filter((part) => part !== undefined).join(' ')
  return [held, origin.patient.chip].filter(Boolean).join(', ')
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
