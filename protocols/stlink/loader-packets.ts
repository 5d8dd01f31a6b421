/**
 * What an ST-Link's own boot loader understands: commands of 16 bytes, the first two of which say which, and DFU's words
 * inside them. Numbers and byte layouts, no I/O. Sources: blackmagic-debug/stlink-tool, `src/stlink.c`;
 * GMMan/st-link-hack, `paper/protocol_notes.txt`; states and status as in DFU 1.1, section 6.1.2.
 */
import { ByteReader, ByteWriter, exactly } from '#core/bytes.ts'
import { Command, dfuExit, frame, Mode } from './packets.ts'

/** Second byte behind `Command.Dfu`. */
export const LoaderCommand = {
  Download: 0x01, // DFU_DNLOAD
  GetStatus: 0x03, // DFU_GETSTATUS
  Exit: dfuExit,
  Identity: 0x08,
  Config: 0x09,
  Hardware: 0x0a,
} as const

export const askIdentity = frame(Command.Dfu, LoaderCommand.Identity)
export const askHardware = frame(Command.Dfu, LoaderCommand.Hardware)
export const askConfig = frame(Command.Dfu, LoaderCommand.Config, 0x40)
export const askStatus = frame(Command.Dfu, LoaderCommand.GetStatus, 0, 0, 0, 0, 6)

/** Of an application, V2-1 and V3: whether it can start its boot loader, and that it shall. */
export const askLoaderReachable = frame(Command.RestartLoader, 0x00)
export const enterLoader = frame(Command.RestartLoader, 0x01)
export const loaderReachable = 0x80

export const identityBytes = 20
export const configBytes = 64
export const hardwareBytes = 16
export const statusBytes = 6

// ---- who it is ------------------------------------------------------------------------------------

/** First byte of the answer to `getCurrentMode`: its boot loader runs. */
export const loaderMode = Mode.Dfu

/** Second byte: how the boot loader wants to be spoken to. 0: an application, which has none. */
export const protocols = { 1: 'V2', 2: 'V2-1', 3: 'V3', 4: 'V3, signed' } as const
export type Protocol = keyof typeof protocols
export const isProtocol = (value: number): value is Protocol => Object.hasOwn(protocols, value)

export interface LoaderIdentity {
  readonly flashKib: number
  /** Letter of the product, such as `M` or `B`. */
  readonly type: string
  /** 12 bytes, as on the wire. */
  readonly uid: Uint8Array
  /** The 16 bytes that its key is made of: the size as on the wire, and the UID. */
  readonly keyMaterial: Uint8Array
}

export function parseIdentity(bytes: Uint8Array): LoaderIdentity {
  const read = new ByteReader(exactly(identityBytes, bytes, 'asking who it is'))
  const head = read.bytes(4)
  const type = String.fromCharCode(read.u8())
  read.bytes(3)
  const uid = read.bytes(12).slice()
  const keyMaterial = Uint8Array.from([...head, ...uid])
  return { flashKib: new ByteReader(head).u16le(), type, uid, keyMaterial }
}

export interface Hardware {
  readonly version: string
  /** Its flash is 128 KiB, whatever its chip says. */
  readonly is128Kib: boolean
  readonly reserves20Kib: boolean
}

export function parseHardware(bytes: Uint8Array): Hardware {
  const word = new ByteReader(exactly(hardwareBytes, bytes, 'asking for its hardware')).u32le()
  return {
    version: `${String(word >>> 28)}.${String((word >>> 24) & 15)}`,
    is128Kib: (word & 1) !== 0,
    reserves20Kib: (word & 2) !== 0,
  }
}

// ---- downloading ----------------------------------------------------------------------------------

/** Bytes of a block; its receive buffer holds twice as many and is not guarded, so never more than that. */
export const blockBytes = 1024
export const mostBlockBytes = 2048
/** `wBlockNum`: a command, or data for the address that was set. */
export const commandBlock = 0
export const dataBlock = 2

/** First byte of a command block. */
export const BlockCommand = { SetAddress: 0x21, ErasePage: 0x41, EraseSector: 0x42 } as const

const commandOf = (command: number, operand: number): Uint8Array =>
  new ByteWriter().u8(command).u32le(operand).done()
export const setAddress = (address: number): Uint8Array => commandOf(BlockCommand.SetAddress, address)
export const erasePage = (address: number): Uint8Array => commandOf(BlockCommand.ErasePage, address)
export const eraseSector = (sector: number): Uint8Array => commandOf(BlockCommand.EraseSector, sector)

/** Sum of all bytes, modulo 2^16. */
export const checksum = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (sum + byte) & 0xffff, 0)

export interface Download {
  readonly block: number
  /** Of the payload before the device's own key. */
  readonly checksum: number
  readonly length: number
}

export const downloadFrame = ({ block, checksum, length }: Download): Uint8Array =>
  frame(
    ...new ByteWriter()
      .u8(Command.Dfu)
      .u8(LoaderCommand.Download)
      .u16le(block)
      .u16le(checksum)
      .u16le(length)
      .done(),
  )

export function parseDownload(bytes: Uint8Array): Download {
  const read = new ByteReader(bytes.subarray(2))
  return { block: read.u16le(), checksum: read.u16le(), length: read.u16le() }
}

/** `bState`. */
export const State = { Idle: 2, Busy: 4, DownloadIdle: 5, Error: 10 } as const

/** `bStatus`, in DFU's names; what this loader means by some of them is its own. */
export const statusNames = [
  'OK',
  'errTARGET',
  'errFILE',
  'errWRITE',
  'errERASE',
  'errCHECK_ERASED',
  'errPROG',
  'errVERIFY',
  'errADDRESS',
  'errNOTDONE',
  'errFIRMWARE',
  'errVENDOR',
  'errUSBR',
  'errPOR',
  'errUNKNOWN',
  'errSTALLEDPKT',
] as const
export type StatusName = (typeof statusNames)[number]

export interface LoaderStatus {
  readonly status: StatusName
  readonly pollMs: number
  readonly state: number
}

export function parseStatus(bytes: Uint8Array): LoaderStatus {
  const read = new ByteReader(exactly(statusBytes, bytes, 'asking for the status'))
  const status = statusNames[read.u8()] ?? 'errUNKNOWN'
  const pollMs = read.u16le() + read.u8() * 0x1_0000
  return { status, pollMs, state: read.u8() }
}

export const formatStatus = ({ status, pollMs, state }: LoaderStatus): Uint8Array =>
  new ByteWriter()
    .u8(statusNames.indexOf(status))
    .u16le(pollMs)
    .u8(pollMs >>> 16)
    .u8(state)
    .u8(0)
    .done()
