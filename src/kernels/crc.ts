/**
 * Any catalogued CRC over data that comes in pieces.
 *
 * Data are folded before they are divided. The polynomial divides one with few terms, x^300 + x^155 + x^117 + x^89 + 1
 * for the CRC-32, and raised to the power 32 that only moves whole words: a word can be left out when it is XORed into
 * the words 145, 183, 211 and 300 places after it. So whatever comes shrinks to the last 300 words, and only these are
 * divided, byte by byte. A kernel with wider words does the same faster.
 *
 * R. Williams, "A painless guide to CRC error detection algorithms"; the five terms: "Chorba", arXiv 2412.16398.
 */
import type { CrcModel } from './crc-models.ts'

/** Folds what lies in its space. */
export interface Fold {
  /** Bytes that are moved as one. */
  readonly unit: number
  readonly space: Uint8Array
  /** XORs each unit from `from` to `to`, one after another, into those that lie `taps` units after it. */
  fold(from: number, to: number, taps: Taps): void
}

/** In units, ascending. */
export type Taps = readonly [number, number, number] | readonly [number, number, number, number]

/** Without WebAssembly; and what the kernels are held to. */
export class FoldWords implements Fold {
  readonly unit = 4
  readonly space: Uint8Array
  readonly #words: Int32Array

  constructor(space: Uint8Array = new Uint8Array(1 << 16)) {
    this.space = space
    this.#words = new Int32Array(space.buffer, space.byteOffset, space.length >> 2)
  }

  fold(from: number, to: number, [a, b, c, d]: Taps): void {
    if (d === undefined) fold3(this.#words, from, to, a, b, c)
    else fold4(this.#words, from, to, a, b, c, d)
  }
}

function fold3(words: Int32Array, from: number, to: number, a: number, b: number, c: number): void {
  for (let at = from; at < to; at++) {
    const word = words[at] as number
    ;(words[at + a] as number) ^= word
    ;(words[at + b] as number) ^= word
    ;(words[at + c] as number) ^= word
  }
}

function fold4(
  words: Int32Array,
  from: number,
  to: number,
  a: number,
  b: number,
  c: number,
  d: number,
): void {
  for (let at = from; at < to; at++) {
    const word = words[at] as number
    ;(words[at + a] as number) ^= word
    ;(words[at + b] as number) ^= word
    ;(words[at + c] as number) ^= word
    ;(words[at + d] as number) ^= word
  }
}

export class Crc {
  readonly #model: CrcModel
  readonly #fold: Fold
  readonly #taps: Taps | undefined
  /** Of the data that are still to be divided; they begin where the space does. */
  #length = 0
  #register: number

  /** The space of `fold` belongs to this until it is done. */
  constructor(model: CrcModel, fold: Fold = new FoldWords()) {
    this.#model = model
    this.#fold = fold
    this.#taps = tapsOf(model)
    this.#register = firstRegister(model)
  }

  update(bytes: Uint8Array): this {
    const { space } = this.#fold
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(bytes.length - at, space.length - this.#length)
      space.set(bytes.subarray(at, at + length), this.#length)
      this.#length += length
      at += length
      if (this.#length === space.length) this.#makeRoom()
    }
    return this
  }

  /** The result as the catalogue has it. */
  done(): number {
    const from = this.#shrink(new FoldWords(this.#fold.space), this.#shrink(this.#fold, 0))
    this.#divide(from)
    return resultOf(this.#model, this.#register)
  }

  #makeRoom(): void {
    const from = this.#shrink(this.#fold, 0)
    if (from === 0) return this.#divide(0)
    this.#fold.space.copyWithin(0, from, this.#length)
    this.#length -= from
  }

  /** Folds what is long enough, from this offset on; gives the offset of what is left. */
  #shrink(fold: Fold, from: number): number {
    const span = this.#taps?.at(-1) ?? Infinity
    const [first, last] = [from / fold.unit, Math.floor(this.#length / fold.unit) - span]
    if (!this.#taps || last <= first) return from
    enter(this.#model, this.#register, this.#fold.space.subarray(from))
    this.#register = 0
    fold.fold(first, last, this.#taps)
    return last * fold.unit
  }

  #divide(from: number): void {
    this.#register = divide(this.#model, this.#register, this.#fold.space.subarray(from, this.#length))
    this.#length = 0
  }
}

/** Of polynomials that have many terms themselves. */
const sparseMultiples: Readonly<Record<number, Taps>> = { 0x04c1_1db7: [145, 183, 211, 300] }

/** How far from the highest term the others are; undefined where there are too many, or too few to be worth it. */
function tapsOf({ poly, width }: CrcModel): Taps | undefined {
  if (width === 32 && sparseMultiples[poly]) return sparseMultiples[poly]
  const taps = []
  for (let bit = width - 1; bit >= 0; bit--) if ((poly >>> bit) & 1) taps.push(width - bit)
  return taps.length === 3 || taps.length === 4 ? (taps as unknown as Taps) : undefined
}

// ---- dividing, bit by bit in tables ---------------------------------------------------------------

/** The register holds the first bit where the data have it: at the top, or reflected at the bottom. */
const firstRegister = ({ init, width, isReflected }: CrcModel): number =>
  isReflected ? reflect(init, width) : init << (32 - width)

/** XORs the register into the first bytes, of which there are more than it has; it is zero then. */
function enter({ isReflected }: CrcModel, register: number, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  view.setInt32(0, view.getInt32(0, isReflected) ^ register, isReflected)
}

function divide(model: CrcModel, register: number, bytes: Uint8Array): number {
  const table = tableOf(model)
  if (model.isReflected)
    for (const byte of bytes) register = (register >>> 8) ^ (table[(register ^ byte) & 0xff] as number)
  else for (const byte of bytes) register = (register << 8) ^ (table[(register >>> 24) ^ byte] as number)
  return register
}

function resultOf({ width, isReflected, isResultReflected, xorOut }: CrcModel, register: number): number {
  const value = isReflected ? register >>> 0 : register >>> (32 - width)
  return ((isReflected === isResultReflected ? value : reflect(value, width)) ^ xorOut) >>> 0
}

const tables = new WeakMap<CrcModel, Int32Array>()

function tableOf(model: CrcModel): Int32Array {
  const known = tables.get(model)
  if (known) return known
  const { width, isReflected } = model
  const poly = isReflected ? reflect(model.poly, width) : model.poly << (32 - width)
  const table = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let register = isReflected ? byte : byte << 24
    for (let bit = 0; bit < 8; bit++)
      if (isReflected) register = (register >>> 1) ^ (register & 1 ? poly : 0)
      else register = (register << 1) ^ (register < 0 ? poly : 0)
    table[byte] = register
  }
  tables.set(model, table)
  return table
}

function reflect(value: number, width: number): number {
  let reflected = 0
  for (let bit = 0; bit < width; bit++) if ((value >>> bit) & 1) reflected |= 1 << (width - 1 - bit)
  return reflected >>> 0
}
