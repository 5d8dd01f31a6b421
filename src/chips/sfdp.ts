/**
 * What a SPI flash chip says of itself: SFDP (JESD216F, chapter 6). Every chip of the last ten years has it; copies and
 * mistakes are common, so what cannot be true is not believed.
 */
import { ByteReader } from '#core/bytes.ts'
import type { NorErase } from './nor-parts.ts'

export interface Sfdp {
  /** `1.6` */
  readonly revision: string
  readonly bytes: number
  readonly pageBytes: number
  /** With three address bytes, or four in the mode for that; smallest first. */
  readonly erases: readonly TimedErase[]
  readonly addressBytes: '3' | '3 or 4' | '4'
  /** How the mode for four address bytes is entered; several may be right. */
  readonly enters4: readonly Enter4[]
  /** With four address bytes in any mode: READ 13, PP 12, and these erases. Undefined: not said. */
  readonly native4: { readonly erases: readonly TimedErase[] } | undefined
  /** Milliseconds of the longest page program and chip erase; undefined: not said. */
  readonly programMs: number | undefined
  readonly chipEraseMs: number | undefined
  /** Writing one status register byte clears the second (quad enable in it). */
  readonly losesStatus2: boolean
}

/** Milliseconds as is usual and at the longest; undefined: not said. */
export interface TimedErase extends NorErase {
  readonly typicalMs?: number
  readonly longestMs?: number
}

export type Enter4 = 'b7' | 'wren-b7' | 'ear' | 'bank' | 'native' | 'always'

/** Reads from the chip's SFDP space. */
export type ReadSfdp = (address: number, length: number) => Promise<Uint8Array>

const signature = 0x5044_4653
const basicTable = 0xff00
const fourByteTable = 0xff84
/** Far more than anybody has; a chip's own count goes to 256. */
const mostHeaders = 16
const mostWords = 64
const leastWords = 9
const leastBytes = 32 * 1024

interface Header {
  readonly id: number
  readonly revision: string
  readonly words: number
  readonly address: number
}

/** Undefined: it has none, or none that can be true. */
export async function readSfdp(read: ReadSfdp): Promise<Sfdp | undefined> {
  const start = await read(0, 8)
  const [major, last = 0] = [start[5], start[6]]
  if (new ByteReader(start).u32le() !== signature || major !== 1) return undefined
  const count = Math.min(last + 1, mostHeaders)
  const headers = headersOf(await read(8, 8 * count), count)
  const newest = (id: number) => headers.filter((one) => one.id === id).sort((a, b) => b.words - a.words)[0] // later ones are longer
  const table = async ({ address, words }: Header) =>
    wordsOf(await read(address, 4 * Math.min(words, mostWords)))
  const basic = newest(basicTable)
  if (!basic || basic.words < leastWords) return undefined
  const fourByte = newest(fourByteTable)
  return understood(basic.revision, await table(basic), fourByte && (await table(fourByte)))
}

function headersOf(bytes: Uint8Array, count: number): Header[] {
  const reader = new ByteReader(bytes)
  return Array.from({ length: count }, () => {
    const low = reader.u8()
    const minor = reader.u8()
    const major = reader.u8()
    const words = reader.u8()
    const pointer = reader.u32le()
    const revision = `${String(major)}.${String(minor)}`
    return { id: low | ((pointer >>> 24) << 8), revision, words, address: pointer & 0xff_ffff }
  })
}

function wordsOf(bytes: Uint8Array): number[] {
  const reader = new ByteReader(bytes)
  return Array.from({ length: bytes.length >> 2 }, () => reader.u32le())
}

/** Dword numbers are JESD216's, from 1. */
function understood(
  revision: string,
  words: readonly number[],
  fourByte: readonly number[] | undefined,
): Sfdp | undefined {
  const word = (number: number) => words[number - 1] ?? 0
  const bits = (number: number, high: number, low: number) =>
    (word(number) >>> low) & ((1 << (high - low + 1)) - 1)
  const density = word(2)
  const bytes = density >>> 31 ? 2 ** ((density & 0x7fff_ffff) - 3) : (density + 1) / 8
  if (!Number.isInteger(Math.log2(bytes)) || bytes < leastBytes || bytes > 2 ** 32) return undefined
  const isTimed = words.length >= 11
  const types = [0, 1, 2, 3].map((index): TimedErase => {
    const [number, low] = [8 + (index >> 1), (index & 1) * 16]
    const exponent = bits(number, low + 7, low)
    const typicalMs = [1, 16, 128, 1000][bits(10, 10 + 7 * index, 9 + 7 * index)] ?? 0
    const times = (bits(10, 8 + 7 * index, 4 + 7 * index) + 1) * typicalMs
    return {
      ...{ opcode: bits(number, low + 15, low + 8), bytes: exponent === 0 ? 0 : 2 ** exponent },
      ...(isTimed && { typicalMs: times, longestMs: times * 2 * (bits(10, 3, 0) + 1) }),
    }
  })
  const isErase = ({ bytes: unit }: TimedErase) => unit > 0 && unit <= bytes
  const small = bits(1, 1, 0) === 1 && bits(1, 15, 8) !== 0xff
  const alone = small ? [{ opcode: bits(1, 15, 8), bytes: 4096 }] : []
  const erases = types.some(isErase) ? types.filter(isErase) : alone
  if (erases.length === 0) return undefined
  const addresses = (['3', '3 or 4', '4'] as const)[bits(1, 18, 17)]
  if (addresses === undefined) return undefined
  const longest = 2 * (bits(11, 3, 0) + 1)
  const programUs = (bits(11, 12, 8) + 1) * (bits(11, 13, 13) ? 64 : 8)
  const chipMs = (bits(11, 28, 24) + 1) * ([16, 256, 4000, 64_000][bits(11, 30, 29)] ?? 0)
  return {
    ...{ revision, bytes, erases: bySize(erases), addressBytes: addresses },
    pageBytes: isTimed ? 2 ** bits(11, 7, 4) : 256,
    enters4:
      words.length >= 16
        ? enters.filter((_, bit) => (bits(16, 31, 24) >> bit) & 1).flatMap((one) => one ?? [])
        : [],
    native4:
      fourByte &&
      nativeOf(
        fourByte,
        types.map((type) => (isErase(type) ? type : undefined)),
      ),
    programMs: isTimed ? (programUs * longest) / 1000 : undefined,
    chipEraseMs: isTimed ? chipMs * 2 * (bits(10, 3, 0) + 1) : undefined,
    losesStatus2: words.length >= 15 && [1, 5].includes(bits(15, 22, 20)),
  }
}

/** Bits 31:24 of dword 16, from the lowest; a register that keeps its value is left alone. */
const enters: readonly (Enter4 | undefined)[] = [
  ...(['b7', 'wren-b7', 'ear', 'bank'] as const),
  ...[undefined, 'native' as const, 'always' as const],
]

const bySize = (erases: readonly TimedErase[]): readonly TimedErase[] =>
  [...erases].sort((a, b) => a.bytes - b.bytes)

/** JESD216F, 6.6: bits 0 and 6 are READ 13 and PP 12; 9 to 12 the erase types, with their opcodes in dword 2. */
function nativeOf(
  [supported = 0, opcodes = 0]: readonly number[],
  types: readonly (TimedErase | undefined)[],
): Sfdp['native4'] {
  const has = (bit: number) => ((supported >>> bit) & 1) === 1
  if (!has(0) || !has(6)) return undefined
  const erases = types.flatMap((type, i) =>
    type && has(9 + i) ? [{ ...type, opcode: (opcodes >>> (8 * i)) & 0xff }] : [],
  )
  return { erases: bySize(erases) }
}
