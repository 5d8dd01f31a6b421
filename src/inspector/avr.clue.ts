/**
 * AVR: a table of jumps at address 0, as long as that of a chip, and boot loaders at the end of the flash, which
 * are the only code that writes flash. Documents: AVR Instruction Set Manual (RJMP, JMP, SPM); data sheets,
 * "Interrupt Vectors" and "Boot Loader Support" (SPMCSR is at I/O 0x37, on ATmega128 at 0x68).
 */
import type { Segment } from '#core/programmer.ts'
import { chipsFor, contentEnd, findBootloader, jumpTarget, readVectorTable, wordAt } from '#chips/avr-code.ts'
import { avrParts } from '#chips/avr-parts.ts'
import { segmentAt } from '#firmware/image.ts'
import { evidence, place, type Clue, type Evidence, type Statement, type Subject } from './clue.ts'

/** Of the largest AVR; what goes beyond is for something else. */
const mostFlashBytes = 0x4_0000
/** Fewer jumps in a row are not said to be a table. */
const fewestVectors = 8
const sureVectors = 10
const mostChips = 8

const partNames = avrParts.map(({ name }) => name)

const avr: Clue = ({ segments, isRaw }) => {
  const last = segments.at(-1)
  if (!last || last.address + last.bytes.length > mostFlashBytes) return []
  const end = contentEnd(segments)
  if (end === 0) return []
  const writes = selfProgramming(segments)
  const program = segments[0]?.address === 0 ? programAt0(segments, end) : []
  const loaders = loadersIn(segments, writes)
  if (program.length > 0) return [...program, ...loaders]
  return loneLoader(segments, writes, isRaw)
}
export default avr

function programAt0(segments: Subject['segments'], end: number): Statement[] {
  const table = readVectorTable(segments)
  if (table.count < fewestVectors) return []
  const flashBytes = end <= 8192 ? 8192 : mostFlashBytes
  const jumps = Array.from({ length: table.count }, (_, i) =>
    jumpTarget(segments, i * table.bytes, flashBytes),
  )
  const targets = jumps.filter((target) => target !== undefined)
  const inside = targets.filter((target) => segmentAt(segments, target) !== undefined)
  if (inside.length * 10 < targets.length * 9) return []

  const [common, times] = mostCommon(inside)
  const chips = chipsFor(segments, partNames)
  const isPadded = table.bytes === 4 && wordAt(segments, 2) === 0
  const count = String(table.count)
  const jumpsAre = evidence('jumps', { count, bytes: String(table.bytes) }, 0, table.count * table.bytes)
  const isSure = table.count >= sureVectors && inside.length >= sureVectors
  const program: Statement = {
    code: 'avr-program',
    confidence: isSure ? 'certain' : 'likely',
    values: { count },
    evidence: [
      jumpsAre,
      ...(times > 2
        ? [evidence('same-target', { count: String(times), target: place(common) }, common, 2)]
        : []),
    ],
    architecture: 'avr',
  }
  if (chips.length === 0) return [program]
  const shown = chips.slice(0, mostChips).join(', ') + (chips.length > mostChips ? ' …' : '')
  return [
    program,
    {
      code: 'avr-chips',
      // Short jumps in long vectors: arduino-usbserial for ATmega16U2 has the table of AT90USB646 so.
      confidence: isSure && !isPadded ? 'likely' : 'possible',
      values: { chips: shown },
      evidence: [jumpsAre, evidence('ends', { address: place(end - 1) }, end - 1)],
      architecture: 'avr',
    },
  ]
}

function mostCommon(values: readonly number[]): readonly [value: number, times: number] {
  const times = new Map<number, number>()
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1)
  return [...times].reduce((best, one) => (one[1] > best[1] ? one : best), [0, 0])
}

/** Boot loaders behind a program: where a chip that it is for has its boot section, and code that writes flash. */
function loadersIn(segments: Subject['segments'], writes: readonly number[]): Statement[] {
  if (writes.length === 0) return []
  const names = chipsFor(segments, partNames)
  const loaders = avrParts
    .filter(({ name }) => names.includes(name))
    .flatMap((part) => findBootloader(part, segments) ?? [])
  const lowest = loaders.toSorted((a, b) => b.address - a.address)[0]
  const write = lowest && writes.find((at) => at >= lowest.address)
  if (!lowest || write === undefined) return []
  return [loader('likely', lowest.address, [starts(lowest.address), writing(write)])]
}

/** A boot loader by itself begins where a chip has a boot section. */
function loneLoader(segments: Subject['segments'], writes: readonly number[], isRaw: boolean): Statement[] {
  const [write] = writes
  const start = segments[0]?.address ?? 0
  if (write === undefined) return []
  const chips = avrParts.filter(
    ({ flash, bootBytes }) =>
      contentEnd(segments) <= flash.bytes && bootBytes?.some((bytes) => flash.bytes - bytes === start),
  )
  const isSection = !isRaw && chips.length > 0
  const one = loader(isSection ? 'certain' : 'likely', start, [
    ...(isSection ? [starts(start)] : []),
    writing(write),
  ])
  if (!isSection) return [one]
  const names = chips.map(({ name }) => name)
  const shown = names.slice(0, mostChips).join(', ') + (names.length > mostChips ? ' …' : '')
  return [
    one,
    {
      code: 'avr-chips',
      confidence: 'possible',
      values: { chips: shown },
      evidence: [starts(start)],
      architecture: 'avr',
    },
  ]
}

const loader = (confidence: Statement['confidence'], at: number, found: readonly Evidence[]): Statement => ({
  code: 'avr-bootloader',
  confidence,
  values: { address: place(at) },
  evidence: found,
  architecture: 'avr',
})

const starts = (at: number): Evidence => evidence('starts', { address: place(at) }, at, 2)
const writing = (at: number): Evidence => evidence('self-programming', { address: place(at) }, at, 2)

/** More than a boot loader has. */
const mostWrites = 64

/** Where SPM stands right behind the instruction that allows it; by chance that hardly occurs. */
function selfProgramming(segments: readonly Segment[]): number[] {
  const found: number[] = []
  for (const { address: start, bytes } of segments) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 2 + (start % 2); at + 2 <= bytes.length; at += 2) {
      const word = view.getUint16(at, true)
      if (word !== 0x95e8 && word !== 0x95f8) continue
      const before = view.getUint16(at - 2, true)
      const isOut = (before & 0xfe0f) === 0xbe07 // OUT 0x37
      const isStore =
        at >= 4 && [0x57, 0x68].includes(before) && (view.getUint16(at - 4, true) & 0xfe0f) === 0x9200 // STS
      if (!isOut && !isStore) continue
      found.push(start + at)
      if (found.length === mostWrites) return found
    }
  }
  return found
}
