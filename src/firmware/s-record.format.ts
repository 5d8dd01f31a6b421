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
import { mostTextBytes, type FileFormat } from './file-format.ts'
import {
  afterEnd,
  byteAt,
  digits,
  isDigit,
  isSpace,
  lineAt,
  notText,
  refusingText,
  pairs as bytesByPair,
  shown,
  spaceEnd,
  wrong,
} from './hex-text.ts'
import { buildImage, placesAmong, type Claims, type Image, type ImageWarning } from './image.ts'
import { RecordReader, type FastRecords } from './record-reader.ts'
import { tooManyRuns } from './runs.ts'

const name = 'Motorola S-record'
const startCode = 0x53 // S
/** By type: how many bytes its address, or count of records, has; S4 is reserved. */
const addressBytes: readonly number[] = [2, 2, 3, 4, 0, 2, 3, 4, 3, 2]

const isHeader = (type: number) => type === 0
const isData = (type: number) => type >= 1 && type <= 3
const isEnd = (type: number) => type >= 7
const narrowest = (address: number) => (address < 2 ** 16 ? 2 : address < 2 ** 24 ? 3 : 4)

/** From text to data at memory speed, stopping at the first thing that is not right; `whatIsWrong` says what it was. */
export class SRecordReader extends RecordReader {
  /** Of data, so far. */
  records = 0
  #header: Uint8Array | undefined
  #entry: number | undefined
  #isCounted = false
  #isNarrow = true
  #isMixed = false
  /** The beginning of the last record of data, as far as its address may reach. */
  #last = new Uint8Array()
  #lastWidth = 0

  /** 0 is what tools write for no entry. A header is free text; most put the file's name there. */
  get claims(): Claims {
    const title = String.fromCharCode(...(this.#header ?? [])).replace(/\0+$/, '')
    return {
      ...(this.#entry && { entry: this.#entry }),
      ...(/^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$/.test(title) && { name: title.trim() }),
    }
  }

  get warnings(): ImageWarning[] {
    return this.#isMixed ? [{ code: 'mixed-addresses' }] : []
  }

  image(): Image | undefined {
    const { ended, isBlankAfter } = this.end()
    if (!ended || !isBlankAfter) return undefined
    return buildImage(name, this.runs.pieces(), { claims: this.claims, warnings: this.warnings })
  }

  /** SRecord ends a file without an entry by its count. */
  protected override get mayEnd(): boolean {
    return this.hasEnded || (this.#isCounted && this.records > 0)
  }

  protected read(length: number, isLast: boolean): boolean {
    const pairs = bytesByPair // an import is slower in a loop, where modules are not bundled
    const { text, view, runs, fast } = this
    const { bytes } = runs
    let lastAt = -1
    const keepLast = (goesOn: boolean) => {
      if (lastAt >= 0) this.#last = text.slice(lastAt, lastAt + 4 + 2 * 4)
      return goesOn
    }

    while (this.at + 10 <= length) {
      const at = this.at
      if (text[at] !== startCode) {
        this.at = spaceEnd(text, at, length)
        if (this.at === at) return keepLast(false)
        continue
      }
      if (runs.isFull) return keepLast(false)
      if (fast && this.records > 0 && !this.#isMixed && runs.next < 2 ** 32) {
        const taken = fast.sRecord(at, length, runs.next, this.#lastWidth - 1)
        if (taken.records > 0) {
          lastAt = taken.last
          this.records += taken.records
          this.#isCounted = false
          this.#isNarrow &&=
            narrowest(runs.next) === this.#lastWidth &&
            narrowest(addressAt(text, lastAt, this.#lastWidth)) === this.#lastWidth
          bytes.set(taken.bytes, runs.filled)
          runs.take(runs.next, taken.bytes.length)
        }
        this.at = taken.at
        if (taken.at > at) continue
      }
      const type = (text[at + 1] as number) - 0x30
      const width = addressBytes[type] ?? 0
      const count = pairs[view.getUint16(at + 2, true)] as number
      const end = at + 4 + count * 2
      if (width === 0 || count <= width) return keepLast(false)
      if (isLast ? end > length : end >= length) return keepLast(!isLast)
      if (end < length && !isSpace(text[end])) return keepLast(false)
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
      if ((seen & wrong) !== 0 || (sum & 0xff) !== 0xff) return keepLast(false)

      const address = bits >>> 0
      const dataBytes = count - width - 1
      if (isData(type)) {
        if (address + dataBytes > 2 ** 32) return keepLast(false)
        this.#isNarrow &&= width === narrowest(address)
        if (width !== this.#lastWidth && this.records > 0) {
          keepLast(true)
          if (width < this.#lastWidth || isMistyped(this.#last, text.subarray(at))) return false
          this.#isMixed = true
        }
        if (this.#isMixed && !this.#isNarrow) return keepLast(false)
        runs.take(address, dataBytes)
        this.records++
        lastAt = at
        this.#lastWidth = width
      } else if (!this.#turn(type, width, address, dataBytes)) return keepLast(false)
      this.#isCounted = !isData(type)
      this.at = end
      if (this.hasEnded) return false
    }
    return keepLast(true)
  }

  /** What a record that holds no data does; false: it cannot be here. */
  #turn(type: number, width: number, address: number, dataBytes: number): boolean {
    const { runs, records } = this
    if (isHeader(type)) {
      if (this.#header || records > 0) return false
      this.#header = runs.bytes.slice(runs.filled, runs.filled + dataBytes)
      return true
    }
    if (dataBytes !== 0 || records === 0) return false
    if (!isEnd(type)) return address === records
    // As wide as the data, or as narrow as the entry allows.
    if (width !== this.#lastWidth && width !== narrowest(address)) return false
    this.#entry = address
    this.hasEnded = true
    return true
  }
}

/** Whether one record would follow the other if they had the same width. */
function isMistyped(record: Uint8Array, next: Uint8Array): boolean {
  return [record, next].some((as) => {
    const width = widthAt(as, 0)
    const length = byteAt(record, 2) - width - 1
    return addressAt(record, 0, width) + length === addressAt(next, 0, width)
  })
}

/** `fast`: a kernel for the bulk of it. @throws `bad-file` only. */
export function parseSRecord(text: Uint8Array, fast?: FastRecords): Image {
  const reader = new SRecordReader(text.length, fast)
  reader.push(text)
  const { at, ended } = reader.end()
  if (!ended) throw whatIsWrong(text, at, reader)
  const after = afterEnd(text, at, startCode)
  const next = after[0]?.offset ?? text.length
  if (text[next] === startCode && isEnd((text[next + 1] ?? 0) - 0x30)) throw mistyped(text, next)
  return buildImage(name, reader.runs.pieces(), {
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
  refusingText(name, text)('bad-record-type', at + 1, { found: `S${shown(text[at + 1] as number)}` })

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
  mostBytes: mostTextBytes,
  reader: (sizeBytes, { fastRecords }) => new SRecordReader(sizeBytes, fastRecords),
  parse: (bytes, { fastRecords }) => parseSRecord(bytes, fastRecords),
  write: ({ segments, claims }) => formatSRecord(segments, { entry: claims.entry, name: claims.name }),
} satisfies FileFormat
