/**
 * Scans of a JTAG chain as bits on TMS and TDI, and what came on TDO; the chain rests in Run-Test/Idle between them. And
 * who is in it. Sources: IEEE 1149.1, 6.1 (TAP controller), 8 (BYPASS) and 12.1 (IDCODE); Arm IHI 0031 (ADIv5.2), B5.2
 * (from SWD to JTAG).
 */
import { hex } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'

/** Of a debug port. */
export const dpInstructionBits = 4
const idcodeBits = 32
const mostTaps = 8
const mostInstructionBits = 64
/** Of Arm, whatever the part and its version. */
export const isDebugPort = (idcode: number): boolean => (idcode & 0xfff) === 0x477

/** From SWD, where the wires were that: fifty ones and sixteen bits on TMS. */
const swdToJtag = [...Array<number>(56).fill(1), ...[0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1]]

/** Where the debug port is in its chain; others are in BYPASS, with one bit each. */
export interface Place {
  /** Nearer to TDO: what comes out before. */
  readonly tapsBefore: number
  readonly instructionBitsBefore: number
  readonly tapsBehind: number
  readonly instructionBitsBehind: number
}

export interface InChain {
  readonly idcode: number
  readonly place: Place
}

export class Scans {
  count = 0
  readonly tms: Uint8Array
  readonly tdi: Uint8Array

  constructor(most: number) {
    this.tms = new Uint8Array(Math.ceil(most / 8))
    this.tdi = new Uint8Array(Math.ceil(most / 8))
  }

  clock(tms: number, tdi = 1): this {
    const [at, mask] = [this.count >> 3, 1 << (this.count & 7)]
    if (tms) this.tms[at] = (this.tms[at] ?? 0) | mask
    if (tdi) this.tdi[at] = (this.tdi[at] ?? 0) | mask
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

/**
 * Who is in the chain, and where among them the debug port, whatever the wires were before. Undefined: nobody, or none.
 * @throws `target-unknown` with more neighbours than one: how long each one's instructions are, nobody can tell
 */
export async function findInChain(
  sample: (scans: Scans) => Promise<Uint8Array>,
): Promise<InChain | undefined> {
  const scans = new Scans(1024)
  for (const tms of swdToJtag) scans.clock(tms)
  scans.reset()
  const idcodesAt = scans.register(Array<number>((mostTaps + 1) * idcodeBits).fill(1))
  // what was captured, then a zero among ones that shows how long all instructions are
  const flood = mostInstructionBits
  const marked = Array.from({ length: 2 * flood }, (_, i) => (i === flood ? 0 : 1))
  const instructionsAt = scans.instruction(marked) + flood
  const sampled = await sample(scans.reset())
  const taps = idcodesIn(sampled, idcodesAt)
  let length = 0
  while (length < flood && bitsAt(sampled, instructionsAt + length, 1) === 1) length++
  const at = taps.findIndex(isDebugPort)
  const idcode = taps[at]
  if (idcode === undefined) return undefined
  const others = length - dpInstructionBits
  const isAlone = taps.length === 1 && others === 0
  if (length >= flood || (!isAlone && taps.length !== 2))
    throw new FlashError('target-unknown', { signature: taps.map((tap) => hex(tap, 8)).join(', ') })
  const place = {
    ...{ tapsBefore: at, tapsBehind: taps.length - 1 - at },
    ...{ instructionBitsBefore: at > 0 ? others : 0, instructionBitsBehind: at > 0 ? 0 : others },
  }
  return { idcode, place }
}

/** In the order in which they come out; one without IDCODE is a zero. All ones: the chain has ended. */
function idcodesIn(sampled: Uint8Array, from: number): number[] {
  const taps: number[] = []
  for (let at = from; taps.length < mostTaps;) {
    const idcode = bitsAt(sampled, at, 1) === 1 ? bitsAt(sampled, at, idcodeBits) : 0
    if (idcode === 0xffff_ffff) return taps
    taps.push(idcode)
    at += idcode === 0 ? 1 : idcodeBits
  }
  return []
}

/** Of a row of bits, the lowest of the first byte first. */
export function bitsAt(bytes: Uint8Array, from: number, count: number): number {
  let value = 0
  for (let i = 0; i < count; i++) {
    const at = from + i
    value |= (((bytes[at >> 3] ?? 0) >> (at & 7)) & 1) << i
  }
  return value >>> 0
}
