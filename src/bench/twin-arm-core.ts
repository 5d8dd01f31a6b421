/**
 * The registers of an Armv7-M core and what instructions do with them: flags, shifts, memory, branches, IT blocks.
 *
 * What the instructions are is in `twin-thumb.ts` and `twin-thumb2*.ts`, after the Armv7-M Architecture Reference
 * Manual (DDI 0403). There are no exceptions here: a fault is thrown, and whoever runs the core locks it up.
 */
import type { ArmBus, Width } from './twin-arm-bus.ts'

/** What ends a program that has no handlers; the names are those of the manual's status bits. */
export type FaultKind = 'undefined' | 'invalid-state' | 'bus' | 'unaligned' | 'divide' | 'call'

export class ArmFault extends Error {
  readonly kind: FaultKind

  constructor(kind: FaultKind) {
    super(kind)
    this.kind = kind
  }
}

/** BKPT: the core stays on it. */
export class ArmBreakpoint extends Error {}

export class ArmCore {
  readonly bus: ArmBus
  /** While an instruction runs, 13 is the SP in use and 15 its own address + 4. */
  readonly r = new Uint32Array(16)
  /** Of the instruction that runs, or comes next. */
  pc = 0
  /** Where it goes on. */
  next = 0
  n = 0
  z = 0
  c = 0
  v = 0
  /** EPSR.T: without it nothing can run. */
  isThumb = true
  ipsr = 0
  /** ITSTATE. */
  it = 0
  /** The instruction that runs is in an IT block: the short forms leave the flags alone. */
  inIt = false
  primask = 0
  faultmask = 0
  basepri = 0
  /** Since it last started, roughly: memory takes two, a taken branch three. */
  cycles = 0
  /** How often it has written to memory. */
  stores = 0
  /** WFI: no interrupt is modelled, so it sleeps until it is reset or halted. */
  isAsleep = false
  /** LDREX was, and nothing has used it up yet. */
  isExclusive = false
  #control = 0
  /** The SP that is not in use. */
  #otherSp = 0

  constructor(bus: ArmBus) {
    this.bus = bus
  }

  get control(): number {
    return this.#control
  }

  set control(value: number) {
    if ((value ^ this.#control) & 2) [this.r[13], this.#otherSp] = [this.#otherSp, this.reg(13)]
    this.#control = value & 3
  }

  get msp(): number {
    return this.#control & 2 ? this.#otherSp : this.reg(13)
  }

  set msp(value: number) {
    if (this.#control & 2) this.#otherSp = value & ~3
    else this.r[13] = value & ~3
  }

  get psp(): number {
    return this.#control & 2 ? this.reg(13) : this.#otherSp
  }

  set psp(value: number) {
    if (this.#control & 2) this.r[13] = value & ~3
    else this.#otherSp = value & ~3
  }

  get xpsr(): number {
    const flags = (this.n << 31) | (this.z << 30) | (this.c << 29) | (this.v << 28)
    const it = ((this.it & 3) << 25) | ((this.it & 0xfc) << 8)
    return (flags | it | (this.isThumb ? 1 << 24 : 0) | this.ipsr) >>> 0
  }

  set xpsr(value: number) {
    this.apsr = value
    this.it = ((value >>> 25) & 3) | ((value >>> 8) & 0xfc)
    this.isThumb = (value & (1 << 24)) !== 0
    this.ipsr = value & 0x1ff
  }

  set apsr(value: number) {
    this.n = value >>> 31
    this.z = (value >>> 30) & 1
    this.c = (value >>> 29) & 1
    this.v = (value >>> 28) & 1
  }

  /** As after reset, with what its vectors say. */
  reset(sp: number, entry: number): void {
    this.r.fill(0)
    this.#control = 0
    this.#otherSp = 0
    this.r[13] = sp & ~3
    this.r[14] = 0xffff_ffff
    this.xpsr = (entry & 1) << 24
    this.pc = this.next = (entry & ~1) >>> 0
    this.primask = this.faultmask = this.basepri = 0
    this.isAsleep = this.isExclusive = false
  }

  reg(index: number): number {
    return this.r[index] ?? 0
  }

  /** Writing the PC with the result of an operation branches, whatever bit 0 is (ALUWritePC). */
  set(index: number, value: number): void {
    if (index === 15) this.branch(value)
    else if (index === 13) this.r[13] = value & ~3
    else this.r[index] = value
  }

  /** What was loaded: into the PC it says by bit 0 that it is Thumb code (LoadWritePC). */
  setLoaded(index: number, value: number): void {
    if (index === 15) this.branchExchange(value)
    else this.set(index, value)
  }

  branch(address: number): void {
    this.next = (address & ~1) >>> 0
    this.cycles += 2
  }

  branchExchange(address: number): void {
    this.isThumb = (address & 1) !== 0
    this.branch(address)
  }

  /** LR of a call, from the address of what comes after it. */
  link(address: number): void {
    this.r[14] = address | 1
  }

  setNz(result: number): void {
    this.n = result >>> 31
    this.z = (result | 0) === 0 ? 1 : 0
  }

  /** AddWithCarry; subtracts with the inverse and carry 1. */
  add(a: number, b: number, carry: number, setsFlags: boolean): number {
    const x = a >>> 0
    const y = b >>> 0
    const sum = x + y + carry
    const result = sum >>> 0
    if (setsFlags) {
      this.setNz(result)
      this.c = sum > 0xffff_ffff ? 1 : 0
      this.v = ((x ^ result) & (y ^ result)) >>> 31
    }
    return result
  }

  /** The carry out of the last `shift` or `expandImmediate`. */
  shifted = 0

  /** Shift_C: LSL, LSR, ASR, ROR by `amount`, of which 0 changes nothing. */
  shift(value: number, type: number, amount: number): number {
    this.shifted = this.c
    if (amount === 0) return value >>> 0
    const bitAt = (index: number) => (index >= 0 && index < 32 ? (value >>> index) & 1 : 0)
    switch (type) {
      case 0:
        this.shifted = bitAt(32 - amount)
        return amount > 31 ? 0 : (value << amount) >>> 0
      case 1:
        this.shifted = bitAt(amount - 1)
        return amount > 31 ? 0 : value >>> amount
      case 2:
        this.shifted = bitAt(Math.min(amount - 1, 31))
        return (value >> Math.min(amount, 31)) >>> 0
      default: {
        const turned = (value >>> (amount & 31)) | (value << (-amount & 31))
        this.shifted = turned >>> 31
        return turned >>> 0
      }
    }
  }

  /** With the amount as an instruction has it (DecodeImmShift): 0 is 32, or RRX. */
  shiftImmediate(value: number, type: number, amount: number): number {
    if (type === 3 && amount === 0) {
      this.shifted = value & 1
      return ((this.c << 31) | (value >>> 1)) >>> 0
    }
    return this.shift(value, type, type !== 0 && amount === 0 ? 32 : amount)
  }

  /** ThumbExpandImm_C. */
  expandImmediate(imm12: number): number {
    this.shifted = this.c
    const byte = imm12 & 0xff
    if (imm12 >>> 10) return this.shift(0x80 | (imm12 & 0x7f), 3, imm12 >>> 7)
    return [byte, byte * 0x1_0001, byte * 0x100_0100, byte * 0x101_0101][imm12 >>> 8] ?? 0
  }

  /** Whether `condition` (0 EQ to 14 AL) holds. */
  passes(condition: number): boolean {
    const isInverted = (condition & 1) !== 0 && condition !== 15
    return this.#holds(condition >> 1) !== isInverted
  }

  #holds(pair: number): boolean {
    switch (pair) {
      case 0:
        return this.z === 1
      case 1:
        return this.c === 1
      case 2:
        return this.n === 1
      case 3:
        return this.v === 1
      case 4:
        return this.c === 1 && this.z === 0
      case 5:
        return this.n === this.v
      case 6:
        return this.n === this.v && this.z === 0
      default:
        return true
    }
  }

  load(address: number, width: Width): number {
    const at = address >>> 0
    this.cycles++
    if (at & (width - 1)) return this.#loadUnaligned(at, width)
    return this.bus.read(at, width) ?? fail('bus')
  }

  store(address: number, width: Width, value: number): void {
    const at = address >>> 0
    this.cycles++
    this.stores++
    if (at & (width - 1)) {
      for (let i = 0; i < width; i++) this.store(at + i, 1, (value >>> (8 * i)) & 0xff)
      return
    }
    const cut = width === 4 ? value >>> 0 : value & (width === 2 ? 0xffff : 0xff)
    if (!this.bus.write(at, width, cut)) fail('bus')
  }

  #loadUnaligned(address: number, width: Width): number {
    let value = 0
    for (let i = 0; i < width; i++) value |= this.load(address + i, 1) << (8 * i)
    return value >>> 0
  }

  /** Multiple and double transfers must be aligned. */
  aligned(address: number): number {
    if (address & 3) fail('unaligned')
    return address >>> 0
  }

  /** Next of the IT block. */
  advanceIt(): void {
    this.it = this.it & 7 ? (this.it & 0xe0) | ((this.it << 1) & 0x1f) : 0
  }
}

export function fail(kind: FaultKind): never {
  throw new ArmFault(kind)
}

export const signExtend = (value: number, bits: number): number => (value << (32 - bits)) >> (32 - bits)
