/**
 * What the worker does, as plain functions: they run in the worker, in Node, and on a page without workers.
 * A file is refused by its size before a byte of it is read.
 */
import { FlashError } from '#core/errors.ts'
import { refuseTooLarge, type Kernels, type ParseOptions } from '#firmware/file-format.ts'
import { readImage, writable, type Writable } from '#firmware/formats.ts'
import { sha256 } from '#firmware/hash.ts'
import { dataBytes, type Image } from '#firmware/image.ts'
import { inspect, type Inspection } from '#firmware/inspect.ts'
import { Crc } from '#kernels/crc.ts'
import { crcModel } from '#kernels/crc-models.ts'
import { fastest } from '#kernels/kernels.ts'

export interface Parsed {
  readonly image: Image
  readonly sizeBytes: number
  /** Of the file as it came; hex. */
  readonly sha256: string
  /** Of the data bytes alone (see `dataBytes`), which line ends do not change; hex. */
  readonly imageSha256: string
  /** CRC-32/ISO-HDLC of the data bytes alone: what programmers' screens and data sheets compare. */
  readonly crc32: number
  /** What is in it; looked for here, because 64 MiB take a while. */
  readonly inspection: Inspection
  /** As what it can be saved. */
  readonly writable: readonly Writable[]
}

export { writeImage as write } from '#firmware/formats.ts'

/** @throws `bad-file`; `storage-failed` when the file can no longer be read. */
export async function parse(
  file: Blob,
  name: string,
  options: ParseOptions = {},
  signal?: AbortSignal,
): Promise<Parsed> {
  refuseTooLarge(file.size)
  const { fold, ...kernels } = await fastest()
  const { bytes, image } = await readWhole(file, name, { ...options, ...kernels }, signal)
  const data = dataBytes(image.segments)
  const fileHash = sha256(bytes)
  const [hash, imageHash] = await Promise.all([fileHash, data === bytes ? fileHash : sha256(data)])
  signal?.throwIfAborted()
  return {
    ...{ image, sizeBytes: bytes.length, sha256: hash, imageSha256: imageHash },
    crc32: new Crc(crcModel('CRC-32/ISO-HDLC'), fold).update(data).done(),
    inspection: inspect(image),
    writable,
  }
}

/** Any format, from all bytes of its file at once. */
async function readWhole(
  file: Blob,
  name: string,
  options: ParseOptions & Kernels,
  signal: AbortSignal | undefined,
): Promise<{ bytes: Uint8Array; image: Image }> {
  const bytes = await readAll(file)
  signal?.throwIfAborted()
  const image = await readImage(bytes, name, options)
  signal?.throwIfAborted()
  return { bytes, image }
}

async function readAll(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer())
  } catch (cause) {
    throw new FlashError('storage-failed', { during: 'reading the file' }, { cause })
  }
}
