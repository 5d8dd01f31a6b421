/**
 * What the worker does, as plain functions: they run in the worker, in Node, and on a page without workers.
 * A file is refused by its size before a byte of it is read.
 */
import { sha256 as streamingSha256 } from '@noble/hashes/sha2.js'
import { hexBytes } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import { mostFileBytes, parseImage, refuseTooLarge, type ParseOptions } from '#firmware/formats.ts'
import { sha256 as hashBytes } from '#firmware/hash.ts'
import { dataBytes, type Image } from '#firmware/image.ts'
import { inspect, type Inspection } from '#firmware/inspect.ts'

export interface Parsed {
  readonly image: Image
  readonly sizeBytes: number
  /** Of the file as it came; hex. */
  readonly sha256: string
  /** Of the data bytes alone (see `dataBytes`), which line ends do not change; hex. */
  readonly imageSha256: string
  /** What is in it; looked for here, because 64 MiB take a while. */
  readonly inspection: Inspection
}

/** @throws `bad-file`; `storage-failed` when the file can no longer be read. */
export async function parse(
  file: Blob | Uint8Array,
  name: string,
  options: ParseOptions = {},
  signal?: AbortSignal,
): Promise<Parsed> {
  refuseTooLarge(file instanceof Blob ? file.size : file.length)
  const bytes = file instanceof Blob ? await readAll(file) : file
  signal?.throwIfAborted()
  const image = parseImage(bytes, name, options)
  signal?.throwIfAborted()
  const data = dataBytes(image.segments)
  const hash = hashBytes(bytes)
  const imageHash = data === bytes ? hash : hashBytes(data)
  const inspection = inspect(image)
  return { image, sizeBytes: bytes.length, sha256: await hash, imageSha256: await imageHash, inspection }
}

/** Hex. WebCrypto takes a whole buffer; a big Blob is read and hashed piece by piece instead. */
export async function sha256(source: Blob | Uint8Array, signal?: AbortSignal): Promise<string> {
  signal?.throwIfAborted()
  if (!(source instanceof Blob)) return hashBytes(source)
  if (source.size <= mostFileBytes) return hashBytes(await readAll(source))
  const hash = streamingSha256.create()
  for (let from = 0; from < source.size; from += pieceBytes) {
    hash.update(await readAll(source.slice(from, from + pieceBytes)))
    signal?.throwIfAborted()
  }
  return hexBytes(hash.digest(), '')
}

const pieceBytes = 1 << 20

async function readAll(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer())
  } catch (cause) {
    throw new FlashError('storage-failed', { during: 'reading the file' }, { cause })
  }
}
