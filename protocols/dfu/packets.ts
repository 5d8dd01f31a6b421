/**
 * The requests of USB DFU and what a device says of its state: numbers and byte layouts, no I/O. Sources: USB-IF,
 * Device Class Specification for Device Firmware Upgrade 1.1, sections 3, 4.1.3, 6.1; ST, UM0424 and AN3156 (DfuSe's
 * commands, which travel as blocks with the number 0).
 */
import { ByteReader, ByteWriter, exactly } from '#core/bytes.ts'

export const Request = {
  Detach: 0,
  Download: 1,
  Upload: 2,
  GetStatus: 3,
  ClearStatus: 4,
  GetState: 5,
  Abort: 6,
} as const
export type Request = (typeof Request)[keyof typeof Request]

export const State = {
  AppIdle: 0,
  AppDetach: 1,
  Idle: 2,
  DownloadSync: 3,
  DownloadBusy: 4,
  DownloadIdle: 5,
  ManifestSync: 6,
  Manifest: 7,
  ManifestWaitReset: 8,
  UploadIdle: 9,
  Error: 10,
} as const
export type State = (typeof State)[keyof typeof State]

/** As the specification names them (6.1.2), without `err`. */
const statusNames = [
  'OK',
  'TARGET',
  'FILE',
  'WRITE',
  'ERASE',
  'CHECK_ERASED',
  'PROG',
  'VERIFY',
  'ADDRESS',
  'NOTDONE',
  'FIRMWARE',
  'VENDOR',
  'USBR',
  'POR',
  'UNKNOWN',
  'STALLEDPKT',
] as const
export type StatusName = (typeof statusNames)[number]

/** As the specification names them (6.1.2), by number. */
const stateNames = [
  'appIDLE',
  'appDETACH',
  'dfuIDLE',
  'dfuDNLOAD-SYNC',
  'dfuDNBUSY',
  'dfuDNLOAD-IDLE',
  'dfuMANIFEST-SYNC',
  'dfuMANIFEST',
  'dfuMANIFEST-WAIT-RESET',
  'dfuUPLOAD-IDLE',
  'dfuERROR',
] as const

/** What GETSTATUS answers. */
export interface Status {
  readonly status: StatusName
  /** How long the device asks to be left alone, in ms. */
  readonly pollMs: number
  readonly state: State
}

export const statusBytes = 6

/** @throws `short-transfer` · undefined: a state or a status that there is none of */
export function parseStatus(bytes: Uint8Array): Status | undefined {
  const read = new ByteReader(exactly(statusBytes, bytes, 'reading the DFU status'))
  const status = statusNames[read.u8()]
  const pollMs = read.u16le() | (read.u8() << 16)
  const state = read.u8()
  const known = Object.values(State).find((value) => value === state)
  return status && known !== undefined ? { status, pollMs, state: known } : undefined
}

export const formatStatus = ({ status, pollMs, state }: Status): Uint8Array =>
  new ByteWriter()
    .u8(statusNames.indexOf(status))
    .u16le(pollMs & 0xffff)
    .u8(pollMs >> 16)
    .u8(state)
    .u8(0)
    .done()

/** `dfuERROR, errADDRESS`: as the field writes it. */
export const statusText = ({ status, state }: Status): string =>
  status === 'OK' ? stateNames[state] : `${stateNames[state]}, err${status}`

// ---- DfuSe ----------------------------------------------------------------------------------------

export const Command = { Get: 0x00, SetAddress: 0x21, Erase: 0x41, ReadUnprotect: 0x92 } as const

export const setAddress = (address: number): Uint8Array =>
  new ByteWriter().u8(Command.SetAddress).u32le(address).done()

/** The page or sector that holds this address. */
export const erasePage = (address: number): Uint8Array =>
  new ByteWriter().u8(Command.Erase).u32le(address).done()

export const massErase = Uint8Array.of(Command.Erase)
export const readUnprotect = Uint8Array.of(Command.ReadUnprotect)

/** Blocks with data count from here: 0 is for commands, and 1 is reserved. */
export const firstBlock = 2
