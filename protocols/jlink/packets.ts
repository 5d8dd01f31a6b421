/**
 * J-Link commands and their answers, as bytes; all numbers little-endian. Sources: libjaylink, `libjaylink/{device,target,
 * jtag,swd}.c`; blackmagic-debug/blackmagic, `src/platforms/hosted/jlink_protocol.h`, which names the sections of SEGGER
 * RM08001.
 */
import { ByteReader, ByteWriter, exactly } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'

export const Command = {
  Version: 0x01,
  SetSpeed: 0x05,
  GetState: 0x07,
  SetPower: 0x08,
  Register: 0x09,
  GetSpeeds: 0xc0,
  GetHardwareInfo: 0xc1,
  SelectInterface: 0xc7,
  /** Bits on the wires, up to hardware version 4. */
  Io2: 0xce,
  /** The same with a status behind the answer. */
  Io3: 0xcf,
  FreeMemory: 0xd4,
  ResetLow: 0xdc,
  ResetHigh: 0xdd,
  TrstLow: 0xde,
  TrstHigh: 0xdf,
  Capabilities: 0xe8,
  CapabilitiesEx: 0xed,
  HardwareVersion: 0xf0,
  ReadConfig: 0xf2,
  WriteConfig: 0xf3,
} as const

/** Bits of the capabilities, over all 256. */
export const Can = {
  HardwareVersion: 1,
  AdaptiveClocking: 3,
  ReadConfig: 4,
  WriteConfig: 5,
  SpeedInfo: 9,
  FreeMemory: 11,
  HardwareInfo: 12,
  SetPower: 13,
  SelectInterface: 17,
  Swo: 23,
  FileIo: 26,
  Register: 27,
  CapabilitiesEx: 31,
  Ethernet: 38,
  Spi: 56,
} as const
export type Can = (typeof Can)[keyof typeof Can]

export const Interface = { Jtag: 0, Swd: 1 } as const
export type Interface = (typeof Interface)[keyof typeof Interface]
/** Asked for instead of an interface: which there are. */
export const whichInterfaces = 0xff

export const configBytes = 256
export const capabilitiesExBytes = 32
/** The least that comes back for REGISTER; more of them follow where the list is longer. */
export const registrationBytes = 76
/** Nobody has had so many. */
const mostRegistrationsBytes = 0x200
/** From here on there is `Io3`. */
export const firstWithIo3 = 5

export const only = (command: number): Uint8Array => Uint8Array.of(command)
export const setSpeed = (kHz: number): Uint8Array => new ByteWriter().u8(Command.SetSpeed).u16le(kHz).done()
export const selectInterface = (which: number): Uint8Array => Uint8Array.of(Command.SelectInterface, which)

const Registration = { Register: 0x64, Unregister: 0x65 } as const

/** `handle` 0: a new one is wanted. */
export const register = (handle = 0): Uint8Array => registration(Registration.Register, handle)
export const unregister = (handle: number): Uint8Array => registration(Registration.Unregister, handle)

/** Process, host and connection are nobody's in particular. */
const registration = (what: number, handle: number): Uint8Array =>
  new ByteWriter().bytes([Command.Register, what]).u32le(0).u32le(0).bytes([0, 0]).u16le(handle).done()

/** With how many bytes there are of it in all. */
export function parseRegistration(answer: Uint8Array): { readonly handle: number; readonly length: number } {
  const read = new ByteReader(answer, 'registering')
  const [handle, count, entryBytes, infoBytes] = [read.u16le(), read.u16le(), read.u16le(), read.u16le()]
  const length = read.offset + count * entryBytes + infoBytes
  if (length > mostRegistrationsBytes)
    throw new FlashError('unexpected-answer', {
      ...{ during: 'registering', found: `${String(length)} bytes of registrations` },
    })
  return { handle, length: Math.max(registrationBytes, length) }
}

/** Bits on two lines: direction and data by SWD, TMS and TDI by JTAG; the lowest of each first byte first. */
export interface Bits {
  readonly count: number
  readonly a: Uint8Array
  readonly b: Uint8Array
}

export const io = (command: number, { count, a, b }: Bits): Uint8Array => {
  const bytes = Math.ceil(count / 8)
  const whole = new Uint8Array(4 + 2 * bytes)
  whole.set([command, 0, count & 0xff, count >> 8])
  whole.set(a.subarray(0, bytes), 4)
  whole.set(b.subarray(0, bytes), 4 + bytes)
  return whole
}

/** TT MM mm rr, in decimal digits. */
export interface HardwareVersion {
  readonly type: number
  readonly major: number
  readonly minor: number
  readonly revision: number
}

export function parseHardwareVersion(answer: Uint8Array): HardwareVersion {
  const value = new ByteReader(answer, 'asking for its hardware').u32le()
  const pair = (unit: number) => Math.floor(value / unit) % 100
  return { type: pair(1_000_000), major: pair(10_000), minor: pair(100), revision: pair(1) }
}

export const hardwareText = ({ major, minor, revision }: HardwareVersion): string =>
  `V${String(major)}.${String(minor).padStart(2, '0')}${revision > 0 ? `.${String(revision)}` : ''}`

/** What RM08001 calls each type; others have no name. */
const types: Readonly<Record<number, string>> = {
  0: 'J-Link',
  1: 'J-Trace',
  2: 'Flasher',
  3: 'J-Link Pro',
  18: 'LPC-Link2',
}
export const typeName = ({ type }: HardwareVersion): string => types[type] ?? 'J-Link'

/** Of E8 or ED. */
export function parseCapabilities(answer: Uint8Array): ReadonlySet<number> {
  const set = new Set<number>()
  answer.forEach((byte, i) => {
    for (let bit = 0; bit < 8; bit++) if ((byte >> bit) & 1) set.add(i * 8 + bit)
  })
  return set
}

/** Speeds are this, divided by `leastDivider` or any number above it. */
export interface Speeds {
  readonly baseHz: number
  readonly leastDivider: number
}
export function parseSpeeds(answer: Uint8Array): Speeds {
  const read = new ByteReader(answer, 'asking for its speeds')
  return { baseHz: read.u32le(), leastDivider: Math.max(1, read.u16le()) }
}

/** VTref. */
export const parseVoltageMv = (answer: Uint8Array): number =>
  new ByteReader(exactly(8, answer, 'asking for its state')).u16le()

export interface Firmware {
  readonly text: string
  /** As `2019-05-17`; undefined: it does not say. */
  readonly date: string | undefined
  /** Its boot loader, which runs where there is no sound firmware. */
  readonly isBootloader: boolean
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const compiled = /compiled\s+([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d{4})/

export function parseFirmware(answer: Uint8Array): Firmware {
  const text = new TextDecoder('latin1').decode(answer).replace(/\0.*$/s, '').trim()
  if (text === '') throw new FlashError('unexpected-answer', { during: 'asking for its firmware', found: '' })
  const [, month = '', day = '', year = ''] = compiled.exec(text) ?? []
  const number = months.indexOf(month) + 1
  const two = (value: number | string) => String(value).padStart(2, '0')
  const date = number > 0 ? `${year}-${two(number)}-${two(day)}` : undefined
  return { text, date, isBootloader: /\bBTL\b/.test(text) }
}
