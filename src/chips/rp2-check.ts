/**
 * Checks that only an RP2040 or RP2350 can make: is the file for it, does it fit, will the ROM start it. Pure. Sources: as
 * `rp2-chips.ts`.
 */
import { hex, isBlank } from '#core/bytes.ts'
import type { Check, CheckCode, Contents, Range, Segment } from '#core/programmer.ts'
import { checkUnknownSize, type UnknownSize } from './unknown-size.ts'
import { boot2Bytes, hasBlock, hasBoot2, sectorBytes, type Chip } from './rp2-chips.ts'

export interface Rp2CheckInput {
  readonly chip: Chip
  readonly flash: Range
  /** Divided by a partition table, by which the ROM looks for programs. */
  readonly hasTable?: boolean
  readonly wanted: Contents
  readonly present: Contents
  readonly claimedChip?: string | undefined
  /** `flash` is all that can be addressed. */
  readonly unknownSize?: UnknownSize | undefined
}

export function checkRp2(input: Rp2CheckInput): readonly Check[] {
  const segments = input.wanted.get('flash')
  if (!segments) return []
  return [
    ...checkFamily(input),
    checkSize(input, segments),
    checkStart(input, segments),
    ...checkTable(input, segments),
  ]
}

const check = (code: CheckCode, result: Check['result'], values: Check['values']): Check => ({
  ...{ code, result, values },
})
const address = (value: number): string => hex(value, 8)

/** By the family that a UF2 names; a backup names the chip. */
function checkFamily({ chip, claimedChip }: Rp2CheckInput): Check[] {
  if (claimedChip === undefined) return []
  const isMeant = [chip.name, ...chip.families].includes(claimedChip.toUpperCase())
  const values = { expected: chip.name, found: claimedChip }
  return [check('chip-matches', isMeant ? 'passed' : 'refused', values)]
}

const isWithin = ({ address, bytes }: Segment, range: Range): boolean =>
  address >= range.address && address + bytes.length <= range.address + range.length

function checkSize({ chip, flash, unknownSize }: Rp2CheckInput, segments: readonly Segment[]): Check {
  const end = segments.reduce((last, { address, bytes }) => Math.max(last, address + bytes.length), 0)
  const flashEnd = flash.address + flash.length
  const values = { memory: 'flash', available: String(flash.length), last: address(Math.max(0, end - 1)) }
  const fits = segments.every((segment) => isWithin(segment, flash))
  if (fits && unknownSize) return checkUnknownSize(flash, end, unknownSize)
  if (fits) return check('size-fits', 'passed', values)
  const inRam = segments.find((segment) => chip.ram.some((range) => isWithin(segment, range)))
  if (inRam)
    return check('size-fits', 'refused', { ...values, why: 'for-ram', start: address(inRam.address) })
  const first = segments[0]?.address ?? 0
  const isBelow = first < flash.address
  const [beyond, excess] = isBelow ? [flash.address, flash.address - first] : [flashEnd, end - flashEnd]
  return check('size-fits', 'refused', { ...values, beyond: address(beyond), excess: String(excess) })
}

/** What the flash will begin with, as far as the image says. */
function checkStart({ chip, flash, present }: Rp2CheckInput, segments: readonly Segment[]): Check {
  const start = address(flash.address)
  const say = (result: Check['result'], why: string, values: Check['values'] = {}) =>
    check('vector-table', result, { why, start, ...values })
  const before = sectorAt(present.get('flash') ?? [], flash.address)
  const after = sectorAt(segments, flash.address, before)
  const touches = ({ address, bytes }: Segment) =>
    address < flash.address + sectorBytes && address + bytes.length > flash.address
  if (!segments.some(touches))
    return starts(chip, before) ? say('passed', 'stays') : say('warning', 'missing')
  if (isBlank(after)) return say('warning', 'blank')
  if (chip.name === 'RP2350')
    return hasBlock(after) ? say('passed', 'image-block') : say('warning', 'no-image-block')
  if (!hasBoot2(after)) return say('warning', 'no-boot2')
  const reset = new DataView(after.buffer, after.byteOffset).getUint32(boot2Bytes + 4, true)
  const target = (reset & ~1) >>> 0
  if ((reset & 1) === 0 || target < flash.address || target >= flash.address + flash.length)
    return say('passed', 'boot2') // a program of another make: what comes after is its own
  return say('passed', 'jump', { target: address(target) })
}

/** Where a file is not for the whole flash, nor for just these addresses, the table may want it elsewhere. */
function checkTable({ hasTable, flash, claimedChip }: Rp2CheckInput, segments: readonly Segment[]): Check[] {
  const isWhole = segments.length === 1 && segments[0]?.bytes.length === flash.length
  if (!hasTable || isWhole || claimedChip === 'RP2XXX-ABSOLUTE') return []
  return [check('vector-table', 'warning', { why: 'partitioned', start: address(flash.address) })]
}

const starts = (chip: Chip, sector: Uint8Array): boolean =>
  chip.name === 'RP2350' ? hasBlock(sector) : hasBoot2(sector)

/** The first sector of the flash, with what `segments` say of it over `under`. */
function sectorAt(segments: readonly Segment[], from: number, under?: Uint8Array): Uint8Array {
  const sector = under?.slice() ?? new Uint8Array(sectorBytes).fill(0xff)
  for (const { address, bytes } of segments) {
    const skip = Math.max(0, from - address)
    const at = Math.max(0, address - from)
    if (at < sectorBytes && skip < bytes.length) sector.set(bytes.subarray(skip, skip + sectorBytes - at), at)
  }
  return sector
}
