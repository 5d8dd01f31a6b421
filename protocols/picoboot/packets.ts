/**
 * PICOBOOT, the USB protocol of RP2040 and RP2350 in BOOTSEL mode: numbers and byte layouts, no I/O. Sources:
 * raspberrypi/pico-sdk, `boot/picoboot.h`, `boot/picoboot_constants.h`, `boot/bootrom_constants.h`; pico-bootrom-rp2040,
 * `usb_boot_device.c`; pico-bootrom-rp2350, `nsboot_usb_client.c`; RP2040 datasheet, 2.8.4; RP2350 datasheet, 5.6.
 */
import { ByteReader, ByteWriter, exactly } from '#core/bytes.ts'

/** Of the ROMs, whichever interfaces they show. */
export const Endpoint = { Out: 3, In: 4 } as const

/** Vendor requests to the interface. */
export const Request = { Reset: 0x41, Status: 0x42 } as const

/** Bit 7: the data phase is IN. */
export const Command = {
  ExclusiveAccess: 0x01,
  /** RP2040 only. */
  Reboot: 0x02,
  FlashErase: 0x03,
  Read: 0x84,
  Write: 0x05,
  ExitXip: 0x06,
  EnterXip: 0x07,
  /** RP2040 only, as the next. */
  Exec: 0x08,
  VectorizeFlash: 0x09,
  /** RP2350 only, as all that follow. */
  Reboot2: 0x0a,
  GetInfo: 0x8b,
  OtpRead: 0x8c,
  OtpWrite: 0x0d,
} as const
export type Command = (typeof Command)[keyof typeof Command]

export const isIn = (command: number): boolean => (command & 0x80) !== 0

// ---- commands -------------------------------------------------------------------------------------

export const commandBytes = 32
const commandMagic = 0x431f_d10b
const argumentBytes = 16

export interface CommandBlock {
  /** Any number; the status names it. */
  readonly token: number
  readonly command: number
  /** At most 16 bytes; `bCmdSize` says how many of them count. */
  readonly args: Uint8Array
  /** `dTransferLength`, of the data phase. */
  readonly transferBytes: number
}

export const encodeCommand = ({ token, command, args, transferBytes }: CommandBlock): Uint8Array =>
  new ByteWriter()
    .u32le(commandMagic)
    .u32le(token)
    .u8(command)
    .u8(args.length)
    .u16le(0)
    .u32le(transferBytes)
    .bytes(args)
    .bytes(new Uint8Array(argumentBytes - args.length))
    .done()

/** Undefined: not a command. */
export function parseCommand(bytes: Uint8Array): CommandBlock | undefined {
  if (bytes.length !== commandBytes) return undefined
  const read = new ByteReader(bytes)
  if (read.u32le() !== commandMagic) return undefined
  const [token, command, length] = [read.u32le(), read.u8(), read.u8()]
  read.u16le()
  const transferBytes = read.u32le()
  return { token, command, transferBytes, args: read.bytes(Math.min(length, argumentBytes)) }
}

/** Of FLASH_ERASE, READ and WRITE. */
export const rangeArgs = (address: number, length: number): Uint8Array =>
  new ByteWriter().u32le(address).u32le(length).done()

/** 1: the drive takes nothing; until IF_RESET. */
export const exclusiveArgs = (on: boolean): Uint8Array => Uint8Array.of(on ? 1 : 0)

/** Into what the flash holds. `stack`: as picotool sends it, the end of the RAM. */
export const rebootArgs = (delayMs: number): Uint8Array =>
  new ByteWriter().u32le(0).u32le(0x2004_2000).u32le(delayMs).done()

/** Type 0, normal. */
export const reboot2Args = (delayMs: number): Uint8Array =>
  new ByteWriter().u32le(0).u32le(delayMs).u32le(0).u32le(0).done()

// ---- GET_INFO -------------------------------------------------------------------------------------

const Info = { System: 1, PartitionTable: 2 } as const
const flashInfo = 0x0008
const tableInfo = 0x0001

const infoArgs = (type: number, flags: number): Uint8Array =>
  new ByteWriter().u8(type).u8(0).u16le(0).u32le(flags).u32le(0).u32le(0).done()

/** What is asked for, and how many bytes the answer has. */
export interface InfoQuestion {
  readonly args: Uint8Array
  readonly bytes: number
}
/** For the size of the flash that it is set up for. */
export const askFlash: InfoQuestion = { args: infoArgs(Info.System, flashInfo), bytes: 3 * 4 }
/** For whether there is a partition table. */
export const askTable: InfoQuestion = { args: infoArgs(Info.PartitionTable, tableInfo), bytes: 5 * 4 }
const flashWords = 2
const tableWords = 4

/**
 * Bytes of the first flash chip as the one-time memory says, or 16 MiB where that says nothing: a limit, not what is there.
 * Undefined: it does not tell.
 */
export function parseFlashInfo(bytes: Uint8Array): number | undefined {
  const read = new ByteReader(exactly(askFlash.bytes, bytes, 'asking for the flash'))
  const [words, flags, info] = [read.u32le(), read.u32le(), read.u32le()]
  const size = (info >> 8) & 15 // CS0_SIZE: 1 is 8 KiB
  return words === flashWords && flags === flashInfo && size > 0 ? 4096 * 2 ** size : undefined
}

/** `sizeBytes`: 8 KiB times a power of two. */
export const formatFlashInfo = (sizeBytes: number): Uint8Array =>
  new ByteWriter()
    .u32le(flashWords)
    .u32le(flashInfo)
    .u32le(Math.log2(sizeBytes / 4096) << 8)
    .done()

/** Whether a partition table divides the flash. */
export function parseTableInfo(bytes: Uint8Array): boolean {
  const read = new ByteReader(exactly(askTable.bytes, bytes, 'asking for the partition table'))
  const [words, flags] = [read.u32le(), read.u32le()]
  read.u8() // of partitions
  return words === tableWords && flags === tableInfo && read.u8() !== 0
}

export const formatTableInfo = (hasTable: boolean): Uint8Array =>
  new ByteWriter()
    .u32le(tableWords)
    .u32le(tableInfo)
    .bytes([hasTable ? 1 : 0, hasTable ? 1 : 0, 0, 0])
    .u32le(0xfc00_0000)
    .u32le(0)
    .done()

// ---- status ---------------------------------------------------------------------------------------

export const statusBytes = 16

/** As the SDK names them, by number. */
const statusNames = [
  'OK',
  'UNKNOWN_CMD',
  'INVALID_CMD_LENGTH',
  'INVALID_TRANSFER_LENGTH',
  'INVALID_ADDRESS',
  'BAD_ALIGNMENT',
  'INTERLEAVED_WRITE',
  'REBOOTING',
  'UNKNOWN_ERROR',
  'INVALID_STATE',
  'NOT_PERMITTED',
  'INVALID_ARG',
  'BUFFER_TOO_SMALL',
  'PRECONDITION_NOT_MET',
  'MODIFIED_DATA',
  'INVALID_DATA',
  'NOT_FOUND',
  'UNSUPPORTED_MODIFICATION',
] as const
export type StatusName = (typeof statusNames)[number]

export interface Status {
  /** Of the command that it is about. */
  readonly token: number
  /** A number that has no name: as hex text. */
  readonly status: string
  readonly command: number
  readonly inProgress: boolean
}

/** @throws `short-transfer` */
export function parseStatus(bytes: Uint8Array): Status {
  const read = new ByteReader(exactly(statusBytes, bytes, 'reading the PICOBOOT status'))
  const [token, status] = [read.u32le(), read.u32le()]
  return {
    token,
    status: statusNames[status] ?? `0x${status.toString(16)}`,
    command: read.u8(),
    inProgress: read.u8() !== 0,
  }
}

export const formatStatus = (token: number, status: StatusName, command: number, busy: boolean): Uint8Array =>
  new ByteWriter()
    .u32le(token)
    .u32le(statusNames.indexOf(status))
    .u8(command)
    .u8(busy ? 1 : 0)
    .bytes(new Uint8Array(6))
    .done()

// ---- programs that can be told to start it -----------------------------------------------------------

/** An interface of programs made with the SDK, and its class request; the ROM then does not answer any more. */
export const resetInterface = { classCode: 0xff, subclass: 0x00, protocol: 0x01 } as const
export const ResetRequest = { Bootsel: 0x01 } as const
