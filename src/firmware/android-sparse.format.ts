/**
 * Android sparse image: the blocks of a partition that matter, the others left out. Addresses are places in the
 * partition, from 0. What is left out is a gap, and what is to be filled takes at most as much memory as the
 * largest file may. Document: AOSP, system/core/libsparse, sparse_format.h; the checksum of the header is ignored
 * there as well.
 */
import { hex } from '#core/bytes.ts'
import type { Segment } from '#core/programmer.ts'
import { Crc } from '#kernels/crc.ts'
import { crcModel } from '#kernels/crc-models.ts'
import { mostFileBytes, refusing, startsWith, type FileFormat } from './file-format.ts'
import { buildImage, type Image } from './image.ts'

const name = 'Android sparse'
const magic = '\x3a\xff\x26\xed'
const headerBytes = 28
const chunkHeaderBytes = 12
const Chunk = { Raw: 0xcac1, Fill: 0xcac2, DontCare: 0xcac3, Crc32: 0xcac4 } as const

/** More than anybody makes of a file that is read here; and each sum takes its time. */
const mostChunks = 131_072

const bad = refusing(name)
const counts = (found: number, expected: number) => ({ found: String(found), expected: String(expected) })

/** @throws `bad-file` only. */
export function parseAndroidSparse(file: Uint8Array): Image {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (!startsWith(file, magic)) throw bad('bad-magic', 0)
  if (file.length < headerBytes) throw bad('truncated', file.length)
  const major = view.getUint16(4, true)
  if (major !== 1) throw bad('bad-structure', 4, counts(major, 1))
  const [start, chunkStart] = [view.getUint16(8, true), view.getUint16(10, true)]
  if (start < headerBytes) throw bad('bad-length', 8, counts(start, headerBytes))
  if (chunkStart < chunkHeaderBytes) throw bad('bad-length', 10, counts(chunkStart, chunkHeaderBytes))
  const blockBytes = view.getUint32(12, true)
  if (blockBytes === 0 || blockBytes % 4 !== 0) throw bad('bad-structure', 12, { found: String(blockBytes) })

  const pieces: Segment[] = []
  const crc = new GappedCrc()
  let blocks = 0
  let filled = 0
  let at = start
  const chunks = view.getUint32(20, true)
  if (chunks > mostChunks) throw bad('bad-structure', 20, { found: `over ${mostChunks} pieces` })
  for (let left = chunks; left > 0; left--) {
    if (at + chunkStart > file.length) throw bad('truncated', file.length)
    const type = view.getUint16(at, true)
    const count = view.getUint32(at + 4, true)
    const end = at + view.getUint32(at + 8, true)
    if (end > file.length) throw bad('truncated', file.length)
    const content = file.subarray(at + chunkStart, Math.max(end, at + chunkStart))
    const [address, length] = [blocks * blockBytes, count * blockBytes]
    if (address + length > Number.MAX_SAFE_INTEGER) throw bad('address-overflow', at + 4)
    const holds = (expected: number) => {
      if (end !== at + chunkStart + expected)
        throw bad('bad-length', at + 8, counts(end - at, chunkStart + expected))
    }
    if (type === Chunk.Raw) {
      holds(length)
      pieces.push({ address, bytes: content })
    } else if (type === Chunk.Fill) {
      holds(4)
      filled += length
      if (filled > mostFileBytes) throw bad('too-large', at + 4, { expected: 'up to 64 MiB' })
      pieces.push({ address, bytes: fill(content, length) })
    } else if (type === Chunk.DontCare) {
      holds(0)
    } else if (type === Chunk.Crc32) {
      holds(4)
      const [found, expected] = [view.getUint32(at + chunkStart, true), crc.upTo(address, pieces)]
      if (found !== expected)
        throw bad('bad-checksum', at + chunkStart, { found: hex(found, 8), expected: hex(expected, 8) })
    } else throw bad('bad-record-type', at, { found: hex(type, 4) })
    if (type !== Chunk.Crc32) blocks += count
    at = end
  }
  const total = view.getUint32(16, true)
  if (blocks !== total) throw bad('bad-count', 16, counts(total, blocks))
  if (at !== file.length) throw bad('bad-length', at, counts(file.length - at, 0))
  return buildImage(name, pieces)
}

function fill(value: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes.set(value.subarray(0, length))
  for (let done = 4; done < length; done *= 2) bytes.copyWithin(done, 0, done)
  return bytes
}

/** The CRC-32 of a partition of which only pieces are there; the rest counts as zeros, however much it is. */
class GappedCrc {
  #crc = 0
  #end = 0
  #pieces = 0

  /** Of the bytes up to `end`; `pieces` begin with those of the calls before. */
  upTo(end: number, pieces: readonly Segment[]): number {
    for (; this.#pieces < pieces.length; this.#pieces++) {
      const { address, bytes } = pieces[this.#pieces] as Segment
      this.#zerosTo(address)
      this.#append(new Crc(crcModel('CRC-32/ISO-HDLC')).update(bytes).done(), bytes.length)
    }
    this.#zerosTo(end)
    return this.#crc >>> 0
  }

  #zerosTo(end: number): void {
    this.#append(~shifted(~0, end - this.#end), end - this.#end)
  }

  #append(crc: number, length: number): void {
    this.#crc = shifted(this.#crc, length) ^ crc
    this.#end += length
  }
}

/** A remainder as if so many zero bytes followed: times x to the power of their bits, by squaring. */
function shifted(crc: number, bytes: number): number {
  let power = 0x0080_0000 // x⁸; the highest bit is x⁰
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) crc = product(crc, power)
    power = product(power, power)
  }
  return crc
}

function product(a: number, b: number): number {
  let sum = 0
  for (; a !== 0; a <<= 1) {
    if (a < 0) sum ^= b
    b = (b >>> 1) ^ (b & 1 ? 0xedb8_8320 : 0)
  }
  return sum
}

export default {
  id: 'android-sparse',
  name,
  magic: (bytes) => startsWith(bytes, magic),
  names: /\.simg$/i,
  parse: parseAndroidSparse,
} satisfies FileFormat
