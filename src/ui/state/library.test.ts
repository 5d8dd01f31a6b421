import 'fake-indexeddb/auto'
import { unzipSync } from 'fflate'
import { deleteDB } from 'idb'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { saveFile } from '#host/download.ts'
import { issueCertificate } from '#jobs/certificate.ts'
import { certificateContent } from '#jobs/test-papers.ts'
import { exportAll, readArchive } from '#store/archive.ts'
import { Backups, type BackupDraft, type BackupEntry } from '#store/backups.ts'
import { Certificates, type StoredCertificate } from '#store/certificates.ts'
import { Damage } from '#store/damage.ts'
import { openDatabase, type Database } from '#store/db.ts'
import type { JournalEntry } from '#store/journal.ts'
import { Keys } from '#store/keys.ts'
import { overwriteGetLocale } from '#ui/text/generated/runtime.js'
import { listedResult } from '../text/certificates.ts'
import { damagedText } from '../text/damaged.ts'
import { LibraryState } from './library.svelte.ts'
import type { Stores } from './stores.ts'

vi.mock('#host/download.ts') // Node has no folder for downloads

const draft: BackupDraft = {
  name: 'USBasp of the workshop',
  origin: {
    programmer: { model: 'USBasp', facts: [] },
    way: { to: 'target', by: 'isp' },
    patient: { kind: 'avr:1e9307', chip: 'ATmega8', facts: [], serial: undefined },
  },
  firmware: undefined,
  memories: [{ id: 'flash', address: 0, bytes: new Uint8Array(8192).fill(0x5a) }],
  unreadable: [],
}

const interrupted: Omit<JournalEntry, 'backupId'> = {
  id: 'job',
  startedAt: '2026-01-01T00:00:00.000Z',
  programmer: 'USBasp',
  way: { to: 'target', by: 'isp' },
  patient: { kind: 'avr:1e9307', chip: 'ATmega8' },
  acknowledged: [],
  wanted: {
    contents: new Map(),
    source: { kind: 'file', name: 'x.hex', version: undefined, sha256: '', sizeBytes: 1 },
    firmware: undefined,
  },
  rule: { outside: 'keep', reserved: 'refuse' },
  consents: [],
}

let db: Database
let backups: Backups
let library: LibraryState
beforeEach(async () => {
  overwriteGetLocale(() => 'en')
  db = await openDatabase('library-test')
  backups = new Backups(db)
  const stores = { backups, certificates: new Certificates(db), damage: new Damage(db) } as Stores // the library needs no more
  library = new LibraryState(() => Promise.resolve(stores))
})
afterEach(async () => {
  db.close()
  await deleteDB('library-test')
})

test('what was deleted comes back whole, and says so', async () => {
  const { backup } = await backups.add(draft)
  await library.remove(backup.id)
  expect(library.entries).toEqual([])
  expect(library.said).toContain('USBasp of the workshop')
  await library.undo()
  expect(library.entries?.map(({ sha256 }) => sha256)).toEqual([backup.sha256])
  expect(await library.verify(backup.id)).toBe(true)
  expect(library.removed).toBeUndefined()
})

test('what an interrupted write needs stays, and it says why', async () => {
  const { backup } = await backups.add(draft)
  await backups.journal.open({ ...interrupted, backupId: backup.id })
  await library.refresh()
  expect(await library.remove(backup.id)).toBe(false)
  expect(library.error?.code).toBe('backup-needed')
  expect(library.removed).toBeUndefined()
  expect(library.entries?.map(({ id }) => id)).toEqual([backup.id])
})

test('a search shows what matches, also while it is typed', async () => {
  await backups.add(draft)
  library.query = 'workshop'
  await library.refresh()
  expect(library.entries).toHaveLength(1)
  library.query = 'attic'
  const first = library.refresh()
  library.query = 'atmega8'
  await Promise.all([first, library.refresh()])
  expect(library.entries).toHaveLength(1)
})

test('an archive comes in once; a second time it is known already', async () => {
  const { backup } = await backups.add(draft)
  const archive = await exportAll([backup])
  await backups.remove(backup.id)
  await library.importArchive(archive)
  expect(library.said).toBe('One backup imported; its hashes were checked.')
  await library.importArchive(archive)
  expect(library.said).toBe('All of them are in the library already. Nothing was changed.')
  expect(library.entries).toHaveLength(1)
})

test('what the open job works with is not deleted, with the reason, until that is over', async () => {
  const { backup } = await backups.add(draft)
  let isOpen = true
  const beside = new LibraryState(
    () =>
      Promise.resolve({
        backups,
        certificates: new Certificates(db),
        keys: new Keys(db),
        damage: new Damage(db),
      }),
    (id) => isOpen && id === backup.id,
  )
  expect(await beside.remove(backup.id)).toBe(false)
  expect(beside.error?.detail).toEqual({ name: backup.name, by: 'open-job' })
  expect(await backups.get(backup.id)).toBeDefined()
  isOpen = false
  expect(await beside.remove(backup.id)).toBe(true)
})

test('a damaged archive is an error, and the library is as it was', async () => {
  const { backup } = await backups.add(draft)
  await library.importArchive(new Blob(['no archive']))
  expect(library.error?.code).toBe('backup-corrupt')
  expect(library.said).toBe('')
  await library.refresh()
  expect(library.error).toBeUndefined()
  expect(library.entries?.map(({ id }) => id)).toEqual([backup.id])
})

test('all are saved but a damaged one, which is named', async () => {
  const { backup } = await backups.add(draft)
  await backups.add({ ...draft, name: 'another' })
  await db.delete('memories', [backup.id, 'flash'])
  await library.exportAll()
  expect(library.error).toBeUndefined()
  expect(library.said).toBe('Saved, without USBasp of the workshop: damaged.')
  const [[, archive] = []] = vi.mocked(saveFile).mock.calls
  expect((await readArchive(archive ?? new Blob())).map(({ name }) => name)).toEqual(['another'])
})

test('one whose bytes have changed counts as damaged too', async () => {
  const { backup } = await backups.add(draft)
  await db.put('memories', { backupId: backup.id, id: 'flash', bytes: new Uint8Array(8192) })
  await library.exportAll()
  expect(library.said).toBe('Saved, without USBasp of the workshop: damaged.')
})

test('certificates are listed with what came of the job; one that is damaged keeps its place', async () => {
  const certificates = new Certificates(db)
  const { json } = await issueCertificate(certificateContent, new Keys(db))
  const stored = { programmer: 'USBasp', chip: 'ATmega8', firmware: 'x.hex', backupId: 'b' }
  await certificates.add({ ...stored, id: 'c1', issuedAt: '2026-03-01T00:00:00.000Z', json })
  const changed = json.replace('read-again', 'running-version')
  await certificates.add({ ...stored, id: 'c2', issuedAt: '2026-02-01T00:00:00.000Z', json: changed })
  await certificates.add({ ...stored, id: 'c3', issuedAt: '2026-01-01T00:00:00.000Z', json: '{' })
  await library.refresh()
  const told = () => library.certificates.map(({ id, verified }) => [id, listedResult(verified).text])
  expect(told()).toEqual([
    ['c1', 'Proven by reading'],
    ['c2', 'Changed after it was issued: do not rely on it'],
    ['c3', 'Damaged: cannot be read any more'],
  ])
  await library.refresh()
  expect(told()).toHaveLength(3)
})

test('a list of certificates that is late does not undo a newer one', async () => {
  const certificates = new Certificates(db)
  const late = new EventTarget()
  const once = new Promise((resolve) => {
    late.addEventListener('now', resolve)
  })
  const asRead = certificates.list.bind(certificates)
  const list = vi.spyOn(Certificates.prototype, 'list').mockImplementationOnce(async () => {
    const read = await asRead()
    await once
    return read
  })
  onTestFinished(() => {
    list.mockRestore()
  })
  const overtaken = library.refresh()
  await vi.waitUntil(() => list.mock.calls.length > 0, { timeout: 10_000 })
  const { json } = await issueCertificate(certificateContent, new Keys(db))
  const stored = { programmer: 'USBasp', chip: 'ATmega8', firmware: 'x.hex', backupId: 'b' }
  await certificates.add({ ...stored, id: 'c1', issuedAt: '2026-03-01T00:00:00.000Z', json })
  await library.refresh()
  late.dispatchEvent(new Event('now'))
  await overtaken
  expect(library.certificates.map(({ id }) => id)).toEqual(['c1'])
})

test('names and notes are kept', async () => {
  const { backup } = await backups.add(draft)
  await library.rename(backup.id, 'Spare')
  await library.note(backup.id, 'in the drawer')
  expect(await library.get(backup.id)).toMatchObject({ name: 'Spare', note: 'in the drawer' })
})

test('what is damaged is named beside the others; what is left of it can be saved, and then deleted', async () => {
  await backups.add({ ...draft, name: 'another' })
  const { backup } = await backups.add(draft)
  await db.put('backups', { id: backup.id, name: 'Mill 7' } as BackupEntry)
  await db.put('certificates', { id: 'torn', chip: 'ATmega8' } as StoredCertificate)
  await library.refresh()
  expect(library.error).toBeUndefined()
  expect(library.entries?.map(({ name }) => name)).toEqual(['another'])
  expect(library.damaged.map(damagedText)).toEqual([
    'Backup: Mill 7. It cannot be restored from here; save what is left of it before you delete it.',
    'Certificate: ATmega8. It cannot be shown; save what is left of it before you delete it.',
  ])
  await library.exportAll()
  expect(library.said).toBe('Saved, without Mill 7: damaged.')

  const [mill] = library.damaged
  if (!mill) throw new Error('it is not told')
  await library.saveDamaged(mill)
  const [, archive] = vi.mocked(saveFile).mock.lastCall ?? []
  const files = unzipSync(new Uint8Array(await new Response(archive).arrayBuffer()))
  expect(files['flash.bin']).toEqual(draft.memories[0]?.bytes)
  expect(JSON.parse(new TextDecoder().decode(files['record.json']))).toMatchObject({ name: 'Mill 7' })
  await library.removeDamaged(mill)
  expect(library.damaged.map(({ store }) => store)).toEqual(['certificates'])
})
