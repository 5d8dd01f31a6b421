/**
 * What AVR code in an image says without being run: where its vectors jump, how many there are, and
 * whether a boot loader lives at the top of the flash. Works on segments, so a hostile address costs
 * nothing. Source: AVR Instruction Set Manual (JMP, RJMP, RETI); data sheets, "Interrupt Vectors".
 */
import type { Range, Segment } from '#core/programmer.ts'
import { avrParts, type AvrPart } from './avr-parts.ts'

/** A little-endian word; undefined where the image says nothing about one of its bytes. */
export function wordAt(segments: readonly Segment[], address: number): number | undefined {
  const low = byteAt(segments, address)
  const high = byteAt(segments, address + 1)
  return low === undefined || high === undefined ? undefined : low | (high << 8)
}

function byteAt(segments: readonly Segment[], address: number): number | undefined {
  const segment = segments.find((s) => address >= s.address && address < s.address + s.bytes.length)
  return segment?.bytes[address - segment.address]
}

/** Whether anything but FF is in the range. */
export function hasContent(segments: readonly Segment[], { address, length }: Range): boolean {
  return segments.some((segment) => {
    const from = Math.max(0, address - segment.address)
    const to = address + length - segment.address
    return to > from && segment.bytes.subarray(from, to).some((byte) => byte !== 0xff)
  })
}

/** Byte address where the jump at `address` goes; undefined: it is no jump. */
export function jumpTarget(
  segments: readonly Segment[],
  address: number,
  flashBytes: number,
): number | undefined {
  const word = wordAt(segments, address) ?? 0xffff
  if (isRjmp(word)) {
    const target = address + 2 + ((word & 0x0fff) - (word & 0x0800 ? 0x1000 : 0)) * 2
    // 12 bits reach all of 8 KiB only because the program counter wraps around there.
    return flashBytes <= 8192 ? (target + flashBytes) % flashBytes : target
  }
  if (!isJmp(word)) return undefined
  const low = wordAt(segments, address + 2)
  return low === undefined ? undefined : (((((word >> 3) & 0x3e) | (word & 1)) << 16) | low) * 2
}

const isRjmp = (word: number): boolean => (word & 0xf000) === 0xc000
const isJmp = (word: number): boolean => (word & 0xfe0e) === 0x940c
const nop = 0x0000
const reti = 0x9518

export interface VectorTable {
  readonly bytes: 2 | 4
  readonly count: number
}

/** The run of jumps at `address`, as a table of one-word or two-word vectors. */
export function readVectorTable(segments: readonly Segment[], address = 0): VectorTable {
  const word = (at: number) => wordAt(segments, address + at) ?? 0xffff
  const isWide = (at: number) => isJmp(word(at)) || (isRjmp(word(at)) && word(at + 2) === nop)
  const isNarrow = (at: number) => isRjmp(word(at)) || word(at) === reti
  const bytes = isWide(0) ? 4 : 2
  const isVector = bytes === 4 ? isWide : isNarrow
  let count = 0
  while (count < mostVectors && isVector(count * bytes)) count++
  return { bytes, count }
}

/** No AVR has more; a flash full of jumps ends the count here. */
const mostVectors = 128

/** Address behind the last byte that is not blank; 0: nothing is there. */
export const contentEnd = (segments: readonly Segment[]): number =>
  Math.max(
    0,
    ...segments.map(({ address, bytes }) => {
      const last = bytes.findLastIndex((byte) => byte !== 0xff)
      return last < 0 ? 0 : address + last + 1
    }),
  )

/** Those of `names` that a program is for: chips with a vector table like its own, and room for it. */
export function chipsFor(segments: readonly Segment[], names: readonly string[]): string[] {
  const table = readVectorTable(segments)
  const end = contentEnd(segments)
  return avrParts
    .filter(({ vectors }) => vectors.bytes === table.bytes && vectors.count === table.count)
    .filter(({ name, flash }) => names.includes(name) && end <= flash.bytes)
    .map(({ name }) => name)
}

/**
 * Where a boot loader begins: the lowest possible boot section with content at its start and nothing right
 * before it, so that a long application that reaches that far is not taken for one.
 */
export function findBootloader(part: AvrPart, segments: readonly Segment[]): Range | undefined {
  for (const length of [...(part.bootBytes ?? [])].reverse()) {
    const address = part.flash.bytes - length
    const first = { address, length: 2 }
    const before = { address: address - part.flash.pageBytes, length: part.flash.pageBytes }
    if (hasContent(segments, first) && !hasContent(segments, before)) return { address, length }
  }
  return undefined
}
