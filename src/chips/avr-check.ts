/**
 * Checks that only an AVR can make before anything is written: does the image fit, is it for this chip,
 * what becomes of the boot loader, do fuses and lock bits agree. Pure; used by ISP and by boot loaders.
 *
 * `values.why` says which of a check's sentences applies; the others are its evidence, addresses as hex
 * text. Refused means that the result could not work; what can be meant is a warning. Source: data sheets,
 * "Boot Loader Support", "Interrupt Vectors" and "Memory Programming" (lock bits, fuse bits).
 */
import { equal, hex, hexBytes } from '#core/bytes.ts'
import type { Check, CheckCode, Contents, MemoryId, Range, Segment } from '#core/programmer.ts'
import {
  findBootloader,
  hasContent,
  jumpTarget,
  readVectorTable,
  wordAt,
  type VectorTable,
} from './avr-code.ts'
import { bootSection, fuseBytes, fuseChanges, fuseMask, isProgrammed } from './avr-fuses.ts'
import { avrPartByName, avrParts, findAvrPart, type AvrPart, type FuseLayout } from './avr-parts.ts'

export interface AvrCheckInput {
  readonly part: AvrPart
  /** As they are now; absent: those in `present`, or unknown (a boot loader does not tell). */
  readonly fuses?: Uint8Array | undefined
  readonly wanted: Contents
  readonly present: Contents
  /** Through a boot loader: its size at the top of the flash. It cannot overwrite itself. */
  readonly bootBytes?: number | undefined
  /** The chip that a file, link or backup says it is for. */
  readonly claimedChip?: string | undefined
}

export function checkAvr(input: AvrCheckInput): readonly Check[] {
  const now = input.fuses ?? bytesOf(input.present.get('fuses'))
  const fuses = now && { now, then: overlay(now, input.wanted.get('fuses')) }
  const flash = input.wanted.get('flash')
  return [
    ...checkChip(input),
    ...checkSizes(input),
    ...(flash ? [...checkBootloader(input, flash, fuses?.now), checkVectors(input, flash)] : []),
    ...(flash && fuses ? checkStart(input, flash, fuses.then) : []),
    ...checkLock(input),
    ...(fuses ? checkDanger(input.part, fuses) : []),
  ]
}

interface Fuses {
  readonly now: Uint8Array
  readonly then: Uint8Array
}

const check = (
  code: CheckCode,
  result: Check['result'],
  values: Readonly<Record<string, string>>,
): Check => ({ code, result, values })

// ---- chip and size ------------------------------------------------------------------------------

function checkChip({ part, wanted, claimedChip }: AvrCheckInput): Check[] {
  const signature = bytesOf(wanted.get('signature'))
  const claimed = signature ? findAvrPart(signature) : claimedChip && avrPartByName(claimedChip)
  const found = signature ? (claimed && claimed.name) || hexBytes(signature) : claimedChip
  if (found === undefined) return []
  const values = { expected: part.name, found }
  if (claimed === part) return [check('chip-matches', 'passed', values)]
  if (claimed && isSister(claimed, part))
    return [check('chip-matches', 'passed', { ...values, why: 'sister' })]
  if (!claimed && !signature) return [check('chip-matches', 'warning', { ...values, why: 'unknown-chip' })]
  return [check('chip-matches', 'refused', values)]
}

/** ATmega88 and ATmega88P: other signature, same programs. */
const isSister = (a: AvrPart, b: AvrPart): boolean =>
  a.fuseLayout === b.fuseLayout && a.flash.bytes === b.flash.bytes && a.vectors.count === b.vectors.count

function checkSizes({ part, wanted }: AvrCheckInput): Check[] {
  const sizes: Partial<Record<MemoryId, number>> = {
    flash: part.flash.bytes,
    eeprom: part.eeprom.bytes,
    fuses: fuseMask(part).length,
    lock: 1,
  }
  return [...wanted].flatMap(([memory, segments]) => {
    const available = sizes[memory]
    if (available === undefined) return []
    const end = Math.max(0, ...segments.map(({ address, bytes }) => address + bytes.length))
    const values = { memory, available: String(available), last: address(Math.max(0, end - 1)) }
    if (end <= available) return [check('size-fits', 'passed', values)]
    const excess = { beyond: address(available), excess: String(end - available) }
    return [check('size-fits', 'refused', { ...values, ...excess })]
  })
}

// ---- boot loader --------------------------------------------------------------------------------

/** The boot loader that is there now: the one in use, or one that BOOTRST could start. */
function presentBootloader(
  { part, present, bootBytes }: AvrCheckInput,
  fuses?: Uint8Array,
): Range | undefined {
  if (bootBytes !== undefined) return { address: part.flash.bytes - bootBytes, length: bootBytes }
  const flash = present.get('flash') ?? []
  const section = fuses && isProgrammed(part, fuses, 'BOOTRST') ? bootSection(part, fuses) : undefined
  return section && hasContent(flash, section) ? section : findBootloader(part, flash)
}

/** Of a flash that nobody could read nothing is said. */
function checkBootloader(input: AvrCheckInput, flash: readonly Segment[], fuses?: Uint8Array): Check[] {
  const loader = presentBootloader(input, fuses)
  const say = (result: Check['result'], why: string) => [
    check('bootloader-overlap', result, {
      why,
      ...(loader && { address: address(loader.address), bytes: String(loader.length) }),
    }),
  ]
  if (!loader && !input.present.has('flash')) return []
  if (!loader) return say('passed', 'none')
  const meant = within(flash, loader)
  if (meant.length === 0) return say('passed', 'untouched')
  if (isSame(meant, input.present.get('flash') ?? [])) return say('passed', 'same')
  const isBlank = !hasContent(meant, loader)
  if (input.bootBytes !== undefined) return isBlank ? say('passed', 'untouched') : say('refused', 'protected')
  return say('warning', isBlank ? 'erased' : 'replaced')
}

/** The parts of the segments inside the range. */
function within(segments: readonly Segment[], { address, length }: Range): Segment[] {
  return segments.flatMap((segment) => {
    const from = Math.max(0, address - segment.address)
    const bytes = segment.bytes.subarray(from, Math.max(from, address + length - segment.address))
    return bytes.length > 0 ? [{ address: segment.address + from, bytes }] : []
  })
}

function isSame(meant: readonly Segment[], present: readonly Segment[]): boolean {
  return meant.every((segment) =>
    present.some(
      (there) =>
        segment.address >= there.address &&
        equal(
          segment.bytes,
          there.bytes.subarray(segment.address - there.address).subarray(0, segment.bytes.length),
        ),
    ),
  )
}

// ---- vectors ------------------------------------------------------------------------------------

function checkVectors({ part, present }: AvrCheckInput, flash: readonly Segment[]): Check {
  const loader = findBootloader(part, flash)
  const below = { address: 0, length: loader?.address ?? part.flash.bytes }
  const isOnlyLoader = loader !== undefined && !hasContent(flash, below)
  const start = isOnlyLoader ? loader.address : 0
  const say = (result: Check['result'], why: string, values: Readonly<Record<string, string>> = {}) =>
    check('vector-table', result, { why, start: address(start), ...values })

  const first = wordAt(flash, start)
  if (first === undefined) return say('warning', 'missing')
  if (first === 0xffff) return say('warning', 'blank')
  const target = jumpTarget(flash, start, part.flash.bytes)
  if (target === undefined)
    return isOnlyLoader ? say('passed', 'bootloader') : say('warning', 'no-jump', { word: hex(first, 4) })
  const evidence = { target: address(target) }
  if (target < 0 || target >= part.flash.bytes) return say('refused', 'beyond-flash', evidence)
  const landing = { address: target, length: 2 }
  if (!hasContent(flash, landing) && !hasContent(present.get('flash') ?? [], landing))
    return say('warning', 'target-empty', evidence)
  return isOnlyLoader ? say('passed', 'bootloader', evidence) : checkCount(part, flash, say, evidence)
}

/** Fewer leading jumps than this is code that somebody wrote by hand; its count says nothing. */
const fewestVectors = 8

function checkCount(
  part: AvrPart,
  flash: readonly Segment[],
  say: (result: Check['result'], why: string, values: Readonly<Record<string, string>>) => Check,
  evidence: Readonly<Record<string, string>>,
): Check {
  const table = readVectorTable(flash)
  if (table.count < fewestVectors) return say('passed', 'jump', evidence)
  const values = {
    ...evidence,
    vectors: vectors(table),
    expected: vectors(part.vectors),
  }
  const builtFor = avrParts.filter(
    ({ vectors: { bytes, count } }) => bytes === table.bytes && count === table.count,
  )
  if (builtFor.some((other) => isCompatible(other, part))) return say('passed', 'count', values)
  if (builtFor.length > 0)
    return say('refused', 'other-chip', { ...values, chips: builtFor.map(({ name }) => name).join(', ') })
  const isEnough = table.bytes === part.vectors.bytes && table.count >= part.vectors.count
  return isEnough ? say('passed', 'count', values) : say('warning', 'unusual-count', values)
}

/** `26 × 2`: vectors and the bytes of each. */
const vectors = ({ count, bytes }: VectorTable): string => `${String(count)} × ${String(bytes)}`

/** Chips whose vector tables begin alike, so that an image for the smaller one runs on the other. */
const families: Partial<Record<FuseLayout, FuseLayout>> = { mega328pb: 'mega328', mega1284: 'mega644' }
const isCompatible = (a: AvrPart, b: AvrPart): boolean =>
  a.vectors.bytes === b.vectors.bytes && family(a) === family(b)
const family = ({ fuseLayout }: AvrPart): FuseLayout => families[fuseLayout] ?? fuseLayout

// ---- fuses and lock bits ------------------------------------------------------------------------

/** Where the chip will start, and whether something is there. */
function checkStart({ part, present }: AvrCheckInput, flash: readonly Segment[], fuses: Uint8Array): Check[] {
  const section = bootSection(part, fuses)
  if (!section) return []
  const startsLoader = isProgrammed(part, fuses, 'BOOTRST')
  const start = startsLoader ? section.address : 0
  const loader = findBootloader(part, flash)
  const say = (result: Check['result'], why: string) =>
    check('fuses-fit', result, {
      why,
      start: address(start),
      ...(loader && { bootloader: address(loader.address) }),
    })
  if (loader && !startsLoader) return [say('warning', 'bootrst-off')]
  if (loader && loader.address !== start) return [say('warning', 'other-start')]
  if (!startsLoader) return [say('passed', 'application')]
  const first = { address: start, length: 2 }
  const covered = within(flash, first).length > 0
  const there = covered ? flash : present.get('flash')
  if (!there) return [say('warning', 'start-hidden')] // it is erased with the rest of what nobody could read
  return [hasContent(there, first) ? say('passed', 'bootloader') : say('warning', 'start-empty')]
}

function checkLock({ wanted, present, part }: AvrCheckInput): Check[] {
  const now = bytesOf(present.get('lock'))?.[0]
  const then = bytesOf(wanted.get('lock'))?.[0]
  const value = then ?? now
  if (value === undefined) return []
  const say = (result: Check['result'], why: string) => [
    check('lock-bits', result, { why, lock: hex(value) }),
  ]
  if ((value & 0x03) !== 0x03) {
    if (then === undefined) return say('warning', 'locked-now')
    return say('warning', (value & 0x02) === 0 ? 'prevents-reading' : 'prevents-writing')
  }
  if (then !== undefined && now !== undefined && (then & ~now & part.lockMask) !== 0)
    return say('warning', 'needs-erase')
  return say('passed', (value & part.lockMask) === part.lockMask ? 'open' : 'boot-section')
}

/** `volts` → `from-volts`. */
const ofBefore = (values: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`from-${name}`, value]))

function checkDanger(part: AvrPart, { now, then }: Fuses): Check[] {
  return fuseChanges(part, now, then).flatMap(({ bit, byte, from, to, danger }) =>
    danger === undefined
      ? []
      : [
          check('fuse-danger', danger === 'fixed' ? 'refused' : 'warning', {
            danger,
            fuse: byte,
            bit,
            from: from.id,
            to: to.id,
            meaning: to.id,
            ...to.values,
            ...ofBefore(from.values),
            before: hex(now[fuseBytes.indexOf(byte)] ?? 0xff),
            after: hex(then[fuseBytes.indexOf(byte)] ?? 0xff),
          }),
        ],
  )
}

// ---- contents -----------------------------------------------------------------------------------

const address = (value: number): string => hex(value, 4)

/** A small memory as one run of bytes from 0. */
function bytesOf(segments: readonly Segment[] | undefined): Uint8Array | undefined {
  const [first] = segments ?? []
  return first?.address === 0 ? first.bytes : undefined
}

function overlay(below: Uint8Array, segments: readonly Segment[] = []): Uint8Array {
  const bytes = Uint8Array.from(below)
  for (const segment of segments)
    for (const [i, byte] of segment.bytes.entries())
      if (segment.address + i < bytes.length) bytes[segment.address + i] = byte
  return bytes
}
