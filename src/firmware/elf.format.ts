/**
 * ELF of 32 bits: the parts that are to be loaded, at their physical addresses, as they lie in flash before the
 * program runs. Section headers are not needed and not looked at. An ELF of avr-gcc holds several memories,
 * told apart by address; one of them is chosen, by itself the flash. Document: Tool Interface Standard, "ELF
 * Specification", 1.2, book I; AVR's offsets: avr-libc, "Memory Sections".
 */
import { FlashError } from '#core/errors.ts'
import { choosePart, refusing, startsWith, type FileFormat, type ParseOptions } from './file-format.ts'
import { buildImage, placesAmong, totalBytes, type Image } from './image.ts'

const name = 'ELF'
const headerBytes = 52
const programHeaderBytes = 32
const avr = 83

/** e_machine. */
const machines: Readonly<Record<number, string>> = {
  2: 'SPARC',
  3: 'x86',
  4: '68000',
  8: 'MIPS',
  20: 'PowerPC',
  36: 'V800',
  40: 'ARM',
  42: 'SuperH',
  44: 'TriCore',
  52: 'ColdFire',
  70: '68HC11',
  [avr]: 'AVR',
  87: 'V850',
  94: 'Xtensa',
  105: 'MSP430',
  106: 'Blackfin',
  165: '8051',
  173: 'RX',
  185: 'AVR32',
  186: 'STM8',
  195: 'ARC',
  197: 'RL78',
  243: 'RISC-V',
}

/** Where avr-gcc puts the memories that are not flash; SRAM, at 0x80_0000, is never loaded. */
const avrMemories = [
  { id: 'flash', from: 0, to: 0x80_0000 },
  { id: 'eeprom', from: 0x81_0000, to: 0x82_0000 },
  { id: 'fuses', from: 0x82_0000, to: 0x83_0000 },
  { id: 'lock', from: 0x83_0000, to: 0x84_0000 },
] as const

interface Piece {
  readonly address: number
  readonly bytes: Uint8Array
  readonly offset: number
}

const bad = refusing(name)

/** @throws `bad-file` only. */
export function parseElf(file: Uint8Array, options: ParseOptions = {}): Image {
  if (!startsWith(file, '\x7fELF')) throw bad('bad-magic', 0)
  if (file.length < headerBytes) throw bad('truncated', file.length)
  const bits = ['', '32', '64'][file[4] as number]
  if (bits === '64')
    throw new FlashError('bad-file', { format: 'ELF64', why: 'unknown-format', found: 'ELF64' })
  const order = file[5] as number
  if (!bits || order < 1 || order > 2) throw bad('bad-structure', bits ? 5 : 4)
  const isLittle = order === 1
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const half = (at: number) => view.getUint16(at, isLittle)
  const word = (at: number) => view.getUint32(at, isLittle)

  const machine = half(18)
  const entry = word(24)
  const pieces = loadable(file, { at: word(28), size: half(42), count: half(44) }, word)
  const memory = machine === avr ? memoryOf(pieces, options.part) : { pieces, isWhole: true }
  return buildImage(name, memory.pieces, {
    claims: { machine: machines[machine] ?? `e_machine ${machine}`, ...(entry && { entry }) }, // 0 is none
    warnings: memory.isWhole ? [] : [{ code: 'parts-left-out' }],
    places: placesAmong(() => memory.pieces),
  })
}

/** PT_LOAD; what only memory has, and not the file (bss), is left out. */
function loadable(
  file: Uint8Array,
  { at, size, count }: { at: number; size: number; count: number },
  word: (at: number) => number,
): Piece[] {
  if (count > 0 && size !== programHeaderBytes)
    throw bad('bad-structure', 42, { found: String(size), expected: String(programHeaderBytes) })
  if (count > 0 && at + count * size > file.length) throw bad('truncated', file.length)
  const pieces: Piece[] = []
  let total = 0
  for (let header = at; header < at + count * size; header += size) {
    const [type, offset, , address, length, memoryLength] = [0, 4, 8, 12, 16, 20].map((field) =>
      word(header + field),
    ) as [number, number, number, number, number, number]
    if (type !== 1 || length === 0) continue
    if (offset + length > file.length) throw bad('truncated', header + 16)
    // What a file holds is loaded once; otherwise a small file could claim gigabytes.
    total += length
    if (length > memoryLength || total > file.length) throw bad('bad-structure', header + 16)
    pieces.push({ address, bytes: file.subarray(offset, offset + length), offset })
  }
  return pieces
}

function memoryOf(
  pieces: readonly Piece[],
  wanted: string | undefined,
): { pieces: Piece[]; isWhole: boolean } {
  const memories = avrMemories
    .map(({ id, from, to }) => ({
      id,
      name: id,
      pieces: pieces
        .filter(({ address }) => address >= from && address < to)
        .map((piece) => ({ ...piece, address: piece.address - from })),
    }))
    .filter((memory) => memory.pieces.length > 0)
    .map((memory) => ({ ...memory, sizeBytes: totalBytes(memory.pieces) }))
  const hasFlash = memories[0]?.id === 'flash'
  const { pieces: chosen } = choosePart(name, memories, wanted ?? (hasFlash ? 'flash' : undefined))
  return { pieces: chosen, isWhole: chosen.length === pieces.length }
}

export default {
  id: 'elf',
  name,
  magic: (bytes) => startsWith(bytes, '\x7fELF'),
  names: /\.(elf|axf)$/i,
  parse: parseElf,
} satisfies FileFormat
