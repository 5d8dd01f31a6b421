/**
 * The fast part of reading Intel HEX: from text to data bytes and runs, at memory speed, stopping at the
 * first thing that is not right. `intel-hex.ts` says what it was. A kernel may take the bulk of it: data
 * records that follow each other.
 * Two digits are read as one 16-bit word and looked up; validity is gathered and judged once a record.
 */
import { hasByteOrderMark, isSpace, pairs as bytesByPair, wrong } from './hex-text.ts'

export interface Scan {
  /** All data bytes in the order of the file. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Address and length of each run of `bytes`, flat: [address, length, address, length, …]. */
  readonly runs: readonly number[]
  /** Absolute address of a start record (03, 05). */
  readonly entry: number | undefined
  /** After the end record; without one, where reading stopped: at a record that is not right, or at the end. */
  readonly at: number
  readonly ended: boolean
}

/** Takes data records that follow each other, from `at` on, the first with this offset; gives where it stopped. */
export interface FastRecords {
  take(text: Uint8Array, at: number, offset: number): { readonly bytes: Uint8Array; readonly at: number }
}

/** More runs than this is no firmware; reading stops there. */
export const mostRuns = 1 << 20

export const RecordType = {
  Data: 0,
  End: 1,
  SegmentBase: 2,
  SegmentStart: 3,
  LinearBase: 4,
  LinearStart: 5,
} as const

export function scanRecords(text: Uint8Array, fast?: FastRecords): Scan {
  const pairs = bytesByPair // an import is slower in a loop, where modules are not bundled
  const view = new DataView(text.buffer, text.byteOffset, text.byteLength)
  const pair = (at: number): number => pairs[view.getUint16(at, true)] as number
  const bytes = new Uint8Array(text.length >> 1)
  const runs: number[] = []
  let entry: number | undefined
  let linear = 0
  let segment = 0
  let filled = 0
  let runStart = 0
  let runAddress = 0
  let at = hasByteOrderMark(text) ? 3 : 0
  let ended = false

  const closeRun = (address: number) => {
    if (filled > runStart) runs.push(runAddress, filled - runStart)
    runStart = filled
    runAddress = address
  }

  while (at + 11 <= text.length && runs.length < mostRuns * 2) {
    const character = text[at] as number
    if (character !== 0x3a) {
      if (!isSpace(character)) break
      at++
      continue
    }
    const follows = runAddress + (filled - runStart) - linear - segment
    if (fast && follows >= 0 && follows < 0x1_0000) {
      const taken = fast.take(text, at, follows)
      bytes.set(taken.bytes, filled)
      filled += taken.bytes.length
      if (taken.at > at) {
        at = taken.at
        continue
      }
    }
    const length = pair(at + 1)
    const high = pair(at + 3)
    const low = pair(at + 5)
    const type = pair(at + 7)
    const end = at + 11 + length * 2
    if (end > text.length) break
    let sum = length + high + low + type
    let seen = length | high | low | type
    let out = filled
    for (let from = at + 9; from < end; from += 2) {
      const byte = pairs[view.getUint16(from, true)] as number
      bytes[out++] = byte
      sum += byte
      seen |= byte
    }
    if ((seen & wrong) !== 0 || (sum & 0xff) !== 0) break

    const offset = (high << 8) | low
    if (type === RecordType.Data) {
      if (segment !== 0 ? offset + length > 0x1_0000 : linear + offset + length > 0x1_0000_0000) break
      const address = linear + segment + offset
      if (address !== runAddress + (filled - runStart)) closeRun(address)
      filled += length
    } else if (type === RecordType.End) {
      if (length !== 0) break
      ended = true
    } else {
      const isBase = type === RecordType.SegmentBase || type === RecordType.LinearBase
      if (type > RecordType.LinearStart || length !== (isBase ? 2 : 4)) break
      const upper = ((bytes[filled] as number) << 8) | (bytes[filled + 1] as number)
      const lower = ((bytes[filled + 2] as number) << 8) | (bytes[filled + 3] as number)
      // A file that uses both kinds of base is read differently by different tools.
      if (type === RecordType.SegmentBase && linear !== 0) break
      if (type === RecordType.LinearBase && segment !== 0) break
      if (type === RecordType.SegmentBase) segment = upper * 16
      else if (type === RecordType.LinearBase) linear = upper * 0x1_0000
      else entry = upper * (type === RecordType.SegmentStart ? 16 : 0x1_0000) + lower
    }
    at = end
    if (ended) break
  }
  closeRun(0)
  while (!ended && at < text.length && isSpace(text[at])) at++
  return { bytes, runs, entry, at, ended }
}
