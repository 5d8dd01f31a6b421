/**
 * What is said to an ST-Link V2, V2-1 or V3: frames of 16 bytes, their answers, what a version can do. Sources:
 * openocd-org/openocd, `src/jtag/drivers/stlink_usb.c`; stlink-org/stlink, `src/stlink-lib/{usb.c,commands.h}`;
 * probe-rs/probe-rs, `probe-rs/src/probe/stlink/constants.rs`; GMMan/st-link-hack, `paper/protocol_notes.txt`.
 */
import { ByteReader, ByteWriter, exactly } from '#core/bytes.ts'
import type { Width } from '#chips/target-memory.ts'

export const frameBytes = 16

export const Command = {
  GetVersion: 0xf1,
  Debug: 0xf2,
  Dfu: 0xf3,
  Swim: 0xf4,
  GetCurrentMode: 0xf5,
  GetTargetVoltage: 0xf7,
  RestartLoader: 0xf9,
  GetVersionEx: 0xfb,
} as const

/** The second byte of `Command.Debug`, APIv2. */
export const Debug = {
  GetStatus: 0x01,
  ForceDebug: 0x02,
  ReadMem32: 0x07,
  WriteMem32: 0x08,
  RunCore: 0x09,
  StepCore: 0x0a,
  ReadMem8: 0x0c,
  WriteMem8: 0x0d,
  Exit: 0x21,
  Enter: 0x30,
  ReadIdcodes: 0x31,
  ResetSys: 0x32,
  ReadReg: 0x33,
  WriteReg: 0x34,
  WriteDebugReg: 0x35,
  ReadDebugReg: 0x36,
  ReadAllRegs: 0x3a,
  GetLastRwStatus: 0x3b,
  DriveNrst: 0x3c,
  GetLastRwStatus2: 0x3e,
  SwdSetFreq: 0x43,
  JtagSetFreq: 0x44,
  ReadDapReg: 0x45,
  WriteDapReg: 0x46,
  ReadMem16: 0x47,
  WriteMem16: 0x48,
  InitAp: 0x4b,
  CloseApDbg: 0x4c,
  RwMiscOut: 0x51,
  RwMiscIn: 0x52,
  SetComFreq: 0x61,
  GetComFreq: 0x62,
} as const

/** Of `Debug.Enter`: as the target is, or with a reset of it. */
export const Enter = { Swd: 0xa3, Jtag: 0xa4, JtagWithReset: 0x00 } as const
/** Which of its lines a target is at. */
export type Lines = 'SWD' | 'JTAG'
export const Nrst = { Low: 0, High: 1 } as const
export const dfuExit = 0x07
const swimExit = 0x01

/** The first byte of the answer to `Command.GetCurrentMode`. */
export const Mode = { Dfu: 0, Mass: 1, Debug: 2, Swim: 3, Bootloader: 4 } as const

/** Of a debug command, and of the transfer before (`stlink_usb.c`, `STLINK_DEBUG_ERR_…`). */
export const Status = {
  Ok: 0x80,
  Fault: 0x81,
  UnknownJtagChain: 0x04,
  NoDevice: 0x05,
  CommandWait: 0x07,
  CommandError: 0x08,
  IdcodeError: 0x09,
  AlignmentError: 0x0a,
  WriteVerifyError: 0x0d,
  OtherMode: 0x0e,
  ApWait: 0x10,
  ApFault: 0x11,
  ApError: 0x12,
  ApParity: 0x13,
  DpWait: 0x14,
  DpFault: 0x15,
  DpError: 0x16,
  DpParity: 0x17,
  BadAp: 0x1d,
  BadFrequency: 0x41,
  Unknown: 0x42,
} as const

export const statusName = (status: number): string =>
  Object.entries(Status).find(([, code]) => code === status)?.[0] ?? `0x${status.toString(16)}`

export function frame(...bytes: readonly number[]): Uint8Array {
  const whole = new Uint8Array(frameBytes)
  whole.set(bytes)
  return whole
}

export const getVersion = frame(Command.GetVersion)
export const getVersionEx = frame(Command.GetVersionEx)
export const getCurrentMode = frame(Command.GetCurrentMode)
export const getTargetVoltage = frame(Command.GetTargetVoltage)
export const exitDfu = frame(Command.Dfu, dfuExit)
export const exitDebug = frame(Command.Debug, Debug.Exit)
export const exitSwim = frame(Command.Swim, swimExit)
export const versionBytes = 6
export const versionExBytes = 12
export const modeBytes = 2
export const voltageBytes = 8
export const statusBytes = 2

// ---- version ------------------------------------------------------------------------------------

/** Numbers that are 0 it does not have. */
export interface Version {
  /** 2: V2 and V2-1, 3: V3, 4: V3PWR. */
  readonly generation: number
  /** J: of its JTAG and SWD firmware. */
  readonly jtag: number
  /** S, of its SWIM firmware. */
  readonly swim: number
  /** M: of its drive and its serial port. */
  readonly mass: number
  /** B. */
  readonly bridge: number
  readonly vendorId: number
  /** In its boot loader that one's. */
  readonly productId: number
}

/** Two numbers share a word; what they mean depends on the model: `isV21` has a drive, and no SWIM (`stlink_usb_version`). */
export function parseVersion(answer: Uint8Array, isV21: boolean): Version {
  const read = new ByteReader(exactly(versionBytes, answer, 'asking for its version'))
  const word = read.u16be()
  const [x, y] = [(word >> 6) & 0x3f, word & 0x3f]
  const isOnlyForStm8 = isV21 && ((x <= 22 && y === 7) || (x >= 25 && y >= 7 && y <= 12))
  const [jtag, mass, swim] = isOnlyForStm8 ? [0, x, y] : isV21 ? [x, y, 0] : [x, 0, y]
  return {
    ...{ generation: word >> 12, jtag, mass, swim, bridge: 0 },
    ...{ vendorId: read.u16le(), productId: read.u16le() },
  }
}

/** Of a V3, whose shorter answer says nothing else. */
export function parseVersionEx(answer: Uint8Array): Version {
  const read = new ByteReader(exactly(versionExBytes, answer, 'asking for its version'))
  const [generation, swim, jtag, mass, bridge] = [read.u8(), read.u8(), read.u8(), read.u8(), read.u8()]
  read.bytes(3) // its power firmware's, and reserved ones
  return {
    ...{ generation, jtag, mass, swim, bridge },
    ...{ vendorId: read.u16le(), productId: read.u16le() },
  }
}

/** `V2J37S7`, as everybody writes it. */
export function versionName({ generation, jtag, mass, bridge, swim }: Version): string {
  const part = (letter: string, value: number) => (value > 0 ? `${letter}${String(value)}` : '')
  const first = jtag > 0 || mass === 0 ? `J${String(jtag)}` : ''
  return `V${String(generation)}${first}${part('M', mass)}${part('B', bridge)}${part('S', swim)}`
}

/** What its firmware can do. */
export interface Abilities {
  /** Older ones cannot be told apart well enough, and lack what flash needs. */
  readonly reachesTargets: boolean
  readonly measuresVoltage: boolean
  /** `Debug.GetLastRwStatus2` in place of `Debug.GetLastRwStatus`. */
  readonly tellsMore: boolean
  /** Access ports are opened before they are used. */
  readonly opensAps: boolean
  /** `Debug.RwMiscOut`: so many items in a row, 0 is none. */
  readonly rowItems: number
  /** Of `Debug.ReadMem8` and `Debug.WriteMem8`, at once. */
  readonly mostNarrowBytes: number
  /** It tells its speeds, and takes them in kHz; else by `swdDivisors`. */
  readonly listsSpeeds: boolean
}

/** Beyond this many a V2 and a V3 take no row (`STLINK_V2_RW_MISC_SIZE`, `STLINK_V3_RW_MISC_SIZE`). */
const rowItems = { v2: 64, v3: 1227 } as const

/** `stlink_usb_version`, `STLINK_F_…`; what probes of which age may do for a target: probe-rs, `MIN_JTAG_VERSION`. */
export function abilitiesOf({ generation, jtag }: Version): Abilities {
  const isV3 = generation >= 3
  const since = (v2: number, v3 = 0) => jtag >= (isV3 ? v3 : v2)
  return {
    reachesTargets: generation >= 2 && since(26, 3),
    measuresVoltage: since(13),
    tellsMore: since(15),
    opensAps: since(28),
    rowItems: since(32, 2) ? (isV3 ? rowItems.v3 : rowItems.v2) : 0,
    mostNarrowBytes: isV3 && since(0, 6) ? 512 : 64,
    listsSpeeds: isV3,
  }
}

/** Of a V2, since J22: Hz and what stands for it (`stlink_khz_to_speed_map_swd`). */
export const swdDivisors: readonly (readonly [hz: number, divisor: number])[] = [
  [4_000_000, 0],
  [1_800_000, 1],
  [950_000, 3],
  [480_000, 7],
  [240_000, 15],
  [100_000, 40],
]

/** Of a V2, since J24 (`stlink_khz_to_speed_map_jtag`). */
export const jtagDivisors: readonly (readonly [hz: number, divisor: number])[] = [
  [9_000_000, 4],
  [4_500_000, 8],
  [2_250_000, 16],
  [1_125_000, 32],
  [562_000, 64],
  [281_000, 128],
  [140_000, 256],
]
export const divisorsOf = (lines: Lines): typeof swdDivisors => (lines === 'SWD' ? swdDivisors : jtagDivisors)

export const setFreq = (lines: Lines, divisor: number): Uint8Array =>
  frame(
    Command.Debug,
    lines === 'SWD' ? Debug.SwdSetFreq : Debug.JtagSetFreq,
    ...[divisor & 0xff, divisor >> 8],
  )

/** As a V3 numbers them. */
const numberOf: Readonly<Record<Lines, number>> = { SWD: 0, JTAG: 1 }
export const getComFreq = (lines: Lines): Uint8Array =>
  frame(Command.Debug, Debug.GetComFreq, numberOf[lines])
export const comFreqBytes = 52
export const setComFreqBytes = 8
const mostSpeeds = 10
export const setComFreq = (lines: Lines, hz: number): Uint8Array => {
  const kHz = new ByteWriter().u32le(Math.floor(hz / 1000)).done()
  return frame(Command.Debug, Debug.SetComFreq, numberOf[lines], 0, ...kHz)
}

/** In Hz, fastest first. */
export function parseComFreq(answer: Uint8Array): number[] {
  const read = new ByteReader(exactly(comFreqBytes, answer, 'asking for its speeds'))
  read.bytes(8)
  const count = Math.min(read.u32le() & 0xff, mostSpeeds)
  return Array.from({ length: count }, () => read.u32le() * 1000).filter((hz) => hz > 0)
}

/** In volts; 0: nothing is there to be measured. It halves what it measures against its reference of 1.2 V. */
export function parseVoltage(answer: Uint8Array): number {
  const read = new ByteReader(exactly(voltageBytes, answer, 'measuring the target’s voltage'))
  const [reference, reading] = [read.u32le(), read.u32le()]
  return reference === 0 ? 0 : (2 * reading * 1.2) / reference
}

// ---- the target ---------------------------------------------------------------------------------

/** Read or written at once; 32-bit commands take more, but the address counts on within so many bytes only. */
export const tarBytes = 1024

export const memoryOp: Readonly<Record<Width, { readonly read: number; readonly write: number }>> = {
  1: { read: Debug.ReadMem8, write: Debug.WriteMem8 },
  2: { read: Debug.ReadMem16, write: Debug.WriteMem16 },
  4: { read: Debug.ReadMem32, write: Debug.WriteMem32 },
}

/** On access port 0 with its usual CSW: what follows in the frame stays 0. */
export const memoryFrame = (op: number, address: number, length: number): Uint8Array =>
  frame(Command.Debug, op, ...new ByteWriter().u32le(address).u16le(length).done())

export const readDebugReg = (address: number): Uint8Array =>
  frame(Command.Debug, Debug.ReadDebugReg, ...new ByteWriter().u32le(address).done())
export const writeDebugReg = (address: number, value: number): Uint8Array =>
  frame(Command.Debug, Debug.WriteDebugReg, ...new ByteWriter().u32le(address).u32le(value).done())

/** What an item of `Debug.RwMiscOut` does with its word. */
export const Item = { Address: 1, Write: 2, Read: 3, Ap: 5 } as const
export type Item = (typeof Item)[keyof typeof Item]

export const rwMisc = (op: typeof Debug.RwMiscOut | typeof Debug.RwMiscIn, items: number): Uint8Array =>
  frame(Command.Debug, op, ...new ByteWriter().u32le(items).done())

/** Codes first, filled up to whole words; then a word for each. */
export function encodeItems(items: readonly (readonly [item: Item, word: number])[]): Uint8Array {
  const writer = new ByteWriter().bytes(items.map(([item]) => item))
  for (let at = items.length; at % 4 !== 0; at++) writer.u8(0)
  for (const [, word] of items) writer.u32le(word)
  return writer.done()
}

/** The first status that is not OK; undefined: all are. Values come first, then as many statuses. */
export function itemsStatus(answer: Uint8Array, items: number): number | undefined {
  const read = new ByteReader(exactly(8 * items, answer, 'writing a row'))
  read.bytes(4 * items)
  for (let left = items; left > 0; left--) {
    const status = read.u32le() & 0xff
    if (status !== Status.Ok) return status
  }
  return undefined
}
