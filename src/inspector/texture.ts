/**
 * What the bytes of an image look like, block by block: blank, text, machine code, without any pattern
 * (compressed or encrypted), or other data. By Shannon's entropy, in bits a byte, and by how often instructions
 * occur that every program has. Gaps are left out; a block may span one.
 */
import type { Segment } from '#core/programmer.ts'
import { totalBytes } from '#firmware/image.ts'
import { countInstructions, likeliestCode, type InstructionSet } from './machine-code.ts'

export type TextureKind = 'blank' | 'text' | 'code' | 'data' | 'random'

export interface TextureCell {
  /** Of its first and its last byte. */
  readonly address: number
  readonly last: number
  readonly length: number
  readonly kind: TextureKind
  /** Bits a byte, 0 to 8. */
  readonly entropy: number
  /** Bytes that are 0xff. */
  readonly blankBytes: number
  /** Of code: which processors' it looks like most. */
  readonly code?: InstructionSet
}

/** As many as a strip on a screen has room for. */
export const mostCells = 256
/** Fewer bytes have no entropy worth the name. */
const leastBytes = 256
/** Of each block as much is looked at for instructions; more would not change the answer. */
const sampleBytes = 16_384

export function textureOf(segments: readonly Segment[]): TextureCell[] {
  const total = totalBytes(segments)
  const blockBytes = Math.max(leastBytes, 2 ** Math.ceil(Math.log2(total / mostCells)))
  const cells: TextureCell[] = []
  let pieces: Segment[] = []
  let filled = 0
  for (const { address, bytes } of segments)
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + blockBytes - filled)
      pieces.push({ address: address + at, bytes: bytes.subarray(at, end) })
      filled += end - at
      at = end
      if (filled < blockBytes) continue
      cells.push(cellOf(pieces, filled))
      pieces = []
      filled = 0
    }
  if (filled > 0) cells.push(cellOf(pieces, filled))
  return cells
}

function cellOf(pieces: readonly Segment[], length: number): TextureCell {
  const counts = new Uint32Array(256)
  for (const { bytes } of pieces) countBytes(bytes, counts)
  const [first, last] = [pieces[0], pieces.at(-1)] as [Segment, Segment]
  const entropy = entropyOf(counts, length)
  const blankBytes = counts[0xff] as number
  const plain = plainKind(counts, length, entropy)
  const code = plain === undefined ? codeIn(pieces) : undefined
  return {
    address: first.address,
    last: last.address + last.bytes.length - 1,
    length,
    kind: plain ?? (code === undefined ? 'data' : 'code'),
    entropy,
    blankBytes,
    ...(code !== undefined && { code }),
  }
}

function countBytes(bytes: Uint8Array, counts: Uint32Array): void {
  for (let i = 0; i < bytes.length; i++) (counts[bytes[i] as number] as number)++
}

/** What the counts of bytes tell by themselves. */
function plainKind(counts: Uint32Array, length: number, entropy: number): TextureKind | undefined {
  const [zeros, ones] = [counts[0] as number, counts[0xff] as number]
  if (zeros === length || ones === length) return 'blank'
  const printable = counts.subarray(0x20, 0x7f).reduce((sum, count) => sum + count, 0)
  const spaces = [0x09, 0x0a, 0x0d].reduce((sum, byte) => sum + (counts[byte] as number), 0)
  // Texts in a program end with a zero each; a run of one character is no text.
  if ((printable + spaces) * 10 >= (length - zeros) * 9 && printable * 2 >= length && entropy > 2)
    return 'text'
  return length >= leastBytes && entropy >= randomShare * randomEntropy(length) ? 'random' : undefined
}

/** Machine code stays below, what deflate or AES gives above. */
const randomShare = 0.955

/** Of as many random bytes: 8 bits less what a sample must miss (Miller, 1955). */
const randomEntropy = (length: number): number => 8 - 255 / (2 * length * Math.LN2)

export function entropyOf(counts: Uint32Array, length: number): number {
  let sum = 0
  for (const count of counts) if (count > 0) sum += count * Math.log2(count)
  return Math.max(0, Math.log2(length) - sum / length)
}

function codeIn(pieces: readonly Segment[]): InstructionSet | undefined {
  const found = countInstructions()
  let left = sampleBytes
  for (const { address, bytes } of pieces) {
    if (left <= 0) break
    found.look(bytes.subarray(address % 2, left))
    left -= bytes.length
  }
  return likeliestCode(found)
}
