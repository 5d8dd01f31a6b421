/**
 * Backups: every memory of a patient as it was read twice and found equal, with where it came from. Only
 * this file makes a `Receipt`: a backup that was stored, read back from the store and hashed again.
 */
import type { Fact, KnownFirmware, MemoryId, Unreadable } from '#core/programmer.ts'

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
