/**
 * Arm Cortex-M: a vector table begins with the initial stack pointer, in SRAM, and the reset vector, odd because it
 * is Thumb code; NMI and HardFault follow. Where a file gives no addresses, the vectors tell where it is linked:
 * with the right base they land where functions begin, and chips have flash there; elsewhere a fit must be more
 * than chance. A flash dump may hold a boot loader's table and the program's. Documents: Armv6-M, Armv7-M and Armv8-M Architecture Reference Manuals, "The vector table".
 */
import { hex } from '#core/bytes.ts'
import type { Segment } from '#core/programmer.ts'
import { segmentAt } from '#firmware/image.ts'
import { evidence, type Clue, type Evidence, type Statement, type Subject } from './clue.ts'
import { homeOf } from './cortex-m-homes.ts'

/** Words of the system's own exceptions. */
const systemWords = 16
/** Tables are aligned to as much, and boot loaders end at flash pages. */
const step = 0x100
const mostOffsets = 16_384
const mostTables = 4

interface Table {
  /** Of the table, as the file has it. */
  readonly address: number
  readonly stack: number
  readonly reset: number
  /** The vectors that are not zero, the stack left out. */
  readonly vectors: readonly number[]
  readonly words: Uint32Array
  readonly segment: Segment
}

const cortexM: Clue = ({ segments, isRaw }) => {
  const tables = tablesIn(segments)
  for (const [index, first] of tables.entries()) {
    const base = baseOf(first, segments, isRaw)
    if (!base) continue
    const rest = tables
      .slice(index + 1)
      .filter((table) => table.stack !== first.stack || table.reset !== first.reset)
    return [
      program(first, base),
      linked(first, base),
      ...rest.flatMap((table) => second(table, base, segments)),
    ]
  }
  return []
}
export default cortexM

const hex8 = (value: number): string => hex(value, 8)

function tablesIn(segments: Subject['segments']): Table[] {
  const tables: Table[] = []
  let offsets = 0
  for (const segment of segments) {
    const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset, segment.bytes.byteLength)
    for (let at = 0; at + systemWords * 4 <= segment.bytes.length; at += step) {
      if (++offsets > mostOffsets) return tables
      if (!isStack(view.getUint32(at, true)) || (view.getUint8(at + 4) & 1) === 0) continue
      const table = tableAt(segment, at)
      if (table) tables.push(table)
      if (tables.length === mostTables) return tables
    }
  }
  return tables
}

/** Where Cortex-M chips have SRAM; the pointer may stand right behind its end. */
const sram: readonly (readonly [from: number, to: number])[] = [
  [0x1000_0000, 0x1020_0000],
  [0x1fff_0000, 0x2020_0000],
  [0x2040_0000, 0x2050_0000],
  [0x2400_0000, 0x2410_0000],
  [0x3000_0000, 0x3010_0000],
]
const isStack = (value: number): boolean =>
  value % 4 === 0 && sram.some(([from, to]) => value > from && value <= to)

function tableAt(segment: Segment, offset: number): Table | undefined {
  const bytes = segment.bytes.subarray(offset, offset + systemWords * 4)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const words = Uint32Array.from({ length: systemWords }, (_, i) => view.getUint32(i * 4, true))
  const [stack, reset, nmi, hardFault] = words as unknown as [number, number, number, number]
  // Words of the system that are reserved hold anything; SVCall, PendSV and SysTick may be left out.
  const vectors = [1, 2, 3, 11, 14, 15].map((i) => words[i] as number).filter((word) => word !== 0)
  const near = Math.max(...vectors) - Math.min(...vectors) < mostCodeBytes
  if (![reset, nmi, hardFault].every(isThumb) || !vectors.every(isThumb) || !near) return undefined
  return { address: segment.address + offset, stack, reset, vectors, words, segment }
}

/** From the first handler to the last. */
const mostCodeBytes = 0x40_0000
const isThumb = (vector: number): boolean =>
  (vector & 1) === 1 && vector > systemWords * 4 && vector < 0xa000_0000

interface Base {
  /** Where the segment of the table begins when it runs. */
  readonly address: number
  /** Of the different handlers this share begins like a function. */
  readonly fit: number
  /** The file's own addresses say the same. */
  readonly isGiven: boolean
}

/** What is to be added to the file's addresses so that all handlers are inside, and begin like functions. */
function baseOf(table: Table, segments: Subject['segments'], isRaw: boolean): Base | undefined {
  const { segment, vectors } = table
  const isHome = (base: number) => homeOf(base + table.address - segment.address, table.stack) !== undefined
  const handlers = [...new Set(vectors.map((vector) => vector - 1))]
  const given = handlers.filter((handler) => segmentAt(segments, handler))
  if (given.length === handlers.length && (!isRaw || isHome(segment.address))) {
    const fit = fitOf(handlers, (handler) => halfAt(segmentAt(segments, handler), handler))
    if (fit >= leastFit) return { address: segment.address, fit, isGiven: !isRaw }
  }
  const lowest = Math.min(...handlers)
  const from = Math.max(0, alignUp(Math.max(...handlers) + 2 - segment.bytes.length))
  let best: (Base & { readonly isHome: boolean }) | undefined
  let tries = 0
  for (let base = lowest - (lowest % step); base >= from && tries < mostOffsets; base -= step, tries++) {
    const fit = fitOf(handlers, (handler) => halfAt({ ...segment, address: base }, handler))
    if (fit < leastFit) continue
    const found = { address: base, fit, isGiven: false, isHome: isHome(base) }
    if (!best || isBetter(found, best)) best = found
  }
  const isChance = tries * startShare ** handlers.length > mostChance
  return best?.isHome || (best?.fit === 1 && !isChance) ? best : undefined
}

const alignUp = (value: number): number => Math.ceil(value / step) * step
/**
 * One where chips have flash, then one that explains more; of two that explain the same, flashes and their pages begin
 * at the rounder one.
 */
function isBetter(base: Base & { isHome: boolean }, best: Base & { isHome: boolean }): boolean {
  if (base.isHome !== best.isHome) return base.isHome
  return base.fit !== best.fit ? base.fit > best.fit : roundness(base.address) > roundness(best.address)
}
const roundness = (value: number): number => (value === 0 ? 32 : 31 - Math.clz32(value & -value))
const leastFit = 0.6
/** A seventh of all halfwords look as if a function began there, in a program more; how many is not measured. */
const startShare = 1 / 3
const mostChance = 0.05

function fitOf(handlers: readonly number[], half: (handler: number) => number | undefined): number {
  const found = handlers.filter((handler) => {
    const word = half(handler)
    return word !== undefined && isStart(word)
  })
  return found.length / handlers.length
}

const halfAt = (segment: Segment | undefined, address: number): number | undefined => {
  const offset = segment ? address - segment.address : -1
  const [low, high] = segment && offset >= 0 ? segment.bytes.subarray(offset, offset + 2) : []
  return low === undefined || high === undefined ? undefined : low | (high << 8)
}

/** How handlers begin: PUSH, LDR from a literal, B, BL, MOVS, MOV, MRS, CPSID, BX LR, BKPT, SUB SP, NOP, TST LR. */
const starts: readonly (readonly [mask: number, value: number])[] = [
  [0xfe00, 0xb400],
  [0xffff, 0xe92d],
  [0xf800, 0x4800],
  [0xffff, 0xf8df],
  [0xf800, 0xe000],
  [0xf800, 0xf000],
  [0xf800, 0x2000],
  [0xff00, 0x4600],
  [0xffff, 0xf3ef],
  [0xffff, 0xb672],
  [0xffff, 0x4770],
  [0xff00, 0xbe00],
  [0xff80, 0xb080],
  [0xffff, 0xbf00],
]
const isStart = (half: number): boolean => starts.some(([mask, value]) => (half & mask) === value)

// ---- what is said -------------------------------------------------------------------------------

const stackAt = ({ stack, address }: Table): Evidence => evidence('stack', { value: hex8(stack) }, address, 4)
const resetAt = ({ reset, address }: Table): Evidence =>
  evidence('reset', { value: hex8(reset) }, address + 4, 4)

function program(table: Table, base: Base): Statement {
  const { vectors, address, words } = table
  const reserved = [8, 9, 10, 13].filter((i) => words[i] === 0).length
  const different = new Set(vectors).size
  return {
    code: 'cortex-program',
    // Handlers at different places that all begin like functions are no chance.
    confidence: base.fit >= 0.8 && (different >= 3 || base.isGiven) ? 'certain' : 'likely',
    values: {},
    evidence: [
      stackAt(table),
      resetAt(table),
      evidence('handlers', { count: String(vectors.length) }, address + 8, systemWords * 4 - 8),
      ...(reserved === 4 ? [evidence('reserved-words', {}, address + 28, 16)] : []),
      ...checksumOf(table),
    ],
    architecture: 'cortex-m',
  }
}

/** NXP's boot ROM in LPC chips starts only what has the two's complement of the words before it in the eighth. */
function checksumOf({ words, address }: Table): Evidence[] {
  const sum = words.slice(0, 8).reduce((all, word) => (all + word) >>> 0, 0)
  return sum === 0 ? [evidence('checksum', { chips: 'NXP LPC' }, address + 28, 4)] : []
}

function linked(table: Table, base: Base): Statement {
  const offset = table.address - table.segment.address
  const start = base.address + offset
  const home = homeOf(start, table.stack)
  const first = evidence('code-starts', { count: String(new Set(table.vectors).size) }, table.address, 64)
  return {
    code: 'cortex-base',
    confidence: base.isGiven ? 'certain' : base.fit === 1 ? 'likely' : 'possible',
    values: { base: hex8(start), chips: home ?? '–' },
    evidence: [
      base.isGiven ? evidence('starts', { address: hex8(start) }, table.address, 4) : first,
      resetAt(table),
      stackAt(table),
    ],
    architecture: 'cortex-m',
  }
}

/** Another table, whose handlers are inside with the same base. */
function second(table: Table, base: Base, segments: Subject['segments']): Statement[] {
  const shift = table.segment.address - base.address
  const handlers = table.vectors.map((vector) => vector - 1 + shift)
  const fit = fitOf(handlers, (handler) => halfAt(segmentAt(segments, handler), handler))
  if (fit < leastFit) return []
  return [
    {
      code: 'cortex-second',
      confidence: 'likely',
      values: { address: hex8(table.address - shift) },
      evidence: [stackAt(table), resetAt(table)],
      architecture: 'cortex-m',
    },
  ]
}
