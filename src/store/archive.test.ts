import 'fake-indexeddb/auto'
import { unzipSync, zipSync, type Zippable } from 'fflate'
import { deleteDB } from 'idb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseIntelHex } from '#firmware/intel-hex.ts'
import { exportAll, exportMemory, exportJob, importArchive, limits, readArchive } from './archive.ts'
import { Backups, type Backup } from './backups.ts'
import { openDatabase, type Database } from './db.ts'
import type { JournalEntry } from './journal.ts'

let db: Database
let backups: Backups
let backup: Backup
beforeEach(async () => {
  db = await openDatabase('archive-test')
  backups = new Backups(db)
  const added = await backups.add({
    origin: {
      programmer: { model: 'USBasp', facts: [{ name: 'serial', value: 'ABC123' }] },
      way: { to: 'target', by: 'isp' },
      patient: { kind: 'avr:1e9307', chip: 'ATmega8', facts: [], serial: undefined },
    },
    firmware: undefined,
    memories: [
      { id: 'flash', address: 0, bytes: Uint8Array.from({ length: 8192 }, (_, i) => (i * 31) >> 3) },
      { id: 'eeprom', address: 0, bytes: new Uint8Array(512).fill(0xff) },
    ],
    unreadable: [{ memory: 'calibration', reason: 'not-through-this-way' }],
    note: 'Größe: ½',
  })
  backup = added.backup
})
afterEach(async () => {
  db.close()
  await deleteDB('archive-test')
})

const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer())
const unpacked = async () => unzipSync(await bytesOf(await exportAll([backup])))
const packed = (files: Zippable) => new Blob([zipSync(files)])
const without = (files: Zippable, name: string): Zippable =>
  Object.fromEntries(Object.entries(files).filter(([one]) => one !== name))
const flashFile = (files: object) => Object.keys(files).find((name) => name.endsWith('flash.bin')) ?? ''

/** The archive with its manifest changed. */
async function withManifest(change: (manifest: { backups: Record<string, unknown>[] }) => void) {
  const files = await unpacked()
  const manifest = JSON.parse(new TextDecoder().decode(files['manifest.json'])) as Parameters<
    typeof change
  >[0]
  change(manifest)
  return packed({ ...files, 'manifest.json': new TextEncoder().encode(JSON.stringify(manifest)) })
}

describe('all that is kept of an interrupted write', () => {
  const image = Uint8Array.of(1, 2, 3)
  const entry: JournalEntry = {
    ...{ id: crypto.randomUUID(), startedAt: '2026-01-31T14:02:00.000Z', programmer: 'USBasp' },
    ...{ way: { to: 'target', by: 'isp' }, patient: { kind: 'avr:1e9307', chip: 'ATmega8' }, backupId: '' },
    ...{ acknowledged: [], rule: { outside: 'keep', reserved: 'refuse' }, consents: [] },
    wanted: {
      contents: new Map([['flash', [{ address: 16, bytes: image }]]]),
      firmware: undefined,
      source: { kind: 'file', name: 'a.hex', version: undefined, sha256: '', sizeBytes: 3 },
    },
  }

  test('has the backup, which can be imported, the image and the entry', async () => {
    const archive = await exportJob({ ...entry, backupId: backup.id }, backup)
    const files = unzipSync(await bytesOf(archive))
    const text = (name: string) => new TextDecoder().decode(files[name])
    expect(parseIntelHex(files['write/flash.hex'] ?? new Uint8Array()).segments).toEqual([
      { address: 16, bytes: image },
    ])
    expect(JSON.parse(text('write/interrupted.json'))).toMatchObject({
      patient: { chip: 'ATmega8' },
      source: { name: 'a.hex' },
    })
    for (const name of Object.keys(files))
      if (name !== 'SHA256SUMS') expect(text('SHA256SUMS')).toContain(name)
    await backups.remove(backup.id)
    expect(await importArchive(archive, backups)).toEqual({ added: 1, found: 1 })
    expect((await backups.get(backup.id))?.sha256).toBe(backup.sha256)
  })

  test('has what was chosen instead as well', async () => {
    const { wanted, rule } = entry
    const contents = new Map([['eeprom' as const, [{ address: 0, bytes: image }]]])
    const instead = { rule, wanted: { ...wanted, contents, source: { ...wanted.source, name: 'b.hex' } } }
    const files = unzipSync(await bytesOf(await exportJob({ ...entry, instead }, undefined)))
    const text = (name: string) => new TextDecoder().decode(files[name])
    expect(parseIntelHex(files['write/instead-eeprom.hex'] ?? new Uint8Array()).segments).toEqual([
      { address: 0, bytes: image },
    ])
    expect(JSON.parse(text('write/interrupted.json'))).toMatchObject({
      source: { name: 'a.hex' },
      instead: { source: { name: 'b.hex' } },
    })
  })

  test('is there without its backup too', async () => {
    const files = unzipSync(await bytesOf(await exportJob(entry, undefined)))
    expect(Object.keys(files).sort()).toEqual([
      'SHA256SUMS',
      'manifest.json',
      'write/flash.hex',
      'write/interrupted.json',
    ])
  })
})

/** Refused with this name and reason, and the store is as it was. */
async function expectRefused(archive: Blob, name: string, why: string) {
  await backups.remove(backup.id)
  await expect(importArchive(archive, backups)).rejects.toMatchObject({
    code: 'backup-corrupt',
    detail: { name, why },
  })
  expect(await backups.list()).toEqual([])
  expect(await db.count('memories')).toBe(0)
}

describe('one memory', () => {
  test('as Intel HEX reads back to the same bytes', () => {
    const { name, bytes } = exportMemory(backup, 'flash', 'hex')
    expect(parseIntelHex(bytes).segments).toEqual([{ address: 0, bytes: backup.memories[0]?.bytes }])
    expect(name).toMatch(/^\d{4}-\d\d-\d\d-\d{4}-ATmega8-flash\.hex$/)
  })

  test('as raw bytes is the bytes', () => {
    expect(exportMemory(backup, 'eeprom', 'bin').bytes).toEqual(backup.memories[1]?.bytes)
  })
})

describe('an archive', () => {
  test('is a ZIP that others read, with raw memories and sums in the format of sha256sum', async () => {
    const files = await unpacked()
    expect(files[flashFile(files)]).toEqual(backup.memories[0]?.bytes)
    const sums = new TextDecoder().decode(files['SHA256SUMS']).trim().split('\n')
    expect(sums).toContain(`${backup.memories[0]?.sha256 ?? ''}  ${flashFile(files)}`)
    expect(sums).toHaveLength(3)
  })

  test('brings a removed backup back with everything but its source', async () => {
    const archive = await exportAll([backup])
    await backups.remove(backup.id)
    expect(await importArchive(archive, backups)).toEqual({ added: 1, found: 1 })
    expect(await backups.get(backup.id)).toEqual({ ...backup, source: 'imported' })
  })

  test('adds nothing twice', async () => {
    const archive = await exportAll([backup])
    expect(await importArchive(archive, backups)).toEqual({ added: 0, found: 1 })
    expect(await backups.list()).toHaveLength(1)
  })

  test('whose backup has the id of another one here is kept beside it', async () => {
    const archive = await exportAll([backup])
    await db.put('backups', { ...backup, memories: [], sha256: 'another' })
    expect(await importArchive(archive, backups)).toEqual({ added: 1, found: 1 })
    expect(await importArchive(archive, backups)).toEqual({ added: 0, found: 1 })
    expect(await backups.list()).toHaveLength(2)
  })

  test('of another chip with the same contents is another backup', async () => {
    const twin = { ...backup, id: crypto.randomUUID(), createdAt: '2026-01-01T00:00:00.000Z' }
    expect(await importArchive(await exportAll([twin]), backups)).toEqual({ added: 1, found: 1 })
    expect(await backups.list()).toHaveLength(2)
  })

  test('of 100 backups keeps them apart', async () => {
    const many = Array.from({ length: 100 }, () => ({ ...backup, id: crypto.randomUUID() }))
    const found = await readArchive(await exportAll(many))
    expect(found.map(({ id }) => id)).toEqual(many.map(({ id }) => id))
  })

  test('from a newer version loses only the facts that are not known here', async () => {
    const archive = await withManifest(({ backups: [one] }) => {
      const facts = [
        { name: 'mood', value: 'good' },
        { name: 'constructor', value: 'x' },
        { name: 'chip', value: 'ATmega8' },
      ]
      Object.assign(one?.['origin'] as object, { programmer: { model: 'USBasp', facts } })
    })
    const [read] = await readArchive(archive)
    expect(read?.origin.programmer.facts).toEqual([{ name: 'chip', value: 'ATmega8' }])
  })
})

describe('a corrupt archive is refused by name and nothing of it is stored:', () => {
  test('a changed byte', async () => {
    const files = await unpacked()
    const name = flashFile(files)
    const flash = files[name]?.slice() ?? new Uint8Array()
    flash[4000] = (flash[4000] ?? 0) ^ 0x10
    await expectRefused(packed({ ...files, [name]: flash }), name, 'hash')
  })

  test('one backup twice', async () => {
    await expectRefused(await withManifest(({ backups }) => backups.push(...backups)), backup.name, 'twice')
  })

  test('one memory twice', async () => {
    await expectRefused(
      await withManifest(({ backups: [one] }) => {
        const memories = one?.['memories'] as unknown[]
        memories.push(memories[0])
      }),
      backup.name,
      'twice',
    )
  })

  test('a shortened memory', async () => {
    const files = await unpacked()
    const name = flashFile(files)
    await expectRefused(packed({ ...files, [name]: files[name]?.slice(1) ?? new Uint8Array() }), name, 'size')
  })

  test('a missing memory', async () => {
    const files = await unpacked()
    const name = flashFile(files)
    await expectRefused(packed(without(files, name)), name, 'missing')
  })

  test('a memory with another one swapped in, hash and all', async () => {
    const archive = await withManifest(({ backups: [one] }) => {
      const memories = one?.['memories'] as { id: string }[]
      if (memories[0] && memories[1]) [memories[0].id, memories[1].id] = [memories[1].id, memories[0].id]
    })
    await expectRefused(archive, backup.name, 'hash')
  })

  test.each(['../../etc/passwd', '/etc/passwd', 'C:\\x', 'a/../b', 'a//b', 'a\u202eb'])(
    'an entry called %j',
    async (name) => {
      await expectRefused(packed({ ...(await unpacked()), [name]: new Uint8Array(1) }), name, 'path')
    },
  )

  test('an entry that the manifest does not know', async () => {
    const archive = packed({ ...(await unpacked()), 'virus.exe': new Uint8Array(1) })
    await expectRefused(archive, 'virus.exe', 'not in the manifest')
  })

  test('no manifest', async () => {
    await expectRefused(packed(without(await unpacked(), 'manifest.json')), 'manifest.json', 'missing')
  })

  test('a manifest that is no JSON', async () => {
    const archive = packed({ ...(await unpacked()), 'manifest.json': new Uint8Array(9) })
    await expectRefused(archive, 'manifest.json', 'not JSON')
  })

  test('a manifest of another version', async () => {
    const archive = await withManifest((manifest) => Object.assign(manifest, { version: 2 }))
    await expectRefused(archive, 'manifest.json version', 'schema')
  })

  test.each([
    [
      'a memory that exists on no chip',
      { memories: [{ id: 'rom' }] },
      'manifest.json backups.0.memories.0.id',
    ],
    ['an id that is a path', { id: '../x' }, 'manifest.json backups.0.id'],
    ['a name without end', { name: 'x'.repeat(4001) }, 'manifest.json backups.0.name'],
    ['a time that is none', { createdAt: 'yesterday' }, 'manifest.json backups.0.createdAt'],
  ])('%s', async (_, change, name) => {
    const archive = await withManifest(({ backups: [one] }) => Object.assign(one ?? {}, change))
    await expectRefused(archive, name, 'schema')
  })

  test('a memory that unpacks to more than it says', async () => {
    const files = await unpacked()
    const name = flashFile(files)
    await expectRefused(packed({ ...files, [name]: new Uint8Array(50_000_000) }), name, 'size')
  })

  test('a bomb whose header lies about its size', async () => {
    const files = await unpacked()
    const name = flashFile(files)
    const archive = zipSync({ ...files, [name]: [new Uint8Array(20_000_000), { level: 9 }] })
    const view = new DataView(archive.buffer)
    for (let at = 0; at < archive.length - 4; at++) {
      const offset = { 0x04034b50: 22, 0x02014b50: 24 }[view.getUint32(at, true)] // local, central header
      if (offset !== undefined && view.getUint32(at + offset, true) === 20_000_000)
        view.setUint32(at + offset, 8192, true)
    }
    await backups.remove(backup.id)
    await expect(importArchive(new Blob([archive]), backups)).rejects.toMatchObject({
      code: 'backup-corrupt',
      detail: { name },
    })
    expect(await backups.list()).toEqual([])
  })

  test('a cut-off file', async () => {
    const bytes = await bytesOf(await exportAll([backup]))
    await expectRefused(new Blob([bytes.slice(0, -30)]), 'archive', 'not a ZIP file')
  })

  test('something else altogether', async () => {
    await expectRefused(new Blob(['hello']), 'archive', 'not a ZIP file')
    await expectRefused(new Blob([]), 'archive', 'not a ZIP file')
  })

  test('a file larger than any archive', async () => {
    const huge = { size: limits.archiveBytes + 1 } as Blob // never read
    await expectRefused(huge, 'archive', 'too large')
  })
})
