/**
 * Checks that only a Cortex-M can make before its flash is written: does the image fit, and will it start. Pure.
 * `values.why` says which of a check's sentences applies. Source: Armv7-M Architecture Reference Manual, B1.5.3 (the
 * vector table).
 */
import { hex } from '#core/bytes.ts'
import type { Check, CheckCode, Contents, Range, Segment } from '#core/programmer.ts'
import { checkUnknownSize, type UnknownSize } from './unknown-size.ts'

export interface CortexMCheckInput {
  /** Where its flash is. */
  readonly flash: Range
  readonly wanted: Contents
  readonly present: Contents
  /** `flash` is as large as that of any of its kind. */
  readonly unknownSize?: UnknownSize | undefined
}

export function checkCortexM({ flash, wanted, unknownSize }: CortexMCheckInput): readonly Check[] {
  const segments = wanted.get('flash')
  return segments ? [checkSize(flash, segments, unknownSize), checkVectors(flash, segments)] : []
}

const check = (code: CheckCode, result: Check['result'], values: Check['values']): Check => ({
  ...{ code, result, values },
})
const address = (value: number): string => hex(value, 8)

function checkSize(flash: Range, segments: readonly Segment[], unknownSize?: UnknownSize): Check {
  const [end, flashEnd] = [endOf(segments), flash.address + flash.length]
  const values = { memory: 'flash', available: String(flash.length), last: address(Math.max(0, end - 1)) }
  const isBelow = segments.some((segment) => segment.address < flash.address)
  const fits = end <= flashEnd && !isBelow
  if (fits && unknownSize) return checkUnknownSize(flash, end, unknownSize)
  if (fits) return check('size-fits', 'passed', values)
  const excess = isBelow ? flash.address - (segments[0]?.address ?? 0) : end - flashEnd
  const beyond = isBelow ? flash.address : flashEnd
  return check('size-fits', 'refused', { ...values, beyond: address(beyond), excess: String(excess) })
}

/** A table where the image begins: where the chip starts, or a boot loader starts it. */
function checkVectors(flash: Range, segments: readonly Segment[]): Check {
  const [first] = segments
  const start = address(first?.address ?? flash.address)
  const say = (result: Check['result'], why: string, values: Check['values'] = {}) =>
    check('vector-table', result, { why, start, ...values })
  const reset = first && wordAt(first.bytes, 4)
  if (reset === undefined) return say('warning', 'missing')
  if (reset === 0xffff_ffff) return say('warning', 'blank')
  if ((reset & 1) === 0) return say('warning', 'no-jump', { word: hex(reset, 8) })
  const target = reset - 1
  const evidence = { target: address(target) }
  const isInFlash = target >= flash.address && target < flash.address + flash.length
  if (!isInFlash) return say('refused', 'beyond-flash', evidence)
  const isThere = segments.some((one) => target >= one.address && target < one.address + one.bytes.length)
  return isThere ? say('passed', 'jump', evidence) : say('warning', 'target-empty', evidence)
}

const endOf = (segments: readonly Segment[]): number =>
  segments.reduce((end, { address, bytes }) => Math.max(end, address + bytes.length), 0)

function wordAt(bytes: Uint8Array, at: number): number | undefined {
  if (at + 4 > bytes.length) return undefined
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true)
}
