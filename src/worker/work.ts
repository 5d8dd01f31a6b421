/**
 * What the worker does, as plain functions: they run in the worker, in Node, and on a page without workers.
 * A file is refused by its size before a byte of it is read.
 */
import { createSHA256 } from 'hash-wasm'
import { differences, likelyCause, type Cause, type Differences } from '#core/compare.ts'
import { FlashError, isFlashError } from '#core/errors.ts'
import { mostTextBytes, refuseTooLarge, type ParseOptions, type Reader } from '#firmware/file-format.ts'
import { headBytes, readImage, waysToRead, writable, type Writable } from '#firmware/formats.ts'
import { sha256 } from '#firmware/hash.ts'
import { dataBytes, type Image } from '#firmware/image.ts'
import { inspect, type Inspection } from '#inspector/inspect.ts'
import { Crc } from '#kernels/crc.ts'
import { crcModel } from '#kernels/crc-models.ts'
import { fastest, fastestCompare, type Kernels } from '#kernels/kernels.ts'

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
  refuseTooLarge(file.size, mostTextBytes)
  const [head, kernels] = await Promise.all([readAll(file.slice(0, headBytes)), fastest()])
  const { reader, mostBytes } = waysToRead(head, name)
  refuseTooLarge(file.size, mostBytes)
  signal?.throwIfAborted()
  const isWorthIt = kernels.fastRecords && file.size > mostInOne
  const pieces = isWorthIt && reader && (await readPieces(file, reader(file.size, kernels), kernels, signal))
  const { image, data, crc32, ...read } =
    pieces || (await readWhole(file, name, { ...options, ...kernels }, signal))
  const imageSha256 = data === read.bytes ? read.sha256 : sha256(data)
  const inspection = inspect(image) // while the hashes are made elsewhere
  const hashes = { sha256: await read.sha256, imageSha256: await imageSha256 }
  signal?.throwIfAborted()
  return { image, sizeBytes: file.size, ...hashes, crc32, inspection, writable }
}

export interface Compared extends Differences {
  /** What most likely made the second of the first. */
  readonly cause: Cause
}

export async function compare(first: Uint8Array, second: Uint8Array): Promise<Compared> {
  const blocks = await fastestCompare()
  return { ...differences(first, second, blocks && { blocks }), cause: likelyCause(first, second) }
}

interface Read {
  readonly image: Image
  /** As `dataBytes` gives them. */
  readonly data: Uint8Array
  readonly crc32: number
  /** Of the file. */
  readonly sha256: string | Promise<string>
  readonly bytes?: Uint8Array
}

/** Any format, from all bytes of its file at once. */
async function readWhole(
  file: Blob,
  name: string,
  options: ParseOptions & Kernels,
  signal: AbortSignal | undefined,
): Promise<Read> {
  const bytes = await readAll(file)
  signal?.throwIfAborted()
  const image = await readImage(bytes, name, options)
  signal?.throwIfAborted()
  const data = dataBytes(image.segments)
  return { image, data, crc32: crcOf(options).update(data).done(), sha256: sha256(bytes), bytes }
}

/** Smaller files are no work. */
const mostInOne = 1 << 20

/**
 * While the file comes, so that never more than a piece of it is held. Undefined: something is not right, and the whole
 * file tells what. A browser hashes only what it has whole, so here a package does that, at a third of its speed.
 */
async function readPieces(
  file: Blob,
  reader: Reader,
  kernels: Kernels,
  signal: AbortSignal | undefined,
): Promise<Read | undefined> {
  const [hash, crc, { runs }] = [await createSHA256(), crcOf(kernels), reader]
  let counted = 0
  try {
    for await (const piece of piecesOf(file)) {
      signal?.throwIfAborted()
      hash.update(piece)
      reader.push(piece)
      if (reader.isWrong) return undefined
      crc.update(runs.bytes.subarray(counted, runs.filled))
      counted = runs.filled
    }
    const image = reader.image()
    if (!image) return undefined
    const whole = { image, sha256: hash.digest() }
    if (runs.isAscending) return { ...whole, data: runs.bytes.subarray(0, runs.filled), crc32: crc.done() }
    const data = dataBytes(image.segments)
    return { ...whole, data, crc32: crcOf(kernels).update(data).done() }
  } catch (error) {
    if (isFlashError(error, 'bad-file')) return undefined
    throw error
  }
}

/** Browsers before Chromium 124 cannot iterate over a stream. */
async function* piecesOf(file: Blob): AsyncGenerator<Uint8Array> {
  const pieces = file.stream().getReader()
  try {
    for (;;) {
      const { done, value } = await during(pieces.read())
      if (done) return
      yield value
    }
  } finally {
    await during(pieces.cancel())
  }
}

const crcOf = ({ fold }: Kernels): Crc => new Crc(crcModel('CRC-32/ISO-HDLC'), fold)

const readAll = async (blob: Blob): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(await during(blob.arrayBuffer()))

async function during<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (cause) {
    throw new FlashError('storage-failed', { during: 'reading the file' }, { cause })
  }
}
