/**
 * Reading a text of records while it comes, in pieces of any size: a piece gives data bytes and runs, and only a
 * record that is not all there yet is kept. What is read is right; where something is not, reading stops, and only
 * who has the whole text can tell what it is. A kernel may take the bulk of it: data records that follow each other.
 */
import { hasByteOrderMark, isBlankAfterEnd, spaceEnd } from './hex-text.ts'
import type { Taken } from '#kernels/kernels.ts'
import type { Reader } from './file-format.ts'
import type { Image } from './image.ts'
import { Runs } from './runs.ts'

/** Takes data records that follow each other out of its `text`, each from `from` to at most `to`. */
export interface FastRecords {
  /** The reader puts its text there. */
  readonly text: Uint8Array
  intelHex(from: number, to: number, offset: number): Taken
  sRecord(from: number, to: number, address: number, type: number): Taken
}

/** At a time. Far longer than any record, or what is kept of one could fill it. */
const textBytes = { least: 1 << 10, most: 1 << 16 }

export abstract class RecordReader implements Reader {
  readonly runs: Runs
  protected readonly fast: FastRecords | undefined
  protected readonly text: Uint8Array
  protected readonly view: DataView
  /** The first character of `text` that is not taken. */
  protected at = 0
  protected hasEnded = false
  #length = 0
  /** Characters that came before those in `text`. */
  #before = 0
  #isStopped = false
  #isBlankAfter = true

  /** `sizeBytes`: of the whole text. */
  constructor(sizeBytes: number, fast?: FastRecords) {
    this.runs = new Runs(sizeBytes >> 1)
    this.fast = fast
    this.text = fast?.text ?? new Uint8Array(Math.min(Math.max(sizeBytes, textBytes.least), textBytes.most))
    this.view = new DataView(this.text.buffer, this.text.byteOffset, this.text.byteLength)
  }

  push(piece: Uint8Array): void {
    let from = 0
    while (from < piece.length && !this.#isStopped) {
      const part = piece.subarray(from, from + this.text.length - this.#length)
      this.text.set(part, this.#length)
      this.#length += part.length
      from += part.length
      this.#take(false)
    }
    this.#isBlankAfter &&= isBlankAfterEnd(piece.subarray(from))
  }

  get isWrong(): boolean {
    return this.#isStopped && !(this.#isBlankAfter && this.mayEnd)
  }

  /** After the last piece. Where reading stopped; the first character behind the end, if it is there. */
  end(): { readonly at: number; readonly ended: boolean; readonly isBlankAfter: boolean } {
    if (!this.#isStopped) this.#take(true)
    const ended = this.hasEnded || (this.#isBlankAfter && this.mayEnd)
    return { at: this.#before + this.at, ended, isBlankAfter: this.#isBlankAfter }
  }

  abstract image(): Image | undefined

  /** Takes records from `at` on; false: it has ended, or something is not right. */
  protected abstract read(length: number, isLast: boolean): boolean

  /** Whether it is whole if nothing more comes. */
  protected get mayEnd(): boolean {
    return this.hasEnded
  }

  #take(isLast: boolean): void {
    if (this.#before + this.at === 0 && hasByteOrderMark(this.text.subarray(0, this.#length))) this.at = 3
    this.#isStopped = !this.read(this.#length, isLast) || isLast
    if (this.#isStopped) {
      if (!this.hasEnded) this.at = spaceEnd(this.text, this.at, this.#length)
      this.#isBlankAfter = isBlankAfterEnd(this.text.subarray(this.at, this.#length))
      return
    }
    this.text.copyWithin(0, this.at, this.#length)
    this.#before += this.at
    this.#length -= this.at
    this.at = 0
  }
}
