/**
 * One shape for every file format: what bytes a firmware file holds and where they go. Segments are
 * sorted, never overlap and never touch (what is adjacent is one segment); gaps are not filled.
 * Memory stays within the sum of the bytes given, whatever addresses a hostile file names.
 */
import { concat } from '#core/bytes.ts'
import { FlashError, type BadFileDetail } from '#core/errors.ts'
import type { Range, Segment } from '#core/programmer.ts'

/** What a file says about itself beside its bytes, in its own words; checks compare it with the device. */
export interface Claims {
  /** Where execution begins, as an absolute address. */
  readonly entry?: number
  /** The kind of processor, e.g. `AVR`. */
  readonly machine?: string
  /** The chip or its family, e.g. `RP2040`. */
  readonly chip?: string
  /** The device it was made for, and its USB ids; an id that is absent is any. */
  readonly device?: string
  readonly usb?: { readonly vendorId?: number; readonly productId?: number; readonly deviceVersion?: number }
  readonly name?: string
  readonly version?: string
  /** When it was built, and on what, e.g. `ESP-IDF v5.1`. */
  readonly built?: string
  readonly framework?: string
}

export interface ImageWarning {
  readonly code:
    | 'text-after-end' // something follows the end record; it was not read
    | 'records-after-end' // more records follow the end record (two files in one?); they were not read
    | 'repeated-bytes' // the same bytes are given twice for one place
    | 'base-assumed' // a raw binary has no address; 0 was assumed
    | 'mixed-addresses' // records with addresses of several widths; a wrong one could look like that
    | 'parts-left-out' // parts for other memories, or for none, were not read
  readonly line?: number
  readonly offset?: number
  readonly address?: number
}

/** What the file names within its bytes; for people, the bytes are in the segments. */
export interface ImagePart extends Range {
  readonly name: string
  readonly claims?: Claims
  /** Of several applications the one that runs. */
  readonly isStarted?: true
}

export interface Image {
  /** The format's name, as the field calls it. */
  readonly format: string
  /** The formats around it, the outermost first; absent: the file is of the format itself. */
  readonly wrappers?: readonly string[]
  /** Which file of an archive it is; absent: there is only one. */
  readonly file?: string
  readonly segments: readonly Segment[]
  /** The file gives no addresses: where its bytes begin is the reader's to say. */
  readonly isRaw?: true
  readonly claims: Claims
  readonly parts?: readonly ImagePart[]
  readonly warnings: readonly ImageWarning[]
}

/** More pieces than this is no firmware; it would only cost memory. */
const mostSegments = 65_536

/** Where in the file the two contradicting bytes for an address stand. */
export type Places = (address: number) => Pick<BadFileDetail, 'line' | 'firstLine' | 'offset' | 'firstOffset'>

/** From everything the file gives, with its offset there: what first gives the address, and what contradicts it. */
export const placesAmong =
  (given: () => Iterable<Segment & { readonly offset: number }>): Places =>
  (wanted) => {
    let first: { byte: number | undefined; offset: number } | undefined
    for (const { address, bytes, offset } of given()) {
      if (wanted < address || wanted >= address + bytes.length) continue
      const byte = bytes[wanted - address]
      if (first && first.byte !== byte) return { offset, firstOffset: first.offset }
      first ??= { byte, offset }
    }
    return {}
  }

/**
 * An image from pieces in any order. Bytes given twice must be equal. Takes the pieces' memory over.
 * @throws `bad-file`: `no-bytes`, `address-overflow`, `overlap` (naming both places), `bad-structure`.
 */
export function buildImage(
  format: string,
  pieces: readonly Segment[],
  more: { isRaw?: true; claims?: Claims; warnings?: readonly ImageWarning[]; places?: Places } = {},
): Image {
  const sorted = pieces.filter((piece) => piece.bytes.length > 0)
  if (sorted.some((piece, i) => i > 0 && piece.address < (sorted[i - 1] as Segment).address))
    sorted.sort((a, b) => a.address - b.address)
  if (sorted.length === 0) throw new FlashError('bad-file', { format, why: 'no-bytes' })

  const segments: Segment[] = []
  const warnings = [...(more.warnings ?? [])]
  for (let from = 0; from < sorted.length;) {
    let to = from
    let end = 0
    do {
      const { address, bytes } = sorted[to++] as Segment
      end = Math.max(end, address + bytes.length)
    } while (to < sorted.length && (sorted[to] as Segment).address <= end)
    if (end > 2 ** 32) throw new FlashError('bad-file', { format, why: 'address-overflow', address: end - 1 })
    if (segments.length === mostSegments)
      throw new FlashError('bad-file', { format, why: 'bad-structure', found: `over ${mostSegments} pieces` })
    segments.push(join(format, sorted.slice(from, to), end, warnings, more.places))
    from = to
  }
  return { format, segments, ...(more.isRaw && { isRaw: true }), claims: more.claims ?? {}, warnings }
}

/** One segment from sorted pieces that touch or overlap. */
function join(
  format: string,
  pieces: readonly Segment[],
  end: number,
  warnings: ImageWarning[],
  places: Places | undefined,
): Segment {
  const [first] = pieces as [Segment]
  if (pieces.length === 1) return { address: first.address, bytes: first.bytes } // and nothing that a piece has beside
  const bytes = new Uint8Array(end - first.address)
  let covered = 0
  for (const piece of pieces) {
    const offset = piece.address - first.address
    const repeated = Math.max(0, Math.min(piece.bytes.length, covered - offset))
    for (let i = 0; i < repeated; i++) {
      if (piece.bytes[i] === bytes[offset + i]) continue
      const address = piece.address + i
      throw new FlashError('bad-file', { format, why: 'overlap', address, ...places?.(address) })
    }
    if (repeated > 0 && !warnings.some(({ code }) => code === 'repeated-bytes'))
      warnings.push({ code: 'repeated-bytes', address: piece.address })
    bytes.set(piece.bytes.subarray(repeated), offset + repeated)
    covered = Math.max(covered, offset + piece.bytes.length)
  }
  return { address: first.address, bytes }
}

/** How many bytes the segments hold, gaps left out. */
export const totalBytes = (segments: readonly Segment[]): number =>
  segments.reduce((sum, { bytes }) => sum + bytes.length, 0)

/** The segment that holds an address; they are sorted, and there may be many. */
export function segmentAt(segments: readonly Segment[], address: number): Segment | undefined {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((segments[middle] as Segment).address <= address) low = middle + 1
    else high = middle
  }
  const found = segments[low - 1]
  return found && address < found.address + found.bytes.length ? found : undefined
}

/** From the first byte to the last, gaps included. */
export function spanOf(segments: readonly Segment[]): Range {
  const first = segments[0]
  const last = segments.at(-1)
  if (!first || !last) return { address: 0, length: 0 }
  return { address: first.address, length: last.address + last.bytes.length - first.address }
}

/**
 * Where either of two images has bytes. What lies near each other is one area, but no gap is longer than what is
 * before it: filled in, all of them are at most twice as long as both images.
 */
export function areasOf(first: readonly Segment[], second: readonly Segment[], mostGap = 4096): Range[] {
  const areas: { address: number; length: number }[] = []
  for (const { address, bytes } of [...first, ...second].sort((a, b) => a.address - b.address)) {
    const last = areas.at(-1)
    const gap = last ? address - last.address - last.length : Infinity
    if (last && gap <= Math.min(mostGap, last.length))
      last.length = Math.max(last.length, address + bytes.length - last.address)
    else areas.push({ address, length: bytes.length })
  }
  return areas
}

/** The bytes of `range` in one piece; gaps become `fill`, what lies outside is left out. */
export function flatten(segments: readonly Segment[], range: Range, fill = 0xff): Uint8Array<ArrayBuffer> {
  const flat = new Uint8Array(range.length).fill(fill)
  for (const { address, bytes } of segments) {
    const offset = address - range.address
    if (offset + bytes.length <= 0 || offset >= range.length) continue
    flat.set(bytes.subarray(Math.max(0, -offset), range.length - offset), Math.max(0, offset))
  }
  return flat
}

/**
 * The data bytes alone, in ascending order, gaps left out: its SHA-256 is the catalogue's `imageSha256`,
 * equal for files that differ only in line ends or record lengths. One segment is not copied.
 */
export const dataBytes = (segments: readonly Segment[]): Uint8Array =>
  segments.length === 1 && segments[0] ? segments[0].bytes : concat(...segments.map(({ bytes }) => bytes))
