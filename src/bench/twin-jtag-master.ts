/**
 * What a probe's firmware does at its JTAG wires: one of a chain chosen, the others in BYPASS, and the registers of its debug
 * port scan by scan. Sources: ARM-software/CMSIS-DAP, `Firmware/Source/JTAG_DP.c`; IEEE 1149.1, 6.1; Arm IHI 0031
 * (ADIv5.2), B3.2 (JTAG-DP).
 */
import { Ack } from './twin-swd.ts'
import type { TwinJtag } from './twin-jtag.ts'

const Instruction = { Abort: 0x8, Dpacc: 0xa, Apacc: 0xb, Idcode: 0xe } as const
/** As it comes; a fault has none of its own. */
const acks: Readonly<Record<number, Ack>> = { 2: Ack.Ok, 1: Ack.Wait }

export interface Accessed {
  readonly ack: Ack
  /** What the access before asked for. */
  readonly value: number
}

export class JtagMaster {
  /** Since somebody counted. */
  clocks = 0
  readonly #jtag: TwinJtag | undefined
  /** Of their instructions, that next to TDO first. */
  #lengths: readonly number[] = []
  #index = 0
  #instruction: number | undefined

  /** Undefined: nothing is connected, and its input is pulled up. */
  constructor(jtag: TwinJtag | undefined) {
    this.#jtag = jtag
  }

  get taps(): number {
    return this.#lengths.length
  }

  configure(lengths: readonly number[]): void {
    this.#lengths = lengths
    this.select(0)
  }

  /** By its place from TDO. */
  select(index: number): void {
    this.#index = index
    this.#instruction = undefined
  }

  clock(tms: number, tdi = 1): number {
    this.clocks++
    return this.#jtag?.clock(tms, tdi) ?? 1
  }

  /** On TMS, whatever it does to the chain. */
  sequence(bits: Uint8Array, count: number): void {
    for (let i = 0; i < count; i++) this.clock(((bits[i >> 3] ?? 0) >> (i & 7)) & 1)
    this.#instruction = undefined
  }

  /** To Test-Logic-Reset, and to rest. */
  reset(): void {
    for (let i = 0; i < 5; i++) this.clock(1)
    this.clock(0)
    this.#instruction = undefined
  }

  /** After a reset: what all of the chain say of themselves, until only ones come. */
  idcodes(most: number): number[] {
    this.reset()
    this.#walk(1, 0, 0)
    const found: number[] = []
    let isEnd = false
    while (found.length < most && !isEnd) {
      if (this.clock(0) === 0) {
        found.push(0)
        continue
      }
      let idcode = 1
      for (let bit = 1; bit < 32; bit++) idcode |= this.clock(0) << bit
      isEnd = idcode >>> 0 === 0xffff_ffff
      if (!isEnd) found.push(idcode >>> 0)
    }
    this.#walk(1, 1, 0)
    return found
  }

  idcode(): number {
    this.#instruct(Instruction.Idcode)
    this.#walk(1, 0, 0)
    for (let i = 0; i < this.#index; i++) this.clock(0)
    let idcode = 0
    for (let bit = 0; bit < 32; bit++) idcode |= this.clock(this.#isLast(bit, 32), 0) << bit
    this.#leave()
    return idcode >>> 0
  }

  /** One that is told to wait ends there: what would be shifted in is not heard. */
  access(isAp: boolean, address: number, write?: number): Accessed {
    this.#instruct(isAp ? Instruction.Apacc : Instruction.Dpacc)
    this.#walk(1, 0, 0)
    for (let i = 0; i < this.#index; i++) this.clock(0)
    const request = (address >> 1) | (write === undefined ? 1 : 0)
    let acknowledged = 0
    for (let bit = 0; bit < 3; bit++) acknowledged |= this.clock(0, (request >> bit) & 1) << bit
    const ack = acks[acknowledged] ?? Ack.None
    if (ack !== Ack.Ok) {
      this.#walk(1, 1, 0)
      return { ack, value: 0 }
    }
    return { ack, value: this.#data(write ?? 0) }
  }

  /** Its own register, which has no acknowledge. */
  abort(word: number): void {
    this.#instruct(Instruction.Abort)
    this.#walk(1, 0, 0)
    for (let i = 0; i < this.#index + 3; i++) this.clock(0, 0)
    this.#data(word)
  }

  #instruct(instruction: number): void {
    if (this.#instruction === instruction) return
    this.#instruction = instruction
    this.#walk(1, 1, 0, 0)
    const bits = this.#lengths.flatMap((length, at) =>
      Array.from({ length }, (_, bit) => (at === this.#index ? (instruction >> bit) & 1 : 1)),
    )
    bits.forEach((bit, i) => this.clock(i === bits.length - 1 ? 1 : 0, bit))
    this.#walk(1, 0)
  }

  #data(word: number): number {
    let value = 0
    for (let bit = 0; bit < 32; bit++) value |= this.clock(this.#isLast(bit, 32), (word >>> bit) & 1) << bit
    this.#leave()
    return value >>> 0
  }

  /** Those behind it have a bit each. */
  get #behind(): number {
    return this.#lengths.length - 1 - this.#index
  }

  #isLast = (bit: number, of: number): number => (bit === of - 1 && this.#behind <= 0 ? 1 : 0)

  /** Out of the shifting, over what is behind. */
  #leave(): void {
    for (let left = this.#behind; left > 0; left--) this.clock(left === 1 ? 1 : 0)
    this.#walk(1, 0)
  }

  #walk(...bits: readonly number[]): void {
    for (const tms of bits) this.clock(tms)
  }
}
