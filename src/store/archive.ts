/**
 * Backups as files: one memory as Intel HEX or raw bytes, all backups as one ZIP with a manifest and
 * checksums, and the way back. An archive is checked whole (paths, sizes, schema, hashes) before anything
 * of it is stored; what is wrong is refused by its name. ZIP: APPNOTE.TXT 6.3.10, through zip.js; loaded
 * only when somebody exports or imports.
 */
import {
  BlobReader,
  Uint8ArrayReader,
  ZipReader,
  ZipWriter,
  configure,
  type Entry,
} from '@zip.js/zip.js/lib/zip-core-native.js'
import { concat, hexBytes } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { Contents, MemoryId } from '#core/programmer.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { parseManifest, type Manifest } from './archive-manifest.ts'
import { sha256OfMemories, type Backup, type BackupMemory, type Backups } from './backups.ts'
import type { StoredMemory } from './db.ts'
import type { JournalEntry } from './journal.ts'
import { sha256 } from '#firmware/hash.ts'

configure({ useWebWorkers: false }) // backups are small, and a worker from a blob: is against our CSP

export interface ExportedFile {
  readonly name: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** One memory of a backup, named after chip, memory and time. @throws `does-not-fit` when it has no such memory. */
export function exportMemory(backup: Backup, id: MemoryId, format: 'hex' | 'bin'): ExportedFile {
  const memory = backup.memories.find((one) => one.id === id)
  if (!memory) throw new FlashError('does-not-fit', { memory: id, address: 0, length: 0, available: 0 })
  const name = `${stem(backup)}-${id}.${format}`
  return { name, bytes: format === 'hex' ? formatIntelHex([memory]) : Uint8Array.from(memory.bytes) }
}

const manifestName = 'manifest.json'
const sumsName = 'SHA256SUMS'
/** What is beside the backups in an archive: for people, and not imported. */
const besideName = 'write/'

/** `reflasher-backups.zip`: every memory as raw bytes, `manifest.json`, and `SHA256SUMS` for `sha256sum -c`. */
export const exportAll = async (backups: readonly Backup[]): Promise<Blob> => zipOf(filesOf(backups))

/**
 * All that is kept of a job that was not seen to end: its backup as in `exportAll`, so that it can be imported, what
 * was to be written as Intel HEX, and the journal's entry.
 */
export async function exportJob(
  { wanted, instead, ...entry }: JournalEntry,
  backup: Backup | undefined,
): Promise<Blob> {
  const { contents, source, firmware } = wanted
  const chosen = instead && { source: instead.wanted.source, rule: instead.rule }
  const json = JSON.stringify({ ...entry, source, firmware, instead: chosen }, inJson, 2)
  return zipOf([
    ...filesOf(backup ? [backup] : []),
    { name: `${besideName}interrupted.json`, bytes: new TextEncoder().encode(json) },
    ...asHex(besideName, contents),
    ...(instead ? asHex(`${besideName}instead-`, instead.wanted.contents) : []),
  ])
}

const asHex = (beginning: string, contents: Contents): Zipped[] =>
  [...contents].map(([id, segments]) => ({
    name: `${beginning}${id}.hex`,
    bytes: formatIntelHex(segments),
  }))

/** What is left of a damaged record: its bytes as they are, and all else as JSON. For people; it is not imported. */
export const exportDamaged = (record: unknown, memories: readonly StoredMemory[]): Promise<Blob> =>
  zipOf([
    { name: 'record.json', bytes: new TextEncoder().encode(JSON.stringify(record ?? null, inJson, 2)) },
    ...memories.map(({ id, bytes }) => ({ name: `${id}.bin`, bytes })),
  ])

/** Contents in hex. */
const inJson = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array
    ? hexBytes(value, '')
    : value instanceof Map
      ? Object.fromEntries(value as ReadonlyMap<string, unknown>)
      : value

interface Zipped {
  readonly name: string
  readonly bytes: Uint8Array
}

function filesOf(backups: readonly Backup[]): readonly Zipped[] {
  const files: Zipped[] = []
  const manifest: Manifest = {
    format: 'reflasher-backups',
    version: 1,
    backups: backups.map((backup, i) => ({
      ...backup,
      memories: backup.memories.map(({ bytes, ...memory }) => {
        const name = `${String(i + 1).padStart(3, '0')}-${stem(backup)}/${memory.id}.bin`
        files.push({ name, bytes })
        return { ...memory, file: name }
      }),
    })),
  }
  const json = JSON.stringify(manifest, undefined, 2)
  return [{ name: manifestName, bytes: new TextEncoder().encode(json) }, ...files]
}

async function zipOf(files: readonly Zipped[]): Promise<Blob> {
  const pipe = new TransformStream<Uint8Array<ArrayBuffer>>()
  const whole = new Response(pipe.readable).blob()
  const zip = new ZipWriter(pipe.writable)
  let sums = ''
  for (const { name, bytes } of files) {
    await zip.add(name, new Uint8ArrayReader(bytes))
    sums += `${await sha256(bytes)}  ${name}\n`
  }
  await zip.add(sumsName, new Uint8ArrayReader(new TextEncoder().encode(sums)))
  await zip.close()
  return new Blob([await whole], { type: 'application/zip' })
}

/** Against archives made to fill the memory; a real one is far below all of them. */
export const limits = { archiveBytes: 2 ** 28, entries: 20_000, manifestBytes: 2 ** 24, totalBytes: 2 ** 28 }

/**
 * Checks an archive whole, then stores what is not there yet in one transaction.
 * @throws `backup-corrupt` naming the entry and why, `storage-full`, `storage-failed`
 */
export async function importArchive(
  archive: Blob,
  backups: Backups,
): Promise<{ added: number; found: number }> {
  const found = await readArchive(archive)
  return { added: await backups.addImported(found), found: found.length }
}

/** The backups in an archive, all checked. @throws `backup-corrupt` */
export async function readArchive(archive: Blob): Promise<readonly Backup[]> {
  if (archive.size > limits.archiveBytes) throw corrupt('archive', 'too large')
  await using zip = await openZip(archive)
  const { entries } = zip
  const manifestEntry = entries.get(manifestName)
  if (!manifestEntry) throw corrupt(manifestName, 'missing')
  const manifest = parseManifest(await extract(manifestEntry, limits.manifestBytes))

  const listed = new Set([manifestName, sumsName])
  for (const { memories } of manifest.backups) for (const { file } of memories) listed.add(file)
  for (const name of entries.keys())
    if (!listed.has(name) && !name.startsWith(besideName)) throw corrupt(name, 'not in the manifest')
  const total = manifest.backups
    .flatMap(({ memories }) => memories)
    .reduce((sum, { length }) => sum + length, 0)
  if (total > limits.totalBytes) throw corrupt(manifestName, 'too large')

  const backups: Backup[] = []
  for (const { memories: described, ...entry } of manifest.backups) {
    const memories: BackupMemory[] = []
    for (const { file, ...memory } of described) {
      const stored = entries.get(file)
      if (!stored) throw corrupt(file, 'missing')
      const bytes = await extract(stored, memory.length)
      if (bytes.length !== memory.length) throw corrupt(file, 'size')
      if ((await sha256(bytes)) !== memory.sha256) throw corrupt(file, 'hash')
      memories.push({ ...memory, bytes })
    }
    if ((await sha256OfMemories(memories)) !== entry.sha256) throw corrupt(entry.name, 'hash')
    backups.push({ ...entry, memories })
  }
  return backups
}

/** Opens an archive and checks the names of its entries. */
async function openZip(archive: Blob): Promise<AsyncDisposable & { entries: ReadonlyMap<string, Entry> }> {
  const zip = new ZipReader(new BlobReader(archive), { filenameValidation: 'tolerant' }) // `isPlainPath` is stricter
  const entries = new Map<string, Entry>()
  try {
    for await (const entry of zip.getEntriesGenerator()) {
      const { filename } = entry
      if (entry.directory) continue
      if (entries.size === limits.entries) throw corrupt('archive', 'too many entries')
      if (!isPlainPath(filename)) throw corrupt(filename, 'path')
      if (entries.has(filename)) throw corrupt(filename, 'twice')
      if (entry.encrypted) throw corrupt(filename, 'encrypted')
      entries.set(filename, entry)
    }
  } catch (error) {
    await zip.close()
    throw error instanceof FlashError ? error : corrupt('archive', 'not a ZIP file', error)
  }
  return { entries, [Symbol.asyncDispose]: () => zip.close() }
}

/** The entry's bytes; stops at `limit` whatever its header claims. */
async function extract(entry: Entry, limit: number): Promise<Uint8Array> {
  if (entry.directory || entry.uncompressedSize > limit) throw corrupt(entry.filename, 'size')
  const parts: Uint8Array[] = []
  let length = 0
  const sink = new WritableStream<Uint8Array>({
    write(part) {
      length += part.length
      if (length > limit) throw corrupt(entry.filename, 'size')
      parts.push(part.slice())
    },
  })
  try {
    await entry.getData(sink)
  } catch (error) {
    throw error instanceof FlashError ? error : corrupt(entry.filename, 'unreadable', error)
  }
  return concat(...parts)
}

const isPlainPath = (name: string): boolean =>
  name.length <= 255 &&
  /^[\w.,+ -]+(\/[\w.,+ -]+)*$/.test(name) &&
  !name.split('/').some((part) => /^\.+$/.test(part))

/** `2026-01-31-1402-ATmega8`: safe in every file system. */
function stem({ createdAt, origin }: Backup): string {
  const time = createdAt.slice(0, 16).replace('T', '-').replace(':', '')
  return `${time}-${origin.patient.chip.replace(/[^\w.+-]+/g, '_')}`
}

const corrupt = (name: string, why: string, cause?: unknown) =>
  new FlashError('backup-corrupt', { name, why }, { cause })
