/**
 * Accesses by JTAG as bits, and what was sampled as answers. Sources: IEEE 1149.1, 8 (BYPASS); Arm IHI 0031 (ADIv5.2), B3.2
 * (JTAG-DP).
 */
import { bitsAt, dpInstructionBits, type Place } from '#chips/jtag-chain.ts'

export const Instruction = { Abort: 0x8, Dpacc: 0xa, Apacc: 0xb } as const
export type Instruction = (typeof Instruction)[keyof typeof Instruction]

const accessBits = 35
const dataBits = 32
export const idleBits = 8

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
