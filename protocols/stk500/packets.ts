/**
 * STK500 version 1: commands, replies and parameters as bytes, no I/O.
 *
 * A command ends with CRC_EOP; its answer is `INSYNC data… OK`. Sources: Atmel's AVR061 (command names,
 * SET_DEVICE), and the firmwares that speak it: optiboot 4.4 and 8.3, ATmegaBOOT, ArduinoISP 1.18.
 */
import { ByteReader, ByteWriter, hex, hexBytes } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import type { AvrPart } from '#chips/avr-parts.ts'

export const Command = {
  GetSync: 0x30, // Cmnd_STK_GET_SYNC
  GetSignOn: 0x31,
  SetParameter: 0x40,
  GetParameter: 0x41,
  SetDevice: 0x42,
  SetDeviceExt: 0x45,
  EnterProgmode: 0x50,
  LeaveProgmode: 0x51,
  ChipErase: 0x52,
  LoadAddress: 0x55,
  Universal: 0x56,
  ProgFlash: 0x60,
  ProgData: 0x61,
  ProgPage: 0x64,
  ReadPage: 0x74,
  ReadSign: 0x75,
} as const

/** What ArduinoISP answers to GET_SIGN_ON. */
export const signOn = 'AVR ISP'

export const Reply = {
  Ok: 0x10, // Resp_STK_OK
  Failed: 0x11,
  Unknown: 0x12,
  NoDevice: 0x13,
  InSync: 0x14,
  NoSync: 0x15,
} as const

/** Sync_CRC_EOP: ends every command. */
export const eop = 0x20

export const Parameter = {
  Hardware: 0x80, // Parm_STK_HW_VER
  Major: 0x81, // Parm_STK_SW_MAJOR
  Minor: 0x82, // Parm_STK_SW_MINOR
  ProgMode: 0x93, // Parm_STK_PROGMODE: `S` serial, `P` parallel
} as const

/** Memory types of PROG_PAGE and READ_PAGE. */
export const MemType = { Flash: 0x46, Eeprom: 0x45 } as const
export type MemType = (typeof MemType)[keyof typeof MemType]

/** What is sent, and how many bytes of data the answer has between INSYNC and OK. */
export interface Request {
  readonly name: string
  readonly bytes: Uint8Array
  readonly dataBytes: number
}

function request(name: string, bytes: Iterable<number>, dataBytes = 0): Request {
  return { name, bytes: new ByteWriter().bytes(bytes).u8(eop).done(), dataBytes }
}

export const getSync = request('GET_SYNC', [Command.GetSync])
/** Programmers and ATmegaBOOT answer with seven letters; optiboot answers without data. */
export const getSignOn = request('GET_SIGN_ON', [Command.GetSignOn], 7)
export const enterProgmode = request('ENTER_PROGMODE', [Command.EnterProgmode])
export const leaveProgmode = request('LEAVE_PROGMODE', [Command.LeaveProgmode])
export const readSign = request('READ_SIGN', [Command.ReadSign], 3)
export const getParameter = (id: number): Request => request('GET_PARAMETER', [Command.GetParameter, id], 1)
export const universal = (instruction: readonly [number, number, number, number]): Request =>
  request('UNIVERSAL', [Command.Universal, ...instruction], 1)

/** `address` in bytes; it travels in words, low byte first, for flash and EEPROM alike. Even, below 128 KiB. */
export function loadAddress(address: number): Request {
  if (address % 2 !== 0 || address < 0 || address > 0x1_fffe)
    throw new FlashError('bug', { during: `LOAD_ADDRESS of ${String(address)}` })
  return request(
    'LOAD_ADDRESS',
    new ByteWriter()
      .u8(Command.LoadAddress)
      .u16le(address / 2)
      .done(),
  )
}

/** LOAD_ADDRESS reaches 128 KiB; larger chips are told the bank before (ISP's Load Extended Address Byte). */
export function seek(address: number, flashBytes: number): readonly Request[] {
  const bank = flashBytes > 0x2_0000 ? [universal([0x4d, 0, address >>> 17, 0])] : []
  return [...bank, loadAddress(address & 0x1_ffff)]
}

export const progPage = (memType: MemType, bytes: Uint8Array): Request =>
  request(
    'PROG_PAGE',
    new ByteWriter().u8(Command.ProgPage).u16be(bytes.length).u8(memType).bytes(bytes).done(),
  )

export const readPage = (memType: MemType, length: number): Request =>
  request('READ_PAGE', new ByteWriter().u8(Command.ReadPage).u16be(length).u8(memType).done(), length)

/** What SET_DEVICE says of a chip, as far as anybody listens: ArduinoISP takes the sizes and the reset level. */
export interface DeviceParameters {
  /** AVR061's device code; from 0xe0 on RESET is active high (AT89S). */
  readonly deviceCode: number
  readonly pageBytes: number
  readonly eepromBytes: number
  readonly flashBytes: number
}

export const deviceParameters = (part: AvrPart): DeviceParameters => ({
  deviceCode: part.stk500 ?? 0,
  pageBytes: part.flash.pageBytes,
  eepromBytes: part.eeprom.bytes,
  flashBytes: part.flash.bytes,
})

/** SET_DEVICE: 20 bytes; sizes are big-endian, unlike LOAD_ADDRESS. */
export function setDevice({ deviceCode, pageBytes, eepromBytes, flashBytes }: DeviceParameters): Request {
  const writer = new ByteWriter().u8(Command.SetDevice).u8(deviceCode)
  writer.bytes([0, 0, 1, 1, 1, 1, 3]) // revision, serial and parallel, parallel mode, polling, self-timed, lock, fuses
  writer.bytes([0xff, 0xff, 0xff, 0xff]) // flash and EEPROM poll values
  writer.u16be(pageBytes).u16be(eepromBytes).u32be(flashBytes)
  return request('SET_DEVICE', writer.done())
}

/** The inverse, from the 20 bytes after the command. */
export function parseDevice(bytes: Uint8Array): DeviceParameters {
  const reader = new ByteReader(bytes, 'parsing SET_DEVICE')
  const deviceCode = reader.u8()
  reader.bytes(11)
  return { deviceCode, pageBytes: reader.u16be(), eepromBytes: reader.u16be(), flashBytes: reader.u32be() }
}

const refusals: Readonly<Record<number, string>> = {
  [Reply.Failed]: 'Resp_STK_FAILED',
  [Reply.Unknown]: 'Resp_STK_UNKNOWN',
  [Reply.NoDevice]: 'Resp_STK_NODEVICE',
  [Reply.NoSync]: 'Resp_STK_NOSYNC',
}

/** Throws unless `found` is the reply that must stand here: `device-refused` for a refusal, else `unexpected-answer`. */
export function expectReply(expected: number, found: number, { name, bytes }: Request): void {
  if (found === expected) return
  const status = refusals[found]
  if (status !== undefined) throw new FlashError('device-refused', { during: name, status })
  throw new FlashError('unexpected-answer', {
    during: name,
    sent: hexBytes(bytes.subarray(0, 8)),
    found: hex(found),
  })
}
