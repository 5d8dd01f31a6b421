/**
 * The AVR serial programming instructions as four bytes each; the answer, if any, is the fourth byte that
 * comes back. Addresses in bytes; the chip counts flash in words. Source: data sheets, "Serial Programming
 * Instruction Set"; opcode strings of `avrdude.conf` for what differs between chips.
 */
import type { FuseByte } from './avr-fuses.ts'
import type { Instruction } from './isp-master.ts'

export const eraseChip: Instruction = [0xac, 0x80, 0, 0]

/** Bit 0 of the answer: busy. Not on older chips. */
export const pollReady: Instruction = [0xf0, 0, 0, 0]

export const readSignature = (index: number): Instruction => [0x30, 0, index, 0]
export const readCalibration = (index: number): Instruction => [0x38, 0, index, 0]

const fuseReads: Readonly<Record<FuseByte, Instruction>> = {
  low: [0x50, 0x00, 0, 0],
  high: [0x58, 0x08, 0, 0],
  extended: [0x50, 0x08, 0, 0],
}
const fuseWrites: Readonly<Record<FuseByte, number>> = { low: 0xa0, high: 0xa8, extended: 0xa4 }
export const readFuse = (byte: FuseByte): Instruction => fuseReads[byte]
export const writeFuse = (byte: FuseByte, value: number): Instruction => [0xac, fuseWrites[byte], 0, value]

export const readLock: Instruction = [0x58, 0, 0, 0]
/** Bits that are 1 stay as they are. */
export const writeLock = (value: number): Instruction => [0xac, 0xe0, 0, value | 0xc0]

/** Which 128 KiB the following flash reads and page writes mean; only on chips with more than that. */
export const loadExtendedAddress = (address: number): Instruction => [0x4d, 0, bankOf(address), 0]
export const bankOf = (address: number): number => address >> 17

const word = (address: number): [number, number] => [(address >> 9) & 0xff, (address >> 1) & 0xff]
export const readFlash = (address: number): Instruction => [address & 1 ? 0x28 : 0x20, ...word(address), 0]
/** `offset` within the page; the low byte of a word goes before the high one. */
export const loadFlash = (offset: number, value: number): Instruction => [
  offset & 1 ? 0x48 : 0x40,
  0,
  offset >> 1,
  value,
]
export const writeFlashPage = (address: number): Instruction => [0x4c, ...word(address), 0]

const split = (address: number): [number, number] => [(address >> 8) & 0xff, address & 0xff]
export const readEeprom = (address: number): Instruction => [0xa0, ...split(address), 0]
export const writeEeprom = (address: number, value: number): Instruction => [0xc0, ...split(address), value]
export const loadEeprom = (offset: number, value: number): Instruction => [0xc1, 0, offset, value]
export const writeEepromPage = (address: number): Instruction => [0xc2, ...split(address), 0]
