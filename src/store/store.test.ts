import 'fake-indexeddb/auto'
import { deleteDB } from 'idb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Backups, type BackupDraft } from './backups.ts'
import { Certificates, type StoredCertificate } from './certificates.ts'
import { Damage } from './damage.ts'
import { openDatabase, storing, upgrades, type Database } from './db.ts'
import { Journal, type JournalEntry } from './journal.ts'
import { Keys, verifySignature } from './keys.ts'

let db: Database
beforeEach(async () => {
  db = await openDatabase('store-test')
})
afterEach(async () => {
  db.close()
  await deleteDB('store-test')
})

const draft = (changes: Partial<BackupDraft> = {}): BackupDraft => ({
  origin: {
    programmer: { model: 'USBasp', facts: [{ name: 'serial', value: 'ABC123' }] },
    way: { to: 'target', by: 'isp' },
    patient: { kind: 'avr:1e9307', chip: 'ATmega8', facts: [], serial: undefined },
  },
  firmware: {
    family: 'usbasp',
    name: 'USBasp',
    version: '1.04',
    confidence: 'certain',
    evidence: [],
  },
  memories: [
    { id: 'flash', address: 0, bytes: Uint8Array.from({ length: 8192 }, (_, i) => i * 7) },
    { id: 'fuses', address: 0, bytes: Uint8Array.of(0xef, 0xc9) },
  ],
  unreadable: [],
  ...changes,
})

/** A write that was not seen to end. */
const interrupted: JournalEntry = {
  id: 'job',
  startedAt: '2026-01-01T00:00:00.000Z',
  programmer: 'USBasp',
  way: { to: 'target', by: 'isp' },
  patient: { kind: 'avr:1e9307', chip: 'ATmega8' },
  backupId: 'b',
  acknowledged: [],
  rule: { outside: 'keep', reserved: 'refuse' },
  consents: [],
  wanted: {
    contents: new Map([['flash', [{ address: 0, bytes: Uint8Array.of(1) }]]]),
    source: { kind: 'file', name: 'x.hex', version: undefined, sha256: '', sizeBytes: 1 },
    firmware: undefined,
  },
}

/** Changes stored bytes behind the store's back, as a failing disk would. */
async function rot(id: string): Promise<void> {
  const stored = await db.get('memories', [id, 'flash'])
  if (!stored) throw new Error('no such backup')
  stored.bytes[100] = (stored.bytes[100] ?? 0) ^ 1
  await db.put('memories', stored)
}

describe('a backup', () => {
  test('comes back byte for byte, with a receipt for every memory', async () => {
    const backups = new Backups(db)
    const { backup, receipt } = await backups.add(draft())
    expect(await backups.get(backup.id)).toEqual(backup)
    expect(receipt).toEqual({
      backupId: backup.id,
      sha256: backup.sha256,
      patientKind: 'avr:1e9307',
      memories: ['flash', 'fuses'],
    })
    expect(backup.name).toBe('USBasp 1.04, ATmega8')
  })

  test('stored from a view takes only its own bytes along', async () => {
    const large = new Uint8Array(100_000)
    const view = large.subarray(5, 7)
    const { backup } = await new Backups(db).add(
      draft({ memories: [{ id: 'fuses', address: 0, bytes: view }] }),
    )
    expect((await db.get('memories', [backup.id, 'fuses']))?.bytes.buffer.byteLength).toBe(2)
  })

  test('that rotted on the disk gets no receipt, and its name and memory are said', async () => {
    const backups = new Backups(db)
    const { backup } = await backups.add(draft({ name: 'Bench unit 4' }))
    await rot(backup.id)
    await expect(backups.receiptFor(backup.id)).rejects.toMatchObject({
      code: 'backup-corrupt',
      detail: { name: 'Bench unit 4', why: 'hash of flash' },
    })
  })

  test('that lost a memory is corrupt, not shorter', async () => {
    const backups = new Backups(db)
    const { backup } = await backups.add(draft())
    await db.delete('memories', [backup.id, 'fuses'])
    await expect(backups.get(backup.id)).rejects.toMatchObject({ code: 'backup-corrupt' })
  })

  test('that is not there gets no receipt', async () => {
    await expect(new Backups(db).receiptFor('nowhere')).rejects.toMatchObject({ code: 'backup-corrupt' })
  })

  test('is renamed and annotated without touching its bytes', async () => {
    const backups = new Backups(db)
    const { backup } = await backups.add(draft())
    await backups.rename(backup.id, 'Old one')
    await backups.note(backup.id, 'from the workshop')
    const changed = await backups.get(backup.id)
    expect(changed).toEqual({ ...backup, name: 'Old one', note: 'from the workshop' })
    await expect(backups.receiptFor(backup.id)).resolves.toMatchObject({ sha256: backup.sha256 })
  })

  test('once removed is gone with its bytes, and undo brings all of it back', async () => {
    const backups = new Backups(db)
    const { backup } = await backups.add(draft())
    const removed = await backups.remove(backup.id)
    expect(await backups.list()).toEqual([])
    expect(await db.count('memories')).toBe(0)
    if (!removed) throw new Error('nothing was removed')
    await backups.restoreRemoved(removed)
    expect(await backups.get(backup.id)).toEqual(backup)
  })

  test('that an interrupted write needs is not removed until that write is forgotten', async () => {
    const backups = new Backups(db)
    const { backup } = await backups.add(draft())
    const { backup: other } = await backups.add(draft())
    await backups.journal.open({ ...interrupted, backupId: backup.id })
    await expect(backups.remove(backup.id)).rejects.toMatchObject({
      code: 'backup-needed',
      detail: { name: backup.name },
    })
    await expect(backups.receiptFor(backup.id, backup.sha256)).resolves.toBeDefined()
    await expect(backups.remove(other.id)).resolves.toBeDefined()
    await backups.journal.close(interrupted.id)
    await expect(backups.remove(backup.id)).resolves.toBeDefined()
  })

  test('two of the same bytes have the same hash, whatever the order of their memories', async () => {
    const backups = new Backups(db)
    const one = await backups.add(draft())
    const two = await backups.add(draft({ memories: [...draft().memories].reverse() }))
    expect(two.backup.sha256).toBe(one.backup.sha256)
  })
})

describe('the list of backups', () => {
  test('has the newest first and no bytes', async () => {
    const backups = new Backups(db)
    for (const createdAt of [
      '2026-01-02T00:00:00.000Z',
      '2026-01-03T00:00:00.000Z',
      '2026-01-01T00:00:00.000Z',
    ]) {
      const { backup } = await backups.add(draft())
      const entry = await db.get('backups', backup.id)
      if (entry) await db.put('backups', { ...entry, createdAt })
    }
    const list = await backups.list()
    expect(list.map(({ createdAt }) => createdAt.slice(8, 10))).toEqual(['03', '02', '01'])
    expect(list[0]?.memories[0]).not.toHaveProperty('bytes')
  })

  test.each([
    ['the chip', 'atmega8', true],
    ['words in any order', '1.04 usbasp', true],
    ['a serial number', 'abc123', true],
    ['the note', 'workshop', true],
    ['a word that is not there', 'usbasp workshop stm32', false],
  ])('is searched by %s', async (_, text, found) => {
    const backups = new Backups(db)
    await backups.add(draft({ note: 'From the workshop' }))
    expect(await backups.list(text)).toHaveLength(found ? 1 : 0)
  })
})

describe('what goes wrong below', () => {
  test('a full disk is storage-full and leaves nothing behind', async () => {
    const backups = new Backups(db)
    const { add } = IDBObjectStore.prototype as { add: (this: IDBObjectStore, value: unknown) => IDBRequest }
    const full = vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(function (
      this: IDBObjectStore,
      value,
    ) {
      if (this.name === 'memories') throw new DOMException('full', 'QuotaExceededError')
      return add.call(this, value) as IDBRequest<IDBValidKey>
    })
    await expect(backups.add(draft())).rejects.toMatchObject({ code: 'storage-full' })
    full.mockRestore()
    expect(await backups.list()).toEqual([])
  })

  test('the newer quota error says how much was needed', async () => {
    const error = Object.assign(new Error('full'), { name: 'QuotaExceededError', requested: 500, quota: 100 })
    await expect(storing('storing', () => Promise.reject(error))).rejects.toMatchObject({
      code: 'storage-full',
      detail: { needed: 500, available: 100 },
    })
  })

  test('a closed database is storage-failed, with what was going on', async () => {
    db.close()
    await expect(new Backups(db).list()).rejects.toMatchObject({
      code: 'storage-failed',
      detail: { during: 'listing the backups' },
    })
  })

  test('a database of a newer version is not opened by an older app', async () => {
    db.close()
    const newer = await openDatabase('store-test', [...upgrades, () => undefined])
    newer.close()
    await expect(openDatabase('store-test')).rejects.toMatchObject({ code: 'storage-failed' })
  })

  test('from the first version keeps the backups and leaves the stores behind that nobody used', async () => {
    db.close()
    await deleteDB('store-test')
    const first = await openDatabase('store-test', upgrades.slice(0, 1))
    const { backup } = await new Backups(first).add(draft())
    first.close()
    db = await openDatabase('store-test')
    expect([...db.objectStoreNames]).toEqual(['backups', 'certificates', 'journal', 'keys', 'memories'])
    await expect(new Backups(db).receiptFor(backup.id, backup.sha256)).resolves.toBeDefined()
  })

  test('an older tab lets go when a newer one upgrades, and keeps what was stored', async () => {
    const { backup } = await new Backups(db).add(draft())
    const steps: number[] = []
    const newer = await openDatabase('store-test', [
      ...upgrades,
      () => steps.push(upgrades.length + 1),
      () => steps.push(upgrades.length + 2),
    ])
    expect(steps).toEqual([upgrades.length + 1, upgrades.length + 2])
    await expect(new Backups(newer).receiptFor(backup.id)).resolves.toBeDefined()
    await expect(new Backups(db).list()).rejects.toMatchObject({ code: 'storage-failed' })
    newer.close()
  })
})

describe('the signing key', () => {
  test('stays the same over a reopen and signs what can be verified', async () => {
    const bytes = new TextEncoder().encode('certificate')
    const one = await new Keys(db).sign(bytes)
    db.close()
    db = await openDatabase('store-test')
    const two = await new Keys(db).sign(bytes)
    if (!one || !two) throw new Error('this Node has no Ed25519')
    expect(two.publicKey).toBe(one.publicKey)
    expect(await verifySignature(bytes, two)).toBe(true)
    expect(await verifySignature(bytes.slice(1), two)).toBe(false)
  })

  test('cannot be taken out', async () => {
    await new Keys(db).sign(new Uint8Array())
    const pair = await db.get('keys', 'signing')
    if (!pair) throw new Error('no key was stored')
    await expect(crypto.subtle.exportKey('pkcs8', pair.privateKey)).rejects.toThrow()
  })

  test('two at once use one key', async () => {
    const both = await Promise.all([new Keys(db).sign(new Uint8Array()), new Keys(db).sign(new Uint8Array())])
    expect(both[0]?.publicKey).toBe(both[1]?.publicKey)
  })

  test('is missing where the browser has no Ed25519', async () => {
    const none = vi
      .spyOn(crypto.subtle, 'generateKey')
      .mockRejectedValue(new DOMException('no', 'NotSupportedError'))
    expect(await new Keys(db).sign(new Uint8Array())).toBeUndefined()
    none.mockRestore()
  })
})

const certificate: StoredCertificate = {
  id: 'a',
  issuedAt: '2026-01-01T00:00:00.000Z',
  programmer: 'USBasp',
  chip: 'ATmega8',
  firmware: 'USBasp 1.05',
  backupId: 'b',
  json: '{"id":"a"}',
}

test('certificates are kept as issued, newest first', async () => {
  const certificates = new Certificates(db)
  await certificates.add(certificate)
  await certificates.add({ ...certificate, id: 'b', issuedAt: '2026-02-01T00:00:00.000Z' })
  await expect(certificates.add(certificate)).rejects.toMatchObject({ code: 'storage-failed' })
  expect((await certificates.list()).map(({ id }) => id)).toEqual(['b', 'a'])
  expect(await certificates.get('a')).toEqual(certificate)
  await certificates.note('a', 'Mill 7')
  expect(await certificates.get('a')).toEqual({ ...certificate, note: 'Mill 7' })
  await expect(certificates.note('gone', 'x')).rejects.toMatchObject({ code: 'storage-failed' })
})

test('a certificate takes its job out of the journal, both or neither', async () => {
  const certificates = new Certificates(db)
  const journal = new Journal(db)
  await journal.open(interrupted)
  await certificates.add(certificate, 'another')
  await expect(certificates.add(certificate, interrupted.id)).rejects.toMatchObject({
    code: 'storage-failed',
  })
  expect(await journal.list()).toHaveLength(1)
  await certificates.add({ ...certificate, id: 'b' }, interrupted.id)
  expect(await journal.list()).toEqual([])
})

test('a choice that nothing was written of goes with its backup', async () => {
  const backups = new Backups(db)
  const { backup } = await backups.add(draft())
  await backups.journal.open({ ...interrupted, stage: 'chosen', backupId: backup.id })
  await backups.journal.open({ ...interrupted, id: 'other', stage: 'chosen', backupId: 'other' })
  await backups.remove(backup.id)
  expect((await backups.journal.list()).map(({ id }) => id)).toEqual(['other'])
})

test('the journal remembers a write that was not seen to end', async () => {
  const journal = new Journal(db)
  await journal.open(interrupted)
  expect(await journal.list()).toEqual([interrupted])
  await journal.close('job')
  expect(await journal.list()).toEqual([])
})

/** A record as a power cut or a failing disk leaves it. */
const tear = (store: 'backups' | 'certificates' | 'journal', record: object) => db.put(store, record as never)

/** The records of these keys cannot be read any more, as when the file beside the database is lost that held a large value. */
function unreadable(lost: ReadonlySet<unknown>): void {
  type Get = (this: IDBObjectStore, query: unknown) => IDBRequest
  const get = Reflect.get(IDBObjectStore.prototype, 'get') as Get
  vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementation(function (this: IDBObjectStore, query) {
    const request = get.call(this, query)
    if (!lost.has(query)) return request
    return {
      set onerror(hear: (event: Event) => void) {
        request.onsuccess = () => hear(new Event('error'))
      },
    } as IDBRequest
  })
}

describe('a damaged record', () => {
  afterEach(() => vi.restoreAllMocks())
  const damaged = () => new Damage(db).list()

  test('of a backup is named, and the others are listed, searched and restored as ever', async () => {
    const backups = new Backups(db)
    const { backup } = await backups.add(draft({ name: 'Mill 7' }))
    for (const record of [
      { id: 'torn' },
      { id: 'no-origin', name: 'Bench unit 4', createdAt: '2026-01-02T00:00:00.000Z', sha256: 'ab' },
      { ...backup, id: 'no-memories', memories: undefined },
    ])
      await tear('backups', record)
    expect((await backups.list('mill')).map(({ id }) => id)).toEqual([backup.id])
    await expect(backups.receiptFor(backup.id, backup.sha256)).resolves.toBeDefined()
    expect(await damaged()).toEqual([
      { store: 'backups', id: 'no-memories', name: 'Mill 7', at: backup.createdAt },
      { store: 'backups', id: 'no-origin', name: 'Bench unit 4', at: '2026-01-02T00:00:00.000Z' },
      { store: 'backups', id: 'torn', name: undefined, at: undefined },
    ])
    for (const id of ['torn', 'no-origin', 'no-memories'])
      await expect(backups.get(id)).rejects.toMatchObject({ code: 'backup-corrupt' })
  })

  test('that the browser cannot read at all keeps none of the others away', async () => {
    const backups = new Backups(db)
    const certificates = new Certificates(db)
    const { backup } = await backups.add(draft())
    const { backup: lost } = await backups.add(draft())
    await certificates.add(certificate)
    await certificates.add({ ...certificate, id: 'lost' })
    await backups.journal.open(interrupted)
    await backups.journal.open({ ...interrupted, id: 'lost' })
    unreadable(new Set([lost.id, 'lost']))
    expect((await backups.list()).map(({ id }) => id)).toEqual([backup.id])
    expect((await certificates.list()).map(({ id }) => id)).toEqual(['a'])
    expect((await backups.journal.list()).map(({ id }) => id)).toEqual([interrupted.id])
    expect((await damaged()).map(({ store }) => store).sort()).toEqual(['backups', 'certificates', 'journal'])
  })

  test('of a certificate and of the journal is named, and the others stay', async () => {
    const certificates = new Certificates(db)
    const journal = new Journal(db)
    await certificates.add(certificate)
    await tear('certificates', { id: 'torn', chip: 'ATmega8' })
    await journal.open(interrupted)
    await tear('journal', {
      id: 'torn',
      patient: { chip: 'ATmega328P' },
      startedAt: '2026-01-01T00:00:00.000Z',
    })
    expect(await certificates.list()).toEqual([certificate])
    expect(await journal.list()).toEqual([interrupted])
    expect(await damaged()).toEqual([
      { store: 'certificates', id: 'torn', name: 'ATmega8', at: undefined },
      { store: 'journal', id: 'torn', name: 'ATmega328P', at: '2026-01-01T00:00:00.000Z' },
    ])
  })

  test('is also a backup that lost bytes, and bytes that lost their backup; what is there can be read and removed', async () => {
    const backups = new Backups(db)
    const damage = new Damage(db)
    const { backup: short } = await backups.add(draft({ name: 'Short' }))
    const { backup: headless } = await backups.add(draft())
    await db.delete('memories', [short.id, 'fuses'])
    await db.delete('backups', headless.id)
    expect(await backups.list()).toEqual([])
    const all = await damaged()
    expect(all.map(({ name }) => name).sort()).toEqual(['Short', undefined])
    for (const one of all) {
      const { memories } = await damage.read(one)
      expect(memories.find(({ id }) => id === 'flash')?.bytes).toEqual(draft().memories[0]?.bytes)
      await damage.remove(one)
    }
    expect(await damaged()).toEqual([])
    expect(await db.count('memories')).toBe(0)
  })

  test('of a backup that an interrupted write needs is not removed before that is forgotten', async () => {
    const backups = new Backups(db)
    const damage = new Damage(db)
    await tear('backups', { id: 'b', name: 'Mill 7' })
    await backups.journal.open(interrupted)
    const [one] = await damaged()
    if (!one) throw new Error('it is not found')
    await expect(damage.remove(one)).rejects.toMatchObject({
      code: 'backup-needed',
      detail: { name: 'Mill 7' },
    })
    await backups.journal.close(interrupted.id)
    await damage.remove(one)
    expect(await damaged()).toEqual([])
  })

  test.each([
    ['record is torn', (id: string) => tear('backups', { id })],
    ['bytes have changed', rot],
    ['bytes are gone', (id: string) => db.delete('memories', [id, 'flash'])],
    ['record is gone', (id: string) => db.delete('backups', id)],
  ])('of a backup whose %s is mended by importing a sound copy, under its own id', async (_, damageIt) => {
    const backups = new Backups(db)
    const { backup } = await backups.add(draft())
    await damageIt(backup.id)
    expect(await backups.addImported([backup])).toBe(1)
    await expect(backups.receiptFor(backup.id, backup.sha256)).resolves.toBeDefined()
    expect(await damaged()).toEqual([])
    expect(await backups.list()).toHaveLength(1)
    expect(await backups.addImported([backup])).toBe(0)
  })

  test('of the signing key is replaced by a new key, so that certificates are signed again', async () => {
    await db.put('keys', {} as CryptoKeyPair, 'signing')
    const bytes = Uint8Array.of(1)
    const signature = await new Keys(db).sign(bytes)
    expect(signature && (await verifySignature(bytes, signature))).toBe(true)
    expect((await new Keys(db).sign(bytes))?.publicKey).toBe(signature?.publicKey)
  })
})
