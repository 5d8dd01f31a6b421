/**
 * The fast part of reading Intel HEX: from text to data bytes and runs, at memory speed, stopping at the first thing
 * that is not right. `intel-hex.ts` says what it was.
 * Two digits are read as one 16-bit word and looked up; validity is gathered and judged once a record.
 */
import { pairs as bytesByPair, spaceEnd, wrong } from './hex-text.ts'
import { buildImage, type Claims, type Image } from './image.ts'
import { RecordReader } from './record-reader.ts'

export const intelHex = 'Intel HEX'

export const RecordType = {
  Data: 0,
  End: 1,
  SegmentBase: 2,
  SegmentStart: 3,
  LinearBase: 4,
  LinearStart: 5,
} as const

export class IntelHexReader extends RecordReader {
  /** Absolute address of a start record (03, 05). */
  #entry: number | undefined
  #linear = 0
  #segment = 0

  get claims(): Claims {
    return this.#entry === undefined ? {} : { entry: this.#entry }
  }

  image(): Image | undefined {
    const { ended, isBlankAfter } = this.end()
    if (!ended || !isBlankAfter) return undefined
    return buildImage(intelHex, this.runs.pieces(), { claims: this.claims })
  }

  protected read(length: number, isLast: boolean): boolean {
    const pairs = bytesByPair // an import is slower in a loop, where modules are not bundled
    const { text, view, runs, fast } = this
    const { bytes } = runs
    const pair = (at: number): number => pairs[view.getUint16(at, true)] as number

    while (this.at + 11 <= length) {
      const at = this.at
      if (text[at] !== 0x3a) {
        this.at = spaceEnd(text, at, length)
        if (this.at === at) return false
        continue
      }
      if (runs.isFull) return false
      const follows = runs.next - this.#linear - this.#segment
      if (fast && follows >= 0 && follows < 0x1_0000) {
        const taken = fast.intelHex(at, length, follows)
        bytes.set(taken.bytes, runs.filled)
        runs.take(runs.next, taken.bytes.length)
        this.at = taken.at
        if (taken.at > at) continue
      }
      const count = pair(at + 1)
      const high = pair(at + 3)
      const low = pair(at + 5)
      const type = pair(at + 7)
      const end = at + 11 + count * 2
      if (end > length) return !isLast
      let sum = count + high + low + type
      let seen = count | high | low | type
      let out = runs.filled
      for (let from = at + 9; from < end; from += 2) {
        const byte = pairs[view.getUint16(from, true)] as number
        bytes[out++] = byte
        sum += byte
        seen |= byte
      }
      if ((seen & wrong) !== 0 || (sum & 0xff) !== 0) return false

      const offset = (high << 8) | low
      if (type !== RecordType.Data) {
        if (!this.#turn(type, bytes.subarray(runs.filled, runs.filled + count))) return false
      } else {
        const reach = this.#segment === 0 ? 0x1_0000_0000 - this.#linear : 0x1_0000
        if (offset + count > reach) return false
        runs.take(this.#linear + this.#segment + offset, count)
      }
      this.at = end
      if (this.hasEnded) return false
    }
    return true
  }

  /** What a record that holds no data does; false: it is not right. */
  #turn(type: number, payload: Uint8Array): boolean {
    const { length } = payload
    if (type === RecordType.End) {
      this.hasEnded = length === 0
      return this.hasEnded
    }
    const isBase = type === RecordType.SegmentBase || type === RecordType.LinearBase
    if (type > RecordType.LinearStart || length !== (isBase ? 2 : 4)) return false
    const [high = 0, low = 0, third = 0, fourth = 0] = payload
    const upper = (high << 8) | low
    // A file that uses both kinds of base is read differently by different tools.
    if (type === RecordType.SegmentBase && this.#linear !== 0) return false
    if (type === RecordType.LinearBase && this.#segment !== 0) return false
    if (type === RecordType.SegmentBase) this.#segment = upper * 16
    else if (type === RecordType.LinearBase) this.#linear = upper * 0x1_0000
    else this.#entry = upper * (type === RecordType.SegmentStart ? 16 : 0x1_0000) + ((third << 8) | fourth)
    return true
  }
}
