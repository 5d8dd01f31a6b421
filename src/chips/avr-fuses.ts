/**
 * Fuses by name: which bits of the three fuse bytes belong together, what their values mean, and how
 * dangerous a change is. A fuse bit is *programmed* when it is 0. It knows no text: ids of meanings are
 * keys in `ui/text/…/fuses.json`. Source: data sheets, "Fuse Bits" and "Clock Sources"; Microchip's device
 * files (ATDF) where data sheets differ between revisions.
 */
import { hex } from '#core/bytes.ts'
import type { Range } from '#core/programmer.ts'
import type { AvrPart, FuseLayout } from './avr-parts.ts'

export type FuseByte = 'low' | 'high' | 'extended'
export const fuseBytes: readonly FuseByte[] = ['low', 'high', 'extended']

export type FuseBit = Flag | 'CKSEL' | 'SUT' | 'BODLEVEL' | 'BOOTSZ'

/** Single bits that are on (programmed, 0) or off (1). */
type Flag =
  | 'BODEN'
  | 'BOOTRST'
  | 'CFD'
  | 'CKDIV8'
  | 'CKOPT'
  | 'CKOUT'
  | 'DWEN'
  | 'EESAVE'
  | 'HWBE'
  | 'JTAGEN'
  | 'M103C'
  | 'OCDEN'
  | 'RSTDISBL'
  | 'SELFPRGEN'
  | 'SPIEN'
  | 'WDTON'

export type ClockSource =
  | 'external-clock'
  | 'external-rc'
  | 'low-frequency-crystal'
  | 'crystal'
  | 'full-swing-crystal'
  | 'internal-rc-1mhz'
  | 'internal-rc-2mhz'
  | 'internal-rc-4mhz'
  | 'internal-rc-4-8mhz'
  | 'internal-rc-6-4mhz'
  | 'internal-rc-8mhz'
  | 'internal-rc-9-6mhz'
  | 'internal-128khz'
  | 'internal-pll-16mhz'
  | 'reserved'

/** What a value means; `values` fill the gaps of its text. */
export interface FuseMeaning {
  readonly id: 'on' | 'off' | ClockSource | 'start-up' | 'bod-off' | 'bod-level' | 'boot-size'
  readonly values: Readonly<Record<string, string>>
}

/**
 * lost: the chip cannot be reached by ISP afterwards · clock: it cannot be reached unless that clock is
 * there · slow: only by a programmer that is slow enough · supply: perhaps not while its supply is below the
 * brown-out level · caution: it can be reached, but may behave in another way
 */
/** `fixed`: ISP cannot change it (data sheets, "Fuse Bits": SPIEN is not accessible in serial programming). */
export type FuseDanger = 'fixed' | 'lost' | 'clock' | 'slow' | 'supply' | 'caution'

export interface FuseReading {
  readonly bit: FuseBit
  readonly byte: FuseByte
  readonly mask: number
  /** Of this field alone, right-aligned. */
  readonly value: number
  readonly meaning: FuseMeaning
}

export interface FuseChange {
  readonly bit: FuseBit
  readonly byte: FuseByte
  readonly mask: number
  readonly from: FuseMeaning
  readonly to: FuseMeaning
  /** Undefined: harmless. */
  readonly danger: FuseDanger | undefined
}

type Fields = Readonly<Partial<Record<FuseBit, number>>>

interface Layout {
  readonly low: Fields
  readonly high: Fields
  readonly extended?: Fields
  /** By CKSEL. */
  readonly clocks: readonly ClockSource[]
  /** Volts by BODLEVEL, an empty text for off; missing ones are reserved. */
  readonly brownOut: readonly (string | undefined)[]
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

const classicClocks: readonly ClockSource[] = [
  'external-clock',
  'internal-rc-1mhz',
  'internal-rc-2mhz',
  'internal-rc-4mhz',
  'internal-rc-8mhz',
  ...times<ClockSource>(4, 'external-rc'),
  'low-frequency-crystal',
  ...times<ClockSource>(6, 'crystal'),
]

/** CKSEL 0000 and 0010 and from 1000 on are the same on all newer chips; `middle` is 0011 … 0111. */
const clocks = (...middle: readonly ClockSource[]): readonly ClockSource[] => [
  'external-clock',
  'reserved',
  'internal-rc-8mhz',
  ...middle,
  ...times<ClockSource>(8, 'crystal'),
]
const megaClocks = clocks(
  'internal-128khz',
  ...times<ClockSource>(2, 'low-frequency-crystal'),
  ...times<ClockSource>(2, 'full-swing-crystal'),
)
const usbClocks = clocks(
  'reserved',
  ...times<ClockSource>(2, 'low-frequency-crystal'),
  ...times<ClockSource>(2, 'reserved'),
)
const tiny24Clocks = clocks('reserved', 'internal-128khz', 'reserved', 'low-frequency-crystal', 'reserved')

const threeLevels = [...times(4, undefined), '4.3', '2.7', '1.8', '']
const usbLevels = ['4.3', '3.5', '3.4', '2.6', '2.4', '2.2', '2.0', '']

const low = { CKDIV8: 0x80, CKOUT: 0x40, SUT: 0x30, CKSEL: 0x0f }
const classicLow = { BODLEVEL: 0x80, BODEN: 0x40, SUT: 0x30, CKSEL: 0x0f }
const boot = { BOOTSZ: 0x06, BOOTRST: 0x01 }
const common = { SPIEN: 0x20, WDTON: 0x10, EESAVE: 0x08 }
const debugWire = { RSTDISBL: 0x80, DWEN: 0x40, ...common }
const jtag = { OCDEN: 0x80, JTAGEN: 0x40, ...common, ...boot }
const classicJtag = { OCDEN: 0x80, JTAGEN: 0x40, SPIEN: 0x20, CKOPT: 0x10, EESAVE: 0x08, ...boot }

const mega16: Layout = {
  low: classicLow,
  high: classicJtag,
  clocks: classicClocks,
  brownOut: ['4.0', '2.7'],
}
const mega48: Layout = {
  low,
  high: { ...debugWire, BODLEVEL: 0x07 },
  extended: { SELFPRGEN: 0x01 },
  clocks: megaClocks,
  brownOut: threeLevels,
}
const mega328: Layout = { ...mega48, high: { ...debugWire, ...boot }, extended: { BODLEVEL: 0x07 } }
const mega644: Layout = { ...mega328, high: jtag }
const mega32u4: Layout = {
  low,
  high: jtag,
  extended: { HWBE: 0x08, BODLEVEL: 0x07 },
  clocks: usbClocks,
  brownOut: usbLevels,
}

const layouts: Readonly<Record<FuseLayout, Layout>> = {
  mega8: {
    ...mega16,
    high: { RSTDISBL: 0x80, WDTON: 0x40, SPIEN: 0x20, CKOPT: 0x10, EESAVE: 0x08, ...boot },
  },
  mega16,
  mega128: { ...mega16, extended: { M103C: 0x02, WDTON: 0x01 } },
  mega48,
  mega88: { ...mega48, extended: boot },
  mega328,
  mega328pb: {
    ...mega328,
    extended: { CFD: 0x08, BODLEVEL: 0x07 },
    clocks: clocks(
      'internal-128khz',
      ...times<ClockSource>(2, 'low-frequency-crystal'),
      ...times<ClockSource>(2, 'reserved'),
    ),
  },
  mega644,
  mega1284: mega644,
  mega2560: mega644,
  mega32u4,
  usb1286: mega32u4,
  usb162: {
    ...mega32u4,
    high: { DWEN: 0x80, RSTDISBL: 0x40, ...common, ...boot },
    brownOut: ['4.3', '4.0', '3.6', '3.5', '3.0', '2.9', '2.7', ''],
  },
  tiny13: {
    low: { SPIEN: 0x80, EESAVE: 0x40, WDTON: 0x20, CKDIV8: 0x10, SUT: 0x0c, CKSEL: 0x03 },
    high: { SELFPRGEN: 0x10, DWEN: 0x08, BODLEVEL: 0x06, RSTDISBL: 0x01 },
    clocks: ['external-clock', 'internal-rc-4-8mhz', 'internal-rc-9-6mhz', 'internal-128khz'],
    brownOut: ['4.3', '2.7', '1.8', ''],
  },
  tiny24: { ...mega48, clocks: tiny24Clocks },
  tiny25: {
    ...mega48,
    clocks: tiny24Clocks.with(1, 'internal-pll-16mhz').with(3, 'internal-rc-6-4mhz'),
  },
  tiny2313: {
    ...mega48,
    high: { DWEN: 0x80, EESAVE: 0x40, SPIEN: 0x20, WDTON: 0x10, BODLEVEL: 0x0e, RSTDISBL: 0x01 },
    clocks: clocks('reserved', 'internal-rc-8mhz', 'reserved', 'internal-128khz', 'reserved').with(
      2,
      'internal-rc-4mhz',
    ),
  },
  tiny88: {
    ...mega48,
    low: { ...low, CKSEL: 0x03 },
    clocks: ['external-clock', 'reserved', 'internal-rc-8mhz', 'internal-128khz'],
  },
  tiny167: {
    ...mega48,
    clocks: clocks('internal-128khz', ...times<ClockSource>(4, 'low-frequency-crystal')),
    brownOut: ['2.0', '1.9', '2.2', '2.3', '4.3', '2.7', '1.8', ''],
  },
}

interface FuseField {
  readonly bit: FuseBit
  readonly byte: FuseByte
  readonly index: number
  readonly mask: number
}

const fieldsOf = (part: AvrPart): readonly FuseField[] =>
  fuseBytes.flatMap((byte, index) =>
    Object.entries(layouts[part.fuseLayout][byte] ?? {}).map(([bit, mask]) => ({
      bit: bit as FuseBit,
      byte,
      index,
      mask,
    })),
  )

const valueOf = ({ index, mask }: FuseField, bytes: Uint8Array): number =>
  ((bytes[index] ?? 0xff) & mask) / (mask & -mask)

/** The bits of low, high and extended that exist; the others read as 1 and are written as 1. */
export function fuseMask(part: AvrPart): Uint8Array {
  const mask = new Uint8Array(part.fuses.extended === undefined ? 2 : 3)
  for (const field of fieldsOf(part)) mask[field.index] = (mask[field.index] ?? 0) | field.mask
  return mask
}

/** Every named bit (or group) of a chip's fuses, in the order of bytes: low, high, extended. */
export function describeFuses(part: AvrPart, bytes: Uint8Array): readonly FuseReading[] {
  return fieldsOf(part).map((field) => {
    const value = valueOf(field, bytes)
    const { bit, byte, mask } = field
    return { bit, byte, mask, value, meaning: meaningOf(part, bit, value) }
  })
}

/** What changes, by name; empty when only bits differ that do not exist. */
export function fuseChanges(part: AvrPart, from: Uint8Array, to: Uint8Array): readonly FuseChange[] {
  const clock = describeFuses(part, to).find(({ bit }) => bit === 'CKSEL')?.meaning.id
  return fieldsOf(part).flatMap((field) => {
    const before = valueOf(field, from)
    const after = valueOf(field, to)
    if (before === after) return []
    const { bit, byte, mask } = field
    const meanings = { from: meaningOf(part, bit, before), to: meaningOf(part, bit, after) }
    return [{ bit, byte, mask, ...meanings, danger: dangerOf(bit, meanings.from, meanings.to, clock) }]
  })
}

/** True when the chip has this fuse and it is programmed. */
export function isProgrammed(part: AvrPart, bytes: Uint8Array, bit: Flag): boolean {
  return describeFuses(part, bytes).some((reading) => reading.bit === bit && reading.meaning.id === 'on')
}

/** The boot section that BOOTSZ selects, if the chip has one. */
export function bootSection(part: AvrPart, bytes: Uint8Array): Range | undefined {
  const size = describeFuses(part, bytes).find(({ bit }) => bit === 'BOOTSZ')
  return size && bootRange(part, size.value)
}

function bootRange(part: AvrPart, bootsz: number): Range {
  const length = part.bootBytes?.[3 - bootsz] ?? 0
  return { address: part.flash.bytes - length, length }
}

function meaningOf(part: AvrPart, bit: FuseBit, value: number): FuseMeaning {
  const { clocks: sources, brownOut } = layouts[part.fuseLayout]
  switch (bit) {
    case 'CKSEL':
      return { id: sources[value] ?? 'reserved', values: {} }
    case 'SUT':
      return { id: 'start-up', values: { bits: value.toString(2).padStart(2, '0') } }
    case 'BODLEVEL': {
      const volts = brownOut[value]
      if (volts === undefined) return { id: 'reserved', values: {} }
      return volts === '' ? { id: 'bod-off', values: {} } : { id: 'bod-level', values: { volts } }
    }
    case 'BOOTSZ': {
      const { address, length } = bootRange(part, value)
      return { id: 'boot-size', values: { bytes: String(length), address: hex(address, 4) } }
    }
    default:
      return { id: value === 0 ? 'on' : 'off', values: {} }
  }
}

const harmless: readonly FuseBit[] = ['SUT', 'CKOUT', 'EESAVE', 'CFD']

/** `clock`: what the chip runs from afterwards. */
function dangerOf(
  bit: FuseBit,
  from: FuseMeaning,
  to: FuseMeaning,
  clock: FuseMeaning['id'] | undefined,
): FuseDanger | undefined {
  if (bit === 'SPIEN') return 'fixed'
  if (bit === 'RSTDISBL' || bit === 'DWEN') return to.id === 'on' ? 'lost' : undefined
  if (bit === 'CKSEL' && from.id !== to.id && to.id === slowest) return 'slow'
  if (bit === 'CKDIV8' && to.id === 'on' && clock === slowest) return 'slow' // 16 kHz
  if (bit === 'CKSEL' && !to.id.startsWith('internal-') && from.id !== to.id) return 'clock'
  // Without the full swing a crystal above 8 MHz does not start (data sheet ATmega8, "Crystal Oscillator").
  if (bit === 'CKOPT' && to.id === 'off' && clock === 'crystal') return 'clock'
  if (bit === 'BODEN' && to.id === 'on') return 'supply'
  if (bit === 'BODLEVEL' && levelOf(to) > levelOf(from)) return 'supply'
  return harmless.includes(bit) ? undefined : 'caution'
}

/** In volts; a reserved one may be any. */
const levelOf = ({ id, values }: FuseMeaning): number =>
  id === 'reserved' ? Infinity : Number(values['volts'] ?? 0)

/** Needs an SCK below 32 kHz, which many programmers do not have: ArduinoISP has 125 kHz only. */
const slowest: ClockSource = 'internal-128khz'
