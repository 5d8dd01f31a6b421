/**
 * AVR109 as Caterina speaks it: one byte of command, its operands, and an answer without a frame. Addresses and sizes are
 * big-endian; flash is addressed by words, EEPROM by bytes. What a loader does not know it answers with `?`.
 * Sources: Atmel's AVR109 (3, "Commands"); ArduinoCore-avr, `Caterina.c`.
 */
import { ByteWriter } from '#core/bytes.ts'

export const Command = {
  SoftwareId: 0x53, // S
  SoftwareVersion: 0x56, // V
  BlockSupport: 0x62, // b
  Signature: 0x73, // s
  LockBits: 0x72, // r
  LowFuse: 0x46, // F
  HighFuse: 0x4e, // N
  ExtendedFuse: 0x51, // Q
  SetAddress: 0x41, // A
  WriteBlock: 0x42, // B
  ReadBlock: 0x67, // g
  Exit: 0x45, // E
} as const

export const Reply = { Ok: 0x0d, Unknown: 0x3f, Yes: 0x59 } as const

export const MemType = { Flash: 0x46, Eeprom: 0x45 } as const
export type MemType = (typeof MemType)[keyof typeof MemType]

/** A command, and how many bytes answer it. */
export interface Request {
  /** As the document calls it. */
  readonly name: string
  readonly bytes: Uint8Array
  readonly answerBytes: number
}

const request = (name: string, answerBytes: number, ...bytes: readonly number[]): Request => ({
  ...{ name, answerBytes },
  bytes: Uint8Array.from(bytes),
})

export const softwareId = request('S (software identifier)', 7, Command.SoftwareId)
export const softwareVersion = request('V (software version)', 2, Command.SoftwareVersion)
export const blockSupport = request('b (block support)', 3, Command.BlockSupport)
/** Last byte first. */
export const readSignature = request('s (signature)', 3, Command.Signature)
/** Low, high, extended. */
export const readFuses = [
  request('F (low fuse)', 1, Command.LowFuse),
  request('N (high fuse)', 1, Command.HighFuse),
  request('Q (extended fuse)', 1, Command.ExtendedFuse),
] as const
export const readLock = request('r (lock bits)', 1, Command.LockBits)
export const exit = request('E (exit)', 1, Command.Exit)

/** In bytes; of flash an even one. */
export function setAddress(memory: MemType, address: number): Request {
  const counted = memory === MemType.Flash ? address >> 1 : address
  return request('A (set address)', 1, Command.SetAddress, counted >> 8, counted & 0xff)
}

export const readBlock = (memory: MemType, length: number): Request =>
  request('g (read block)', length, Command.ReadBlock, length >> 8, length & 0xff, memory)

/** Of flash one whole page, which is erased first. */
export const writeBlock = (memory: MemType, bytes: Uint8Array): Request => ({
  name: 'B (write block)',
  answerBytes: 1,
  bytes: new ByteWriter().u8(Command.WriteBlock).u16be(bytes.length).u8(memory).bytes(bytes).done(),
})
