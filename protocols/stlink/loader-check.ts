/**
 * Whether an ST-Link's boot loader will start an image, and whether it is for this generation: a wrong one leaves it in
 * its boot loader, which can be written again. Pure. `values.why` says which of a check's sentences applies.
 */
import { hex } from '#core/bytes.ts'
import { findUsbDescriptors } from '#core/find.ts'
import type { Check, Contents, Range, Segment } from '#core/programmer.ts'
import { checkCortexM } from '#chips/cortex-m-check.ts'
import { generationOf, generations, type Generation } from './loader-layout.ts'

export interface ImageCheckInput {
  readonly generation: Generation
  readonly chip: string
  readonly flash: Range
  readonly wanted: Contents
  readonly claimedChip?: string | undefined
}

const st = 0x0483
/** Of everything that ST calls ST-Link. */
const isStLink = (productId: number): boolean => (productId & 0xffe0) === 0x3740

export function checkImage({
  generation,
  chip,
  flash,
  wanted,
  claimedChip,
}: ImageCheckInput): readonly Check[] {
  const segments = wanted.get('flash')
  if (!segments) return []
  const plain = checkCortexM({ flash, wanted, present: new Map() })
  return [
    ...checkGeneration(generation, chip, segments, claimedChip),
    ...checkOneWay(generation, segments, claimedChip),
    ...checkBecoming(generation, segments, claimedChip),
    ...plain.filter(({ code }) => code !== 'vector-table'),
    ...plain
      .filter(({ code }) => code === 'vector-table')
      .map((one) => checkStart(one, generation, flash, segments)),
  ]
}

const vendorDescriptor = (segments: readonly Segment[]) =>
  findUsbDescriptors(segments).find(({ vendorId, productId }) => vendorId === st && isStLink(productId))

const isVendors = ({ claim }: Generation, segments: readonly Segment[], claimedChip: string | undefined) =>
  claimedChip === claim || vendorDescriptor(segments) !== undefined

/** ST's own firmware for a V3; which releases lock it, nothing in them says. */
function checkOneWay(
  generation: Generation,
  segments: readonly Segment[],
  claimedChip: string | undefined,
): Check[] {
  if (generation.protocol !== 3) return []
  const isTheirs = isVendors(generation, segments, claimedChip)
  return [{ code: 'one-way', result: isTheirs ? 'warning' : 'passed', values: {} }]
}

/** With other firmware it is no ST-Link any more; a V2 then waits in its boot loader after each plugging in. */
function checkBecoming(
  generation: Generation,
  segments: readonly Segment[],
  claimedChip: string | undefined,
): Check[] {
  if (isVendors(generation, segments, claimedChip)) return []
  const values = generation.protocol === 1 ? { why: 'waits' } : {}
  return [{ code: 'becomes-other', result: 'warning', values }]
}

/** The loader starts nothing without a start at its base and a stack in its RAM. */
function checkStart(check: Check, { ramEnd }: Generation, flash: Range, segments: readonly Segment[]): Check {
  const [first] = segments
  const start = hex(flash.address, 8)
  const refused = (why: string, values: Check['values'] = {}): Check => ({
    ...{ code: 'vector-table', result: 'refused', values: { why, start, ...values } },
  })
  if (first?.address !== flash.address) return refused('missing')
  const { why } = check.values
  if (why === 'missing' || why === 'blank' || why === 'no-jump') return { ...check, result: 'refused' }
  const stack = new DataView(first.bytes.buffer, first.bytes.byteOffset).getUint32(0, true)
  const isInRam = stack > 0x2000_0000 && stack <= ramEnd
  return isInRam ? check : refused('stack', { word: hex(stack, 8) })
}

/** By what its package says, or by the USB device that it makes of it. */
function checkGeneration(
  generation: Generation,
  chip: string,
  segments: readonly Segment[],
  claimedChip: string | undefined,
): Check[] {
  const say = (result: Check['result'], found: string): Check[] => [
    {
      code: 'chip-matches',
      result,
      values: { ...(result === 'warning' && { why: 'other-chip' }), expected: chip, found },
    },
  ]
  const isClaimed = Object.values(generations).some(({ claim }) => claim === claimedChip)
  if (isClaimed && claimedChip !== undefined && claimedChip !== generation.claim)
    return say('refused', claimedChip)
  const descriptor = vendorDescriptor(segments)
  if (!descriptor) return isClaimed && claimedChip !== undefined ? say('passed', claimedChip) : []
  const own = generationOf(descriptor.productId)
  const found = own ? `ST-Link ${own.name}` : `ST-Link, ${descriptor.usbId}`
  if (own === generation) return say('passed', found)
  return say(own?.claim === generation.claim ? 'warning' : 'refused', found)
}
