/**
 * Intel HEX, both ways. Reading works on bytes, accepts what tools really write (any order of records, any
 * line end, lower case, blank lines, a byte order mark) and nothing that could be read in two ways.
 * Every error says where: line, byte offset and why. Document: Intel, "Hexadecimal Object File Format
 * Specification", Revision A, 1988.
 */
import { FlashError } from '#core/errors.ts'
import { hex } from '#core/bytes.ts'
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
import { buildImage, type Image, type Places } from './image.ts'
import { intelHex, IntelHexReader, RecordType } from './intel-hex-reader.ts'
import type { FastRecords } from './record-reader.ts'
import { tooManyRuns, type Runs } from './runs.ts'

export { intelHex }
const format = intelHex
const startCode = 0x3a // :
/** Of the longest record. */
const mostDigits = 10 + 2 * 255

/** `fast`: a kernel for the bulk of it. @throws `bad-file` only. */
export function parseIntelHex(text: Uint8Array, fast?: FastRecords): Image {
  const reader = new IntelHexReader(text.length, fast)
  reader.push(text)
  const { at, ended } = reader.end()
  if (!ended) throw whatIsWrong(text, at, reader.runs)
  return buildImage(format, reader.runs.pieces(), {
    claims: reader.claims,
    warnings: afterEnd(text, at, startCode),
    places: placesIn(text),
  })
}

// ---- what is wrong, and where; slow, and only on the way to an error ------------------------------

function whatIsWrong(text: Uint8Array, at: number, runs: Runs): FlashError {
  const bad = refusingText(format, text)

  if (runs.isFull) return bad('bad-structure', at, { found: tooManyRuns })
  if (at >= text.length) return bad(text.includes(startCode) ? 'no-end-record' : 'empty', at)
  const stop = text[at] as number
  const before = recordBefore(text, at)
  if (stop !== startCode) {
    if (before !== undefined && isDigit(stop)) return bad('bad-length', before + 1)
    // Once there was a record, this is a text with something else in it, if that can be printed.
    const offset = notText(runs.filled === 0 ? text : text.subarray(0, at + 1), at)
    if (offset === undefined) return bad('no-start-code', at, { found: shown(stop) })
    return bad('not-text', offset, { found: shown(text[offset] as number) })
  }

  let end = at + 1
  while (end <= at + mostDigits + 1 && isDigit(text[end])) end++
  const digits = end - at - 1
  const length = digits < 2 ? 0 : byteAt(text, at + 1)
  const needed = 10 + length * 2
  if (digits < needed) {
    if (end === text.length) return bad('truncated', end)
    const character = text[end] as number
    if (isSpace(character) || character === startCode) return bad('bad-length', at + 1)
    return bad('bad-digit', end, { found: shown(character) })
  }
  if (digits > needed) return bad('bad-length', at + 1)

  let sum = 0
  for (let i = at + 1; i < end - 2; i += 2) sum += byteAt(text, i)
  const expected = -sum & 0xff
  const found = byteAt(text, end - 2)
  if (found !== expected) return bad('bad-checksum', end - 2, { found: hex(found), expected: hex(expected) })

  const type = byteAt(text, at + 7)
  if (type > RecordType.LinearStart) return bad('bad-record-type', at + 7, { found: hex(type) })
  if (type === RecordType.Data) return bad('address-overflow', at + 3)
  const isBase = type === RecordType.SegmentBase || type === RecordType.LinearBase
  if (isBase && length === 2) return bad('bad-structure', at + 7) // both kinds of base in one file
  return bad('bad-length', at + 1)
}

/** The start of the record that ends exactly at `at`, if one does. */
function recordBefore(text: Uint8Array, at: number): number | undefined {
  let start = at - 1
  while (start >= at - mostDigits && isDigit(text[start])) start--
  return start < at - 1 && text[start] === startCode ? start : undefined
}

/** The first record that gives `address`, and the first after it that gives something else; all are right. */
const placesIn =
  (text: Uint8Array): Places =>
  (wanted) => {
    let base = 0
    let first: { at: number; byte: number } | undefined
    for (let at = text.indexOf(startCode); at >= 0; at = text.indexOf(startCode, at + 1)) {
      const [length, address] = [byteAt(text, at + 1), base + wordAt(text, at + 3)]
      const type = byteAt(text, at + 7)
      if (type === RecordType.End) break
      if (type === RecordType.SegmentBase) base = wordAt(text, at + 9) * 16
      if (type === RecordType.LinearBase) base = wordAt(text, at + 9) * 0x1_0000
      if (type !== RecordType.Data || wanted < address || wanted >= address + length) continue
      const byte = byteAt(text, at + 9 + (wanted - address) * 2)
      if (first && first.byte !== byte)
        return { offset: at, line: lineAt(text, at), firstLine: lineAt(text, first.at) }
      first ??= { at, byte }
    }
    return {}
  }

const wordAt = (text: Uint8Array, at: number): number => byteAt(text, at) * 256 + byteAt(text, at + 2)

// ---- writing --------------------------------------------------------------------------------------

export interface IntelHexOptions {
  /** Data bytes a record, 1 … 255; default 16, as most tools write. */
  readonly recordBytes?: number
  /** Extended linear addresses (04, 05) reach 4 GiB, extended segment addresses (02, 03) 1 MiB. */
  readonly addressing?: 'linear' | 'segment'
  readonly lineEnd?: '\n' | '\r\n'
  readonly entry?: number | undefined
}

/**
 * As text in bytes. A record never crosses a 64 KiB boundary.
 * @throws `bad-file` `address-overflow` for what this addressing cannot reach.
 */
export function formatIntelHex(
  segments: readonly Segment[],
  options: IntelHexOptions = {},
): Uint8Array<ArrayBuffer> {
  const { recordBytes = 16, addressing = 'linear', lineEnd = '\n', entry } = options
  const isLinear = addressing === 'linear'
  const reach = isLinear ? 2 ** 32 : 2 ** 20
  const records = segments.reduce(
    (sum, { bytes }) =>
      sum + Math.ceil(bytes.length / recordBytes) + 2 * Math.ceil(bytes.length / 0x1_0000) + 2,
    2,
  )
  const text = new Uint8Array(records * (11 + Math.max(4, recordBytes) * 2 + lineEnd.length)) // at most
  let at = 0
  const put = (byte: number): number => {
    text[at++] = digits.charCodeAt((byte >> 4) & 15)
    text[at++] = digits.charCodeAt(byte & 15)
    return byte
  }
  const record = (type: number, offset: number, payload: Uint8Array) => {
    text[at++] = startCode
    let sum = put(payload.length) + put(offset >> 8) + put(offset & 0xff) + put(type)
    for (const byte of payload) sum += put(byte)
    put(-sum)
    for (const character of lineEnd) text[at++] = character.charCodeAt(0)
  }
  const words = (...values: number[]) => Uint8Array.from(values.flatMap((value) => [value >> 8, value]))

  let upper = 0
  for (const { address, bytes } of segments) {
    if (address + bytes.length > reach)
      throw new FlashError('bad-file', {
        format,
        why: 'address-overflow',
        address: address + bytes.length - 1,
      })
    for (let done = 0; done < bytes.length;) {
      const here = address + done
      const offset = here % 0x1_0000
      if (here - offset !== upper) {
        upper = here - offset
        record(
          isLinear ? RecordType.LinearBase : RecordType.SegmentBase,
          0,
          words(upper / (isLinear ? 0x1_0000 : 16)),
        )
      }
      const length = Math.min(recordBytes, bytes.length - done, 0x1_0000 - offset)
      record(RecordType.Data, offset, bytes.subarray(done, done + length))
      done += length
    }
  }
  if (entry !== undefined && entry < reach)
    if (isLinear) record(RecordType.LinearStart, 0, words(Math.floor(entry / 0x1_0000), entry % 0x1_0000))
    else record(RecordType.SegmentStart, 0, words((entry >> 4) & 0xf000, entry & 0xffff))
  record(RecordType.End, 0, new Uint8Array())
  return text.subarray(0, at)
}
