/**
 * Motorola S-record, both ways: a record is `S`, its type, a count, an address, data and a checksum. Reading
 * follows the same rules as Intel HEX: any order, any line end, digits of either case, and nothing that could
 * be read in two ways. Document: "M68000 Family Programmer's Reference Manual", appendix C, "S-Record Output
 * Format"; S5 and S6 as in srec_motorola(5) of SRecord.
 *
 * The checksum does not cover the type, so a digit that turned another there (S1 into S2) would move bytes
 * unseen. Some tools do mix widths, but then each record has the narrowest that its address allows and they
 * only grow; anything else is refused, and the mixture is remarked.
 */
import { hex } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { Segment } from '#core/programmer.ts'
import type { FileFormat } from './file-format.ts'
import {
  afterEnd,
  byteAt,
  digits,
  hasByteOrderMark,
  isDigit,
  isSpace,
  lineAt,
  notText,
  refusingText,
  pairs as bytesByPair,
  shown,
  wrong,
} from './hex-text.ts'
import { buildImage, placesAmong, type Claims, type Image } from './image.ts'
import { Runs, tooManyRuns } from './runs.ts'

const name = 'Motorola S-record'
const startCode = 0x53 // S
/** By type: how many bytes its address, or count of records, has; S4 is reserved. */
const addressBytes: readonly number[] = [2, 2, 3, 4, 0, 2, 3, 4, 3, 2]

const isHeader = (type: number) => type === 0
const isData = (type: number) => type >= 1 && type <= 3
const isEnd = (type: number) => type >= 7
const narrowest = (address: number) => (address < 2 ** 16 ? 2 : address < 2 ** 24 ? 3 : 4)

interface Scan {
  readonly runs: Runs
  readonly header: Uint8Array | undefined
  readonly entry: number | undefined
  /** Of data, so far. */
  readonly records: number
  readonly isMixed: boolean
  /** After the end record; without one, where reading stopped: at a record that is not right, or at the end. */
  readonly at: number
  readonly ended: boolean
}

/** From text to data at memory speed, stopping at the first thing that is not right; `whatIsWrong` says what it was. */
function scanRecords(text: Uint8Array): Scan {
  const pairs = bytesByPair // an import is slower in a loop, where modules are not bundled
  const view = new DataView(text.buffer, text.byteOffset, text.byteLength)
  const runs = new Runs(text.length >> 1)
  const { bytes } = runs
  let header: Uint8Array | undefined
  let entry: number | undefined
  let records = 0
  let isCounted = false
  let isNarrow = true
  let isMixed = false
  let lastAt = 0
  let lastWidth = 0
  let at = hasByteOrderMark(text) ? 3 : 0
  let ended = false

  while (at + 10 <= text.length && !runs.isFull) {
    const character = text[at] as number
    if (character !== startCode) {
      if (!isSpace(character)) break
      at++
      continue
    }
    const type = (text[at + 1] as number) - 0x30
    const width = addressBytes[type] ?? 0
    const count = pairs[view.getUint16(at + 2, true)] as number
    const end = at + 4 + count * 2
    if (width === 0 || count <= width || end > text.length) break
    if (end < text.length && !isSpace(text[end])) break
    let sum = count
    let seen = count
    let bits = 0
    let from = at + 4
    for (const dataAt = from + width * 2; from < dataAt; from += 2) {
      const byte = pairs[view.getUint16(from, true)] as number
      bits = (bits << 8) | byte
      sum += byte
      seen |= byte
    }
    let out = runs.filled
    for (; from < end; from += 2) {
      const byte = pairs[view.getUint16(from, true)] as number
      bytes[out++] = byte
      sum += byte
      seen |= byte
    }
    if ((seen & wrong) !== 0 || (sum & 0xff) !== 0xff) break

    const address = bits >>> 0
    const length = count - width - 1
    if (isData(type)) {
      if (address + length > 2 ** 32) break
      isNarrow &&= width === narrowest(address)
      if (width !== lastWidth && records > 0) {
        if (width < lastWidth || isMistyped(text, lastAt, at)) break
        isMixed = true
      }
      if (isMixed && !isNarrow) break
      runs.take(address, length)
      records++
      lastAt = at
      lastWidth = width
    } else if (isHeader(type)) {
      if (header || records > 0) break
      header = bytes.slice(runs.filled, runs.filled + length)
    } else {
      if (length !== 0 || records === 0) break
      if (isEnd(type)) {
        // As wide as the data, or as narrow as the entry allows.
        if (width !== lastWidth && width !== narrowest(address)) break
        entry = address
        ended = true
      } else if (address !== records) break
    }
    isCounted = !isData(type)
    at = end
    if (ended) break
  }
  while (!ended && at < text.length && isSpace(text[at])) at++
  // SRecord ends a file without an entry by its count.
  ended ||= isCounted && records > 0 && afterEnd(text, at, startCode).length === 0
  return { runs, header, entry, records, isMixed, at, ended }
}

/** Whether one record would follow the other if they had the same width. */
function isMistyped(text: Uint8Array, at: number, next: number): boolean {
  return [at, next].some((as) => {
    const width = widthAt(text, as)
    const length = byteAt(text, at + 2) - width - 1
    return addressAt(text, at, width) + length === addressAt(text, next, width)
  })
}

/** @throws `bad-file` only. */
export function parseSRecord(text: Uint8Array): Image {
  const scan = scanRecords(text)
  if (!scan.ended) throw whatIsWrong(text, scan)
  const after = afterEnd(text, scan.at, startCode)
  const next = after[0]?.offset ?? text.length
  if (text[next] === startCode && isEnd((text[next + 1] ?? 0) - 0x30)) throw mistyped(text, next)
  return buildImage(name, scan.runs.pieces(), {
    claims: claimsOf(scan),
    warnings: scan.isMixed ? [...after, { code: 'mixed-addresses' }] : after,
    places: (wanted) => {
      const { offset, firstOffset } = places(text)(wanted)
      if (offset === undefined || firstOffset === undefined) return {}
      return { offset, line: lineAt(text, offset), firstLine: lineAt(text, firstOffset) }
    },
  })
}

/** 0 is what tools write for no entry. A header is free text; most put the file's name there. */
function claimsOf({ header, entry }: Scan): Claims {
  const title = String.fromCharCode(...(header ?? [])).replace(/\0+$/, '')
  return {
    ...(entry && { entry }),
    ...(/^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$/.test(title) && { name: title.trim() }),
  }
}

// ---- what is wrong, and where; slow, and only on the way to an error ------------------------------

function whatIsWrong(text: Uint8Array, { at, runs, records }: Scan): FlashError {
  const bad = refusingText(name, text)

  if (runs.isFull) return bad('bad-structure', at, { found: tooManyRuns })
  if (at >= text.length) return bad(text.includes(startCode) ? 'no-end-record' : 'empty', at)
  if (text[at] !== startCode) {
    const offset = notText(records === 0 ? text : text.subarray(0, at + 1), at)
    if (offset === undefined) return bad('no-start-code', at, { found: shown(text[at] as number) })
    return bad('not-text', offset, { found: shown(text[offset] as number) })
  }

  let end = at + 1
  while (end < text.length && end <= at + 4 + 2 * 255 && isDigit(text[end])) end++
  const isCut = end === text.length
  const type = (text[at + 1] ?? 0) - 0x30
  const width = addressBytes[type] ?? 0
  if (width === 0)
    return at + 1 === text.length
      ? bad('truncated', text.length)
      : bad('bad-record-type', at + 1, { found: `S${shown(text[at + 1] as number)}` })
  const count = end < at + 4 ? undefined : byteAt(text, at + 2)
  const needed = 4 + (count ?? 0) * 2
  if (count === undefined || end - at < needed) {
    if (isCut) return bad('truncated', end)
    const character = text[end] as number
    return isSpace(character) ? bad('bad-length', at + 2) : bad('bad-digit', end, { found: shown(character) })
  }
  if (count <= width || end - at > needed) return bad('bad-length', at + 2)
  if (!isCut && !isSpace(text[end])) return bad('bad-digit', end, { found: shown(text[end] as number) })

  let sum = 0
  for (let i = at + 2; i < end - 2; i += 2) sum += byteAt(text, i)
  const expected = ~sum & 0xff
  const found = byteAt(text, end - 2)
  if (found !== expected) return bad('bad-checksum', end - 2, { found: hex(found), expected: hex(expected) })
  if (isData(type) && addressAt(text, at, width) + count - width - 1 > 2 ** 32)
    return bad('address-overflow', at + 4)
  if (isData(type) || isHeader(type)) return mistyped(text, at)
  if (count !== width + 1) return bad('bad-length', at + 2)
  if (records === 0 && isEnd(type)) return bad('no-bytes', at)
  if (records === 0 || isEnd(type)) return mistyped(text, at)
  return bad('bad-count', at + 4, { found: String(addressAt(text, at, width)), expected: String(records) })
}

/** A record of a type that cannot be where it is. */
const mistyped = (text: Uint8Array, at: number): FlashError =>
  new FlashError('bad-file', {
    format: name,
    why: 'bad-record-type',
    offset: at + 1,
    line: lineAt(text, at),
    found: `S${shown(text[at + 1] as number)}`,
  })

const widthAt = (text: Uint8Array, at: number): number => addressBytes[(text[at + 1] as number) - 0x30] ?? 0

const addressAt = (text: Uint8Array, at: number, width: number): number =>
  parseInt(String.fromCharCode(...text.subarray(at + 4, at + 4 + width * 2)), 16)

/** All data records; every one is right. */
const places = (text: Uint8Array) =>
  placesAmong(function* () {
    for (let at = text.indexOf(startCode); at >= 0; at = text.indexOf(startCode, at + 1)) {
      const type = (text[at + 1] as number) - 0x30
      if (isEnd(type)) return
      if (!isData(type)) continue
      const width = addressBytes[type] as number
      const bytes = new Uint8Array(byteAt(text, at + 2) - width - 1)
      for (let i = 0; i < bytes.length; i++) bytes[i] = byteAt(text, at + 4 + (width + i) * 2)
      yield { address: addressAt(text, at, width), bytes, offset: at }
    }
  })

// ---- writing --------------------------------------------------------------------------------------

export interface SRecordOptions {
  /** Data bytes a record, 1 … 250; default 16. */
  readonly recordBytes?: number
  /** S1, S2 or S3; default: what reaches the last byte and the entry. */
  readonly addressBytes?: 2 | 3 | 4
  readonly lineEnd?: '\n' | '\r\n'
  readonly entry?: number | undefined
  /** For the header. */
  readonly name?: string | undefined
  /** How many data records there are, as S5 or S6; default true. */
  readonly counted?: boolean
}

/** As text in bytes. @throws `bad-file` `address-overflow` for what these addresses cannot reach. */
export function formatSRecord(
  segments: readonly Segment[],
  options: SRecordOptions = {},
): Uint8Array<ArrayBuffer> {
  const { recordBytes = 16, lineEnd = '\n', entry = 0, counted = true } = options
  const last = Math.max(entry, ...segments.map(({ address, bytes }) => address + bytes.length - 1))
  const width = options.addressBytes ?? (last < 2 ** 16 ? 2 : last < 2 ** 24 ? 3 : 4)
  if (last >= 2 ** (width * 8))
    throw new FlashError('bad-file', { format: name, why: 'address-overflow', address: last })

  const title = new TextEncoder().encode(options.name ?? '').subarray(0, 64)
  const records = segments.reduce((sum, { bytes }) => sum + Math.ceil(bytes.length / recordBytes), 0)
  const text = new Uint8Array(
    records * (6 + 2 * (width + recordBytes) + lineEnd.length) + 2 * title.length + 64,
  )
  let at = 0
  const put = (byte: number): number => {
    text[at++] = digits.charCodeAt(byte >> 4)
    text[at++] = digits.charCodeAt(byte & 15)
    return byte
  }
  const record = (type: number, address: number, payload: Uint8Array = new Uint8Array()) => {
    const own = addressBytes[type] as number
    text[at++] = startCode
    text[at++] = 0x30 + type
    let sum = put(own + payload.length + 1)
    for (let shift = own - 1; shift >= 0; shift--) sum += put(Math.floor(address / 256 ** shift) % 256)
    for (const byte of payload) sum += put(byte)
    put(~sum & 0xff)
    for (const character of lineEnd) text[at++] = character.charCodeAt(0)
  }

  record(0, 0, title)
  for (const { address, bytes } of segments)
    for (let done = 0; done < bytes.length; done += recordBytes)
      record(width - 1, address + done, bytes.subarray(done, done + recordBytes))
  if (counted && records < 2 ** 24) record(records < 2 ** 16 ? 5 : 6, records)
  record(11 - width, entry)
  return text.subarray(0, at)
}

export default {
  id: 's-record',
  name,
  shape: (head) => /^(\xef\xbb\xbf)?\s*S[0-9]([0-9a-f]{2}){3}/i.test(head),
  names: /\.(srec?|s19|s28|s37|s1|s2|s3|mot|mhx|exo|sx)$/i,
  ending: 's19',
  parse: parseSRecord,
  write: ({ segments, claims }) => formatSRecord(segments, { entry: claims.entry, name: claims.name }),
} satisfies FileFormat
