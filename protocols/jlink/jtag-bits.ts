/**
 * Scans of a JTAG chain as bits on TMS and TDI, and what came on TDO. The chain rests in Run-Test/Idle between them.
 * Sources: IEEE 1149.1, 6.1 (TAP controller) and 8 (BYPASS); Arm IHI 0031 (ADIv5.2), B3.2 (JTAG-DP).
 */
import type { Bits } from './packets.ts'
import { bitsAt } from './swd-bits.ts'

export const Instruction = { Abort: 0x8, Dpacc: 0xa, Apacc: 0xb } as const
export type Instruction = (typeof Instruction)[keyof typeof Instruction]

export const dpInstructionBits = 4
const accessBits = 35
const dataBits = 32
export const idleBits = 8

/** Where the debug port is in its chain; others are in BYPASS, with one bit each. */
export interface Place {
  /** Nearer to TDO: what comes out before. */
  readonly tapsBefore: number
  readonly instructionBitsBefore: number
  readonly tapsBehind: number
  readonly instructionBitsBehind: number
}

export class Scans implements Bits {
  count = 0
  readonly a: Uint8Array
  readonly b: Uint8Array

  constructor(most: number) {
    this.a = new Uint8Array(Math.ceil(most / 8))
    this.b = new Uint8Array(Math.ceil(most / 8))
  }

  clock(tms: number, tdi = 1): this {
    const [at, mask] = [this.count >> 3, 1 << (this.count & 7)]
    if (tms) this.a[at] = (this.a[at] ?? 0) | mask
    if (tdi) this.b[at] = (this.b[at] ?? 0) | mask
    this.count++
    return this
  }

  idle(clocks: number): this {
    for (let i = 0; i < clocks; i++) this.clock(0)
    return this
  }

  /** To Test-Logic-Reset from everywhere, and to rest. */
  reset(): this {
    for (let i = 0; i < 6; i++) this.clock(1)
    return this.idle(1)
  }

  /** Gives where its first bit comes out. */
  instruction(bits: readonly number[]): number {
    this.clock(1).clock(1).clock(0).clock(0)
    return this.#shift(bits)
  }

  /** The same. */
  register(bits: readonly number[]): number {
    this.clock(1).clock(0).clock(0)
    return this.#shift(bits)
  }

  #shift(bits: readonly number[]): number {
    const from = this.count
    for (const [i, bit] of bits.entries()) this.clock(i === bits.length - 1 ? 1 : 0, bit)
    this.clock(1).clock(0)
    return from
  }
}

const ones = (count: number): number[] => Array<number>(count).fill(1)
const lowestFirst = (value: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (value >>> i) & 1)

export const instructionFor = (instruction: Instruction, place: Place): number[] => [
  ...ones(place.instructionBitsBefore),
  ...lowestFirst(instruction, dpInstructionBits),
  ...ones(place.instructionBitsBehind),
]

/** RnW, A[3:2], and the word. */
export const accessFor = (address: number, write: number | undefined, place: Place): number[] => [
  ...ones(place.tapsBefore),
  ...lowestFirst((address >> 1) | (write === undefined ? 1 : 0), accessBits - dataBits),
  ...lowestFirst(write ?? 0, dataBits),
  ...ones(place.tapsBehind),
]

/** What one scan of an instruction and one of a register take at most. */
export const scanBits = (place: Place): number =>
  6 +
  dpInstructionBits +
  place.instructionBitsBefore +
  place.instructionBitsBehind +
  5 +
  accessBits +
  place.tapsBefore +
  place.tapsBehind

/** What a scan brought that began there: the acknowledge, and the word of the request before. */
export function answerFrom(sampled: Uint8Array, from: number, place: Place): { ack: number; word: number } {
  const at = from + place.tapsBefore
  return { ack: bitsAt(sampled, at, 3), word: bitsAt(sampled, at + 3, dataBits) }
}
