import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Backups } from '#store/backups.ts'
import { Certificates } from '#store/certificates.ts'
import { openDatabase, type Database } from '#store/db.ts'
import type { JournalEntry } from '#store/journal.ts'
import { Keys } from '#store/keys.ts'
import type { BenchState } from './bench.svelte.ts'
import { JobState } from './job.svelte.ts'
import { SessionLog } from './session-log.ts'

let db: Database
beforeEach(async () => {
  db = await openDatabase('job-state-test')
})
afterEach(async () => {
  db.close()
  await deleteDB('job-state-test')
})

test('a write of the practice bench is never continued on a device', async () => {
  const backups = new Backups(db)
  const { backup } = await backups.add({
    origin: {
      practice: true,
      programmer: { model: 'USBasp', facts: [] },
      way: { to: 'target', by: 'isp' },
      patient: { kind: 'avr:1e9307', chip: 'ATmega8', facts: [], serial: undefined },
    },
    firmware: undefined,
    memories: [{ id: 'flash', address: 0, bytes: new Uint8Array(64) }],
    unreadable: [],
  })
  const entry: JournalEntry = {
    id: crypto.randomUUID(),
    startedAt: '2026-01-31T14:02:00.000Z',
    practice: true,
    programmer: 'USBasp',
    way: { to: 'target', by: 'isp' },
    patient: { kind: 'avr:1e9307', chip: 'ATmega8' },
    backupId: backup.id,
    acknowledged: [],
    wanted: {
      contents: new Map(),
      firmware: undefined,
      source: { kind: 'practice', name: 'a', version: undefined, sha256: '', sizeBytes: 0 },
    },
    rule: { outside: 'keep', reserved: 'refuse' },
    consents: [],
  }
  const stores = { backups, certificates: new Certificates(db), keys: new Keys(db) }
  const atDevices = { practice: undefined, log: new SessionLog() } as BenchState
  await expect(JobState.reopen(atDevices, stores, entry)).rejects.toMatchObject({ code: 'bug' })
})
