/**
 * The fast part of reading S-records: from text to data bytes and runs, at memory speed, stopping at the first thing
 * that is not right. `s-record.ts` says what it was.
 *
 * The checksum does not cover the type, so a digit that turned another there (S1 into S2) would move bytes
 * unseen. Some tools do mix widths, but then each record has the narrowest that its address allows and they
 * only grow; anything else is refused, and the mixture is remarked.
 */
import { byteAt, isSpace, pairs as bytesByPair, spaceEnd, wrong } from './hex-text.ts'
import { buildImage, type Claims, type Image, type ImageWarning } from './image.ts'
import { RecordReader } from './record-reader.ts'

export const sRecord = 'Motorola S-record'
export const startCode = 0x53 // S
/** By type: how many bytes its address, or count of records, has; S4 is reserved. */
export const addressBytes: readonly number[] = [2, 2, 3, 4, 0, 2, 3, 4, 3, 2]

export const isHeader = (type: number) => type === 0
export const isData = (type: number) => type >= 1 && type <= 3
export const isEnd = (type: number) => type >= 7
const narrowest = (address: number) => (address < 2 ** 16 ? 2 : address < 2 ** 24 ? 3 : 4)

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
    return buildImage(sRecord, this.runs.pieces(), { claims: this.claims, warnings: this.warnings })
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

const widthAt = (text: Uint8Array, at: number): number => addressBytes[(text[at + 1] as number) - 0x30] ?? 0

export const addressAt = (text: Uint8Array, at: number, width: number): number =>
  parseInt(String.fromCharCode(...text.subarray(at + 4, at + 4 + width * 2)), 16)
