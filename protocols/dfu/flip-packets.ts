/**
 * The commands of Atmel's boot loaders (FLIP), which travel in the blocks of DFU, and what they answer: numbers and byte
 * layouts, no I/O. Sources: LUFA, `BootloaderDFU.c`; ArduinoCore-avr, `Arduino-usbdfu.c`; dfu-programmer 0.6.1, `atmel.c`.
 */
import { ByteReader, ByteWriter, concat } from '#core/bytes.ts'

export const Command = {
  Program: 0x01,
  Read: 0x03,
  Write: 0x04,
  Info: 0x05,
  Select: 0x06,
} as const

/** What PROGRAM and READ are told to work on; BLANK_CHECK is READ's. */
export const Target = {
  ReadFlash: 0,
  BlankCheck: 1,
  ReadEeprom: 2,
  ProgramFlash: 0,
  ProgramEeprom: 1,
} as const

/** Of the answer's one byte. Not every loader knows the third byte of its signature at 32, or the family at 31. */
export const Info = {
  Version: [0x00, 0x00],
  Manufacturer: [0x01, 0x30],
  Family: [0x01, 0x31],
  Third: [0x01, 0x32],
} as const
export type Info = (typeof Info)[keyof typeof Info]

/** The first signature byte of every AVR; at 30, where Atmel's loaders have their own code, it says that all three follow. */
export const avrManufacturer = 0x1e
export const atmelManufacturer = 0x58

/** Addresses have 16 bits; larger memories are reached 64 KiB at a time. */
export const selectableBytes = 0x1_0000
/** So much may be programmed or read at once, as dfu-programmer does. */
export const mostBytes = 1024
/** Data begin with a packet of endpoint 0, behind as many bytes as the address is beyond a multiple of it. */
export const packetBytes = 32
export const suffixBytes = 16

const range = (command: number, target: number, address: number, length: number): ByteWriter =>
  new ByteWriter()
    .u8(command)
    .u8(target)
    .u16be(address & 0xffff)
    .u16be((address + length - 1) & 0xffff)

export const readInfo = ([group, index]: Info): Uint8Array => Uint8Array.of(Command.Info, group, index)

export const read = (memory: 'flash' | 'eeprom', address: number, length: number): Uint8Array =>
  range(Command.Read, memory === 'flash' ? Target.ReadFlash : Target.ReadEeprom, address, length).done()

export const blankCheck = (address: number, length: number): Uint8Array =>
  range(Command.Read, Target.BlankCheck, address, length).done()

/** The checksum is not looked at; without vendor, product and version. */
const suffix = Uint8Array.of(0, 0, 0, 0, 16, 0x44, 0x46, 0x55, 0x01, 0x10, 255, 255, 255, 255, 255, 255)

/** `address`: a multiple of `packetBytes`, where all loaders agree on where the data begin. */
export function program(memory: 'flash' | 'eeprom', address: number, bytes: Uint8Array): Uint8Array {
  const target = memory === 'flash' ? Target.ProgramFlash : Target.ProgramEeprom
  const head = range(Command.Program, target, address, bytes.length).done()
  return concat(head, new Uint8Array(packetBytes - head.length), bytes, suffix)
}

export const eraseAll = Uint8Array.of(Command.Write, 0x00, 0xff)
/** By the watchdog, as after any reset; the empty block that follows begins it. */
export const startByReset = Uint8Array.of(Command.Write, 0x03, 0x00)

/** In the form that all loaders know. */
export const selectPage = (page: number): Uint8Array => Uint8Array.of(Command.Select, 0x03, 0x00, page)

/** What a PROGRAM or READ is for; the end is included. */
export interface Addressed {
  readonly target: number
  readonly start: number
  readonly end: number
}

/** Undefined: it is too short to be one. */
export function parseAddressed(block: Uint8Array): Addressed | undefined {
  if (block.length < 6) return undefined
  const reader = new ByteReader(block)
  reader.u8()
  return { target: reader.u8(), start: reader.u16be(), end: reader.u16be() }
}
