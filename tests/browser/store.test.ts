/** The store on the real IndexedDB and WebCrypto of the browser: what Node's stand-ins cannot show. */
import { deleteDB } from 'idb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { FlashError } from '#core/errors.ts'
import { exportAll, importArchive } from '#store/archive.ts'
import { Backups, type BackupDraft } from '#store/backups.ts'
import { openDatabase, upgrades, type Database } from '#store/db.ts'
import { Keys, verifySignature } from '#store/keys.ts'

const name = 'store-browser-test'
let db: Database
beforeEach(async () => {
  await deleteDB(name)
  db = await openDatabase(name)
})
afterEach(async () => {
  vi.restoreAllMocks()
  db.close()
  await deleteDB(name)
})

/** A piece of this site's storage with a limit of its own: https://wicg.github.io/storage-buckets/ */
const { storageBuckets: buckets } = navigator as unknown as {
  storageBuckets: {
    open(name: string, options: { quota: number }): Promise<{ indexedDB: IDBFactory }>
    delete(name: string): Promise<void>
  }
}

/** Bytes that no disk can pack. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}

const draft = (flashBytes: number): BackupDraft => ({
  origin: {
    programmer: { model: 'USBasp', facts: [] },
    way: { to: 'target', by: 'isp' },
    patient: { kind: 'avr:1e9307', chip: 'ATmega8', facts: [], serial: undefined },
  },
  firmware: undefined,
  memories: [
    { id: 'flash', address: 0, bytes: noise(flashBytes) },
    { id: 'fuses', address: 0, bytes: Uint8Array.of(0xef, 0xc9) },
  ],
  unreadable: [],
})

test('a backup of 16 MiB is proven, and still there after the database was opened anew', async () => {
  const { backup, receipt } = await new Backups(db).add(draft(16 << 20))
  expect(receipt.sha256).toBe(backup.sha256)
  db.close()
  db = await openDatabase(name)
  await expect(new Backups(db).receiptFor(backup.id, backup.sha256)).resolves.toEqual(receipt)
})

test('an archive made here is read back here, without workers and without evaluated code', async () => {
  const backups = new Backups(db)
  const { backup } = await backups.add(draft(8192))
  const spawn = vi.spyOn(globalThis, 'Worker')
  const archive = await exportAll([backup])
  await backups.remove(backup.id)
  expect(await importArchive(archive, backups)).toEqual({ added: 1, found: 1 })
  expect((await backups.get(backup.id))?.memories).toEqual(backup.memories)
  expect(spawn).not.toHaveBeenCalled()
})

test('with no room left a backup is storage-full, and nothing of it stays', async () => {
  const bucket = await buckets.open('small', { quota: 300_000 })
  vi.spyOn(globalThis, 'indexedDB', 'get').mockReturnValue(bucket.indexedDB)
  const small = await openDatabase('small')
  try {
    const code = await new Backups(small).add(draft(1 << 20)).then(
      () => 'stored',
      (error: unknown) => (error as FlashError).code,
    )
    expect(code).toBe('storage-full')
    expect(await new Backups(small).list()).toEqual([])
    expect(await small.count('memories')).toBe(0)
  } finally {
    small.close()
    await deleteDB('small') // waits for what is still closing; the bucket would break it off
    await buckets.delete('small')
  }
})

describe('an upgrade', () => {
  test('from an older version keeps what is stored', async () => {
    const { backup } = await new Backups(db).add(draft(8192))
    db.close()
    db = await openDatabase(name, [...upgrades, (older) => older.createObjectStore('next' as 'keys')])
    expect([...db.objectStoreNames]).toContain('next')
    await expect(new Backups(db).receiptFor(backup.id)).resolves.toBeDefined()
  })

  test('is not held up by an older tab, which then fails plainly', async () => {
    const older = db
    db = await openDatabase(name, [...upgrades, () => undefined])
    await expect(new Backups(older).list()).rejects.toMatchObject({ code: 'storage-failed' })
  })

  test('back to an older version is refused', async () => {
    db.close()
    db = await openDatabase(name, [...upgrades, () => undefined])
    await expect(openDatabase(name)).rejects.toMatchObject({ code: 'storage-failed' })
  })
})

describe('the signing key', () => {
  const bytes = new TextEncoder().encode('certificate')

  test('survives a reopen and cannot be taken out', async () => {
    const first = await new Keys(db).sign(bytes)
    db.close()
    db = await openDatabase(name)
    const second = await new Keys(db).sign(bytes)
    if (!first || !second) throw new Error('this browser has no Ed25519')
    expect(second.publicKey).toBe(first.publicKey)
    expect(await verifySignature(bytes, first)).toBe(true)
    expect(await verifySignature(bytes.slice(1), first)).toBe(false)
    const pair = await db.get('keys', 'signing')
    if (!pair) throw new Error('no key was stored')
    await expect(crypto.subtle.exportKey('pkcs8', pair.privateKey)).rejects.toThrow()
  })

  test('of nonsense is invalid, not an exception', async () => {
    const signature = { algorithm: 'Ed25519', publicKey: '00'.repeat(32), value: '00'.repeat(64) } as const
    expect(await verifySignature(bytes, signature)).toBe(false)
  })
})
