/**
 * Checks that only an LPC can make before its flash is written: will its ROM start the image, and does that close the debug
 * wires. Pure. Source: NXP, UM10462, 20.7 ("Criterion for valid user code") and 20.8 (code read protection).
 */
import { blank, hex } from '#core/bytes.ts'
import type { Check, Contents, Range, Segment } from '#core/programmer.ts'
import { checkCortexM } from './cortex-m-check.ts'

export interface LpcCheckInput {
  readonly flash: Range
  /** As much of it as can be written. */
  readonly eepromBytes: number
  readonly wanted: Contents
  readonly present: Contents
}

/** Where the word is that says what the ROM lets others do. */
export const crpAt = 0x2fc
const crpNames: Readonly<Record<number, string>> = {
  0x1234_5678: 'CRP1',
  0x8765_4321: 'CRP2',
  0x4321_8765: 'CRP3',
  0x4e69_7370: 'NO_ISP',
}
/** With its name, if it has one. */
export const crpText = (word: number): string =>
  word in crpNames ? `${hex(word, 8)} (${crpNames[word] ?? ''})` : hex(word, 8)
const closesWires = (word: number): boolean => crpNames[word]?.startsWith('CRP') ?? false
export const hidesLoader = (word: number): boolean => crpNames[word] === 'NO_ISP'

const vectors = 8
/** The word that makes the sum of the first eight vectors zero, whatever it is now; the ROM starts nothing else. */
export function vectorChecksum(flash: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < vectors - 1; i++) sum += wordAt(flash, i * 4)
  return -sum >>> 0
}
export const checksumAt = (vectors - 1) * 4
const hasChecksum = (flash: Uint8Array): boolean => wordAt(flash, checksumAt) === vectorChecksum(flash)

export function checkLpc({ flash, eepromBytes, wanted, present }: LpcCheckInput): readonly Check[] {
  const segments = wanted.get('flash')
  const before = present.get('flash') ?? []
  return [
    ...(segments ? checkFlash(flash, segments, before, { wanted, present }) : []),
    ...checkEeprom(eepromBytes, wanted.get('eeprom') ?? []),
  ]
}

function checkFlash(
  flash: Range,
  segments: readonly Segment[],
  before: readonly Segment[],
  both: Pick<LpcCheckInput, 'wanted' | 'present'>,
): Check[] {
  const [was, will] = [overlaid(before), overlaid(segments, before)]
  const touches = ({ address }: Segment) => address < vectors * 4
  const start = hex(flash.address, 8)
  const others = checkCortexM({ flash, ...both }).map((one): Check => {
    if (one.code !== 'vector-table') return one
    if (!segments.some(touches))
      return hasChecksum(was)
        ? { ...one, result: 'passed', values: { why: 'stays', start } }
        : { ...one, result: 'warning', values: { why: 'missing', start } }
    if (one.result !== 'passed' || hasChecksum(will)) return one
    const values = { start, word: hex(wordAt(will, checksumAt), 8), expected: hex(vectorChecksum(will), 8) }
    return { ...one, result: 'warning', values: { why: 'checksum', ...values } }
  })
  return [...others, checkProtection(wordAt(will, crpAt))]
}

/** What it would be is read back through the debug wires: those must stay open. */
function checkProtection(word: number): Check {
  const lock = crpText(word)
  if (closesWires(word)) return { code: 'lock-bits', result: 'refused', values: { why: 'crp', lock } }
  if (hidesLoader(word)) return { code: 'lock-bits', result: 'warning', values: { why: 'no-isp', lock } }
  return { code: 'lock-bits', result: 'passed', values: { why: 'open', lock } }
}

function checkEeprom(available: number, segments: readonly Segment[]): Check[] {
  if (segments.length === 0) return []
  const end = Math.max(...segments.map(({ address, bytes }) => address + bytes.length))
  const values = { memory: 'eeprom', available: String(available), last: hex(Math.max(0, end - 1), 4) }
  if (end <= available) return [{ code: 'size-fits', result: 'passed', values }]
  const excess = { beyond: hex(available, 4), excess: String(end - available) }
  return [{ code: 'size-fits', result: 'refused', values: { ...values, ...excess } }]
}

/** The flash's beginning, with what these say of it, the first ones last. */
function overlaid(...layers: readonly (readonly Segment[])[]): Uint8Array {
  const bytes = blank(crpAt + 4)
  for (const segments of layers.toReversed())
    for (const { address, bytes: part } of segments)
      if (address < bytes.length) bytes.set(part.subarray(0, bytes.length - address), address)
  return bytes
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true)
}
