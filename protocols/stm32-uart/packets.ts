/**
 * The serial protocol of ST's ROM boot loader as bytes, no I/O. A command is its code and the complement; what follows it
 * ends with the xor of itself; each part is acknowledged. Source: ST, AN3155.
 */
import { ByteWriter } from '#core/bytes.ts'

export const Command = {
  Get: 0x00,
  GetVersion: 0x01,
  GetId: 0x02,
  ReadMemory: 0x11,
  Go: 0x21,
  WriteMemory: 0x31,
  Erase: 0x43,
  ExtendedErase: 0x44,
  WriteProtect: 0x63,
  WriteUnprotect: 0x73,
  ReadoutProtect: 0x82,
  ReadoutUnprotect: 0x92,
} as const
export type Command = (typeof Command)[keyof typeof Command]

export const Reply = { Ack: 0x79, Nack: 0x1f, Busy: 0x76 } as const

/** The first byte after a reset: from its bits the ROM measures the speed. */
export const autobaud = 0x7f
/** Of one Read Memory or Write Memory. */
export const mostBytes = 256
/** Instead of a number of pages: all. */
export const allPages = { short: 0xff, extended: 0xffff } as const

export const xor = (bytes: Iterable<number>): number => {
  let sum = 0
  for (const byte of bytes) sum ^= byte
  return sum
}

/** How Get lists what it always offers, and then one of the two ways to erase. */
const offered = [
  ...[Command.Get, Command.GetVersion, Command.GetId, Command.ReadMemory, Command.Go, Command.WriteMemory],
]
export const offers = [Command.Erase, Command.ExtendedErase].map((erase) =>
  String.fromCharCode(...offered, erase),
)

const checked = (bytes: Uint8Array): Uint8Array => new ByteWriter().bytes(bytes).u8(xor(bytes)).done()

export const command = (code: number): Uint8Array => Uint8Array.of(code, code ^ 0xff)
export const addressed = (address: number): Uint8Array => checked(new ByteWriter().u32be(address).done())
/** `count`: 1 to 256. */
export const readCount = (count: number): Uint8Array => command(count - 1)
/** 1 to 256 bytes; flash takes multiples of 4, of newer chips 8. */
export const data = (bytes: Uint8Array): Uint8Array =>
  checked(
    new ByteWriter()
      .u8(bytes.length - 1)
      .bytes(bytes)
      .done(),
  )

/** What follows Erase, or Extended Erase: numbers of pages. */
export function pages(numbers: readonly number[], isExtended: boolean): Uint8Array {
  const writer = new ByteWriter()
  const add = isExtended ? writer.u16be : (value: number) => writer.u8(value)
  add(numbers.length - 1)
  for (const number of numbers) add(number)
  return checked(writer.done())
}
