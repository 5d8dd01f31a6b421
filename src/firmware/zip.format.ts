/**
 * ZIP, by its central directory, with the CRC-32 of each file. The reader is zip.js, loaded only for a ZIP.
 * Document: APPNOTE.TXT 6.3.10.
 */
import type { FileEntry } from '@zip.js/zip.js/lib/zip-core-native.js'
import { concat } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import { mostEntries, refusing, startsWith, type Inside, type Wrapper } from './file-format.ts'

const name = 'ZIP'
const bad = refusing(name)

async function unwrap(bytes: Uint8Array): Promise<Inside[]> {
  const { ERR_EOCDR_NOT_FOUND, Uint8ArrayReader, ZipReader } =
    await import('@zip.js/zip.js/lib/zip-core-native.js')
  // nothing is stored under these names, so what they are does not matter
  const zip = new ZipReader(new Uint8ArrayReader(bytes), {
    filenameValidation: 'tolerant',
    useWebWorkers: false,
  })
  const inside: Inside[] = []
  let seen = 0
  try {
    for await (const entry of zip.getEntriesGenerator()) {
      if (++seen > mostEntries) throw bad('bad-structure', 0, { found: `over ${mostEntries} files` })
      if (entry.directory || entry.uncompressedSize === 0) continue
      inside.push({
        name: entry.filename,
        sizeBytes: entry.uncompressedSize,
        read: (mostBytes) => read(entry, mostBytes),
      })
    }
  } catch (cause) {
    if (cause instanceof FlashError) throw cause
    // a directory ends every archive; of what else is wrong the reader does not say where
    if (cause instanceof Error && cause.message === ERR_EOCDR_NOT_FOUND)
      throw bad('truncated', bytes.length, {}, cause)
    throw new FlashError('bad-file', { format: name, why: 'bad-structure' }, { cause })
  }
  return inside
}

async function read(entry: FileEntry, mostBytes: number): Promise<Uint8Array> {
  if (entry.encrypted) throw bad('encrypted', entry.offset)
  const parts: Uint8Array[] = []
  let left = mostBytes
  const sink = new WritableStream<Uint8Array>({
    write(part) {
      parts.push(part.slice(0, left))
      left -= part.length
      if (left <= 0) throw new Error('enough') // what was asked for is here
    },
  })
  try {
    await entry.getData(sink, { checkCrc32: true })
  } catch (cause) {
    if (left > 0) throw bad('bad-compression', entry.offset, {}, cause)
  }
  return concat(...parts)
}

export default {
  id: 'zip',
  name,
  /** A file first, or an archive of none. */
  magic: (bytes) => startsWith(bytes, 'PK\x03\x04') || startsWith(bytes, 'PK\x05\x06'),
  names: /\.zip$/i,
  unwrap,
} satisfies Wrapper
