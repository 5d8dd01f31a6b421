/**
 * What a file format is to this project. Each is one file, `x.format.ts`, with a `FileFormat` or a `Wrapper` as
 * its default export; `formats.ts` finds them by their names, so no list has to know them. The page may import
 * this file, the formats themselves live in the worker.
 */
import { FlashError, type BadFileDetail, type PartOfFile } from '#core/errors.ts'
import type { Claims, Image } from './image.ts'
import type { FastRecords } from './record-reader.ts'
import type { Runs } from './runs.ts'

/** Larger files are refused before they are read, and larger ones in a wrapper before they are unpacked further. */
export const mostFileBytes = 64 << 20
/** A record of 16 bytes may take 48 characters. */
export const mostTextBytes = 3 * mostFileBytes

/** An archive of more is no firmware. */
export const mostEntries = 1000

export interface ParseOptions {
  /** Where bytes without an address go; given, it also says that an unknown content is meant as a raw binary. */
  readonly base?: number
  /** Which part of a file for several memories or chips, or of an archive; the error `several-parts` lists them. */
  readonly part?: string
}

/** What a worker brings along to read faster. */
export interface Fast {
  readonly fastRecords?: FastRecords
}

/** Reads a file while it comes, in pieces of any size. */
export interface Reader {
  /** Data bytes, so far. */
  readonly runs: Runs
  /** Nothing that comes can make it right any more. */
  readonly isWrong: boolean
  push(piece: Uint8Array): void
  /**
   * After the last piece. Undefined: there is something that is wrong or that has to be said, and it takes the whole file
   * to tell what; so does an error, which does not say where. @throws `bad-file` only.
   */
  image(): Image | undefined
}

interface Recognised {
  readonly id: string
  /** As the field calls it; errors and images carry it. */
  readonly name: string
  /** Recognised first: bytes that nothing else has. */
  readonly magic?: (bytes: Uint8Array) => boolean
  /** Recognised next: the form of the beginning, a character a byte. */
  readonly shape?: (head: string) => boolean
  /** Recognised last: endings of file names. */
  readonly names?: RegExp
}

export interface FileFormat extends Recognised {
  /** Default: `mostFileBytes`. */
  readonly mostBytes?: number
  /** If it can be read while it comes; `sizeBytes` is that of the file. */
  readonly reader?: (sizeBytes: number, fast: Fast) => Reader
  /** Checks all that the file says of its own bytes; only some hashes take a promise. @throws `bad-file` only. */
  readonly parse: (bytes: Uint8Array, options: ParseOptions & Fast) => Image | Promise<Image>
  /** Of the files that it writes, without a dot. */
  readonly ending?: string
  /** @throws `bad-file` `address-overflow` for what the format cannot reach. */
  readonly write?: (image: Pick<Image, 'segments' | 'claims'>) => Uint8Array<ArrayBuffer>
}

/** A format around other files, e.g. an archive; which of them is meant is not its business. */
export interface Wrapper extends Recognised {
  /** What it holds; `name` is its own. @throws `bad-file` only. */
  readonly unwrap: (bytes: Uint8Array, name: string) => readonly Inside[] | Promise<readonly Inside[]>
}

/** A file in a wrapper. */
export interface Inside {
  readonly name: string
  /** As the wrapper tells it; only to be shown. */
  readonly sizeBytes?: number
  /** What the wrapper says of it. */
  readonly claims?: Claims
  /** Its beginning, up to `mostBytes`, whatever length the wrapper tells. @throws `bad-file` only. */
  readonly read: (mostBytes: number) => Uint8Array | Promise<Uint8Array>
}

/** What a format's parser refuses a file with, at an offset in it. */
export const refusing =
  (format: string) =>
  (
    why: BadFileDetail['why'],
    offset: number,
    more: Partial<BadFileDetail> = {},
    cause?: unknown,
  ): FlashError =>
    new FlashError('bad-file', { format, why, offset, ...more }, { cause })

export const startsWith = (bytes: Uint8Array, magic: string, at = 0): boolean =>
  Array.from(magic).every((character, i) => bytes[at + i] === character.charCodeAt(0))

export function refuseTooLarge(sizeBytes: number, mostBytes = mostFileBytes): void {
  if (sizeBytes <= mostBytes) return
  const mebibytes = (size: number) => `${Math.ceil(size / 2 ** 20)} MiB`
  throw new FlashError('bad-file', {
    format: 'unknown',
    why: 'too-large',
    found: mebibytes(sizeBytes),
    expected: mebibytes(mostBytes),
  })
}

/** More than anybody could choose from, or read in an error. */
const mostParts = 256

/**
 * The part that `wanted` names; without it, the only one.
 * @throws `bad-file`: `several-parts`, `no-such-part`; both list the parts. `no-bytes`, `bad-structure`.
 */
export function choosePart<Part extends PartOfFile>(
  format: string,
  parts: readonly Part[],
  wanted: string | undefined,
): Part {
  const [first, ...others] = parts
  if (!first) throw new FlashError('bad-file', { format, why: 'no-bytes' })
  if (wanted === undefined && others.length === 0) return first
  const chosen = parts.find(({ id }) => id === wanted)
  if (chosen) return chosen
  if (parts.length > mostParts)
    throw new FlashError('bad-file', { format, why: 'bad-structure', found: `over ${mostParts} parts` })
  const listed = parts.map(({ id, name, sizeBytes }) => ({
    id,
    name,
    ...(sizeBytes !== undefined && { sizeBytes }),
  }))
  throw wanted === undefined
    ? new FlashError('bad-file', { format, why: 'several-parts', parts: listed })
    : new FlashError('bad-file', { format, why: 'no-such-part', expected: wanted, parts: listed })
}
