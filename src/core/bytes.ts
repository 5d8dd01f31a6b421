/** Bytes: two bounds-checked cursors and the few functions that every layer needs. */
import { FlashError } from './errors.ts'

/** `0x00`-style text; a digit count above four is grouped: `0x0800_0000`. */
export function hex(value: number, digits = 2): string {
  const text = value.toString(16).padStart(digits, '0')
  return `0x${text.length > 4 ? `${text.slice(0, -4)}_${text.slice(-4)}` : text}`
}

/** `1e 95 0f`: bytes as people read them. */
export const hexBytes = (bytes: Uint8Array, separator = ' '): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(separator)

/** `16c0:05dc`: as people and `lsusb` write it. */
export const usbId = (vendorId: number, productId: number): string =>
  [vendorId, productId].map((id) => id.toString(16).padStart(4, '0')).join(':')

/** bcdDevice as people write it: [1, 0, 4] is 1.04. */
export const versionText = ([major, minor, sub]: readonly [number, number, number]): string =>
  `${major.toString(16)}.${minor.toString(16)}${sub.toString(16)}`

/** bcdDevice of those who count in three parts: [2, 3, 1] is 2.3.1. */
export const threePartVersion = (parts: readonly [number, number, number]): string => parts.join('.')

/** The inverse of `hexBytes`; ignores white space, throws `bad-file` on anything else. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  const wrong = /[^0-9a-f\s]/i.exec(text)?.index ?? (digits.length % 2 ? text.length : -1)
  if (wrong >= 0) throw new FlashError('bad-file', { format: 'hex', why: 'bad-digit', offset: wrong })
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    parseInt(digits.slice(i * 2, i * 2 + 2), 16),
  )
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** The bytes, if there are as many as were asked for. */
export function exactly(expected: number, bytes: Uint8Array, during: string): Uint8Array {
  if (bytes.length === expected) return bytes
  throw new FlashError('short-transfer', { during, expected, found: bytes.length })
}

/** The bytes of each 32-bit word in reverse: as the other byte order has them. */
export const swapWords = (bytes: Uint8Array): Uint8Array => bytes.map((_, i) => bytes[i ^ 3] ?? 0)

export const blank = (length: number): Uint8Array => new Uint8Array(length).fill(0xff)

/** How many bytes there are before those that are all 0xff up to the end. */
export function lengthBeforeBlank(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0xff) end--
  return end
}

export const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0xff)

/** Reads little- and big-endian numbers; running past the end is a `short-transfer` naming the offset. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #during: string
  #offset = 0

  constructor(bytes: Uint8Array, during = 'reading bytes') {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#during = during
  }

  get offset(): number {
    return this.#offset
  }
  get rest(): number {
    return this.#bytes.length - this.#offset
  }
  u8 = (): number => this.#view.getUint8(this.#take(1))
  u16le = (): number => this.#view.getUint16(this.#take(2), true)
  u16be = (): number => this.#view.getUint16(this.#take(2), false)
  u32le = (): number => this.#view.getUint32(this.#take(4), true)
  u32be = (): number => this.#view.getUint32(this.#take(4), false)
  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  #take(length: number): number {
    if (length < 0 || length > this.rest)
      throw new FlashError('short-transfer', {
        during: `${this.#during} at offset ${String(this.#offset)}`,
        expected: length,
        found: this.rest,
      })
    const start = this.#offset
    this.#offset += length
    return start
  }
}

/** Builds a byte sequence; chainable. */
export class ByteWriter {
  readonly #bytes: number[] = []

  u8(value: number): this {
    this.#bytes.push(value & 0xff)
    return this
  }
  u16le = (value: number): this => this.u8(value).u8(value >> 8)
  u16be = (value: number): this => this.u8(value >> 8).u8(value)
  u32le = (value: number): this => this.u16le(value).u16le(value >>> 16)
  u32be = (value: number): this => this.u16be(value >>> 16).u16be(value)
  bytes(values: Iterable<number>): this {
    for (const value of values) this.u8(value)
    return this
  }
  done(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}
