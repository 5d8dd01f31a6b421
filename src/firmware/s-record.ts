/**
 * Motorola S-record, both ways: a record is `S`, its type, a count, an address, data and a checksum. Reading
 * follows the same rules as Intel HEX: any order, any line end, digits of either case, and nothing that could
 * be read in two ways. Document: "M68000 Family Programmer's Reference Manual", appendix C, "S-Record Output
 * Format"; S5 and S6 as in srec_motorola(5) of SRecord.
 */
import { hex } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { Segment } from '#core/programmer.ts'
import {
  afterEnd,
  byteAt,
  digits,
  isDigit,
  isSpace,
  lineAt,
  notText,
  refusingText,
  shown,
} from './hex-text.ts'
import { buildImage, placesAmong, type Image } from './image.ts'
import type { FastRecords } from './record-reader.ts'
import { tooManyRuns } from './runs.ts'
import {
  addressAt,
  addressBytes,
  isData,
  isEnd,
  isHeader,
  sRecord,
  SRecordReader,
  startCode,
} from './s-record-reader.ts'

/** `fast`: a kernel for the bulk of it. @throws `bad-file` only. */
export function parseSRecord(text: Uint8Array, fast?: FastRecords): Image {
  const reader = new SRecordReader(text.length, fast)
  reader.push(text)
  const { at, ended } = reader.end()
  if (!ended) throw whatIsWrong(text, at, reader)
  const after = afterEnd(text, at, startCode)
  const next = after[0]?.offset ?? text.length
  if (text[next] === startCode && isEnd((text[next + 1] ?? 0) - 0x30)) throw mistyped(text, next)
  return buildImage(sRecord, reader.runs.pieces(), {
    claims: reader.claims,
    warnings: [...after, ...reader.warnings],
    places: (wanted) => {
      const { offset, firstOffset } = places(text)(wanted)
      if (offset === undefined || firstOffset === undefined) return {}
      return { offset, line: lineAt(text, offset), firstLine: lineAt(text, firstOffset) }
    },
  })
}

// ---- what is wrong, and where; slow, and only on the way to an error ------------------------------

function whatIsWrong(text: Uint8Array, at: number, { runs, records }: SRecordReader): FlashError {
  const bad = refusingText(sRecord, text)

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
  refusingText(sRecord, text)('bad-record-type', at + 1, { found: `S${shown(text[at + 1] as number)}` })

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
    throw new FlashError('bad-file', { format: sRecord, why: 'address-overflow', address: last })

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
