/** The 32-bit Thumb instructions of Armv7-M that compute: data processing, bit fields, multiply and divide (A5.3). */
import { fail, signExtend, type ArmCore } from './twin-arm-core.ts'
import { reversed } from './twin-thumb-common.ts'

/** AND, BIC, ORR, … with a shifted register. */
export function shiftedRegister(core: ArmCore, a: number, b: number): void {
  const amount = ((b >> 10) & 0x1c) | ((b >> 6) & 3)
  const operand = core.shiftImmediate(core.reg(b & 0xf), (b >> 4) & 3, amount)
  compute(core, a, b, operand)
}

/** The same with a modified immediate. */
export function modifiedImmediate(core: ArmCore, a: number, b: number): void {
  compute(core, a, b, core.expandImmediate(imm12(a, b)))
}

/** i:imm3:imm8. */
const imm12 = (a: number, b: number): number => ((a & 0x400) << 1) | ((b >> 4) & 0x700) | (b & 0xff)

/** Without a destination (Rd 15, flags set) it only compares; without Rn ORR is MOV and ORN is MVN. */
function compute(core: ArmCore, a: number, b: number, operand: number): void {
  const sets = (a & 0x10) !== 0
  const rn = a & 0xf
  const rd = (b >> 8) & 0xf
  const x = core.reg(rn)
  const carry = core.shifted
  const put = (result: number, isLogical: boolean) => {
    if (sets && isLogical) {
      core.setNz(result)
      core.c = carry
    }
    if (rd !== 15) core.set(rd, result)
    else if (!sets) fail('undefined')
  }
  switch ((a >> 5) & 0xf) {
    case 0x0:
      return put(x & operand, true)
    case 0x1:
      return put(x & ~operand, true)
    case 0x2:
      return put(rn === 15 ? operand : x | operand, true)
    case 0x3:
      return put(rn === 15 ? ~operand : x | ~operand, true)
    case 0x4:
      return put(x ^ operand, true)
    case 0x8:
      return put(core.add(x, operand, 0, sets), false)
    case 0xa:
      return put(core.add(x, operand, core.c, sets), false)
    case 0xb:
      return put(core.add(x, ~operand, core.c, sets), false)
    case 0xd:
      return put(core.add(x, ~operand, 1, sets), false)
    case 0xe:
      return put(core.add(~x, operand, 1, sets), false)
  }
  fail('undefined')
}

/** ADDW, SUBW, ADR, MOVW, MOVT, SSAT, USAT, SBFX, UBFX, BFI, BFC. */
export function plainImmediate(core: ArmCore, a: number, b: number): void {
  const rn = a & 0xf
  const rd = (b >> 8) & 0xf
  const x = core.reg(rn)
  const from = rn === 15 ? x & ~3 : x
  const lsb = ((b >> 10) & 0x1c) | ((b >> 6) & 3)
  const last = b & 0x1f
  const imm16 = (rn << 12) | imm12(a, b)
  switch ((a >> 4) & 0x1f) {
    case 0x00:
      return core.set(rd, from + imm12(a, b))
    case 0x0a:
      return core.set(rd, from - imm12(a, b))
    case 0x04:
      return core.set(rd, imm16)
    case 0x0c:
      return core.set(rd, (core.reg(rd) & 0xffff) | (imm16 << 16))
    case 0x10:
    case 0x12:
      return core.set(rd, clamp(shifted(a, x, lsb), -(2 ** last), 2 ** last - 1))
    case 0x18:
    case 0x1a:
      return core.set(rd, clamp(shifted(a, x, lsb), 0, 2 ** last - 1))
    case 0x14:
      return core.set(rd, signExtend(x >>> lsb, last + 1))
    case 0x1c:
      return core.set(rd, (x >>> lsb) & mask(last + 1))
    case 0x16: {
      if (last < lsb) fail('undefined')
      const field = mask(last - lsb + 1) << lsb
      return core.set(rd, (core.reg(rd) & ~field) | ((rn === 15 ? 0 : x << lsb) & field))
    }
  }
  fail('undefined')
}

const mask = (bits: number): number => (bits === 32 ? -1 : 2 ** bits - 1)

/** Of SSAT and USAT: ASR where bit 5 of the first half-word says so. */
const shifted = (a: number, value: number, amount: number): number =>
  a & 0x20 ? (value | 0) >> (amount || 31) : value << amount

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most)

/** LSL, LSR, ASR, ROR by a register, extensions, REV, RBIT, CLZ. */
export function registerOperation(core: ArmCore, a: number, b: number): void {
  if ((b & 0xf000) !== 0xf000) fail('undefined')
  const op1 = (a >> 4) & 0xf
  const op2 = (b >> 4) & 0xf
  const rd = (b >> 8) & 0xf
  const rm = core.reg(b & 0xf)
  if (op1 < 8 && op2 === 0) {
    const result = core.shift(core.reg(a & 0xf), op1 >> 1, rm & 0xff)
    if (op1 & 1) {
      core.setNz(result)
      core.c = core.shifted
    }
    core.set(rd, result)
  } else if (op1 < 8 && op2 & 8) core.set(rd, extended(core, a, b, op1))
  else if (op1 === 9 && op2 === 0xa) core.set(rd, reversedBits(rm))
  else if (op1 === 9 && op2 >= 8 && op2 <= 0xb) core.set(rd, reversed(rm, op2 & 3))
  else if (op1 === 0xb && op2 === 8) core.set(rd, Math.clz32(rm))
  else fail('undefined')
}

/** SXTH, UXTH, SXTB, UXTB of a rotated register; with an addend they are DSP. */
function extended(core: ArmCore, a: number, b: number, kind: number): number {
  const bits = ({ 0: 16, 1: 16, 4: 8, 5: 8 } as const)[kind] ?? fail('undefined')
  if ((a & 0xf) !== 15) fail('undefined')
  const turn = ((b >> 4) & 3) * 8
  const value = core.reg(b & 0xf)
  const turned = (value >>> turn) | (turn ? value << (32 - turn) : 0)
  return kind & 1 ? turned & mask(bits) : signExtend(turned, bits)
}

function reversedBits(value: number): number {
  let result = 0
  for (let i = 0; i < 32; i++) result |= ((value >>> i) & 1) << (31 - i)
  return result
}

/** MUL, MLA, MLS. */
export function multiply(core: ArmCore, a: number, b: number): void {
  const ra = (b >> 12) & 0xf
  const kind = (b >> 4) & 0xf
  if (a & 0x70 || kind > 1) fail('undefined')
  const product = Math.imul(core.reg(a & 0xf), core.reg(b & 0xf))
  const rd = (b >> 8) & 0xf
  if (kind === 1) core.set(rd, core.reg(ra) - product)
  else core.set(rd, ra === 15 ? product : core.reg(ra) + product)
}

/** SMULL, UMULL, SMLAL, UMLAL, SDIV, UDIV. */
export function longMultiply(core: ArmCore, a: number, b: number): void {
  const op1 = (a >> 4) & 7
  const op2 = (b >> 4) & 0xf
  const n = core.reg(a & 0xf)
  const m = core.reg(b & 0xf)
  const high = (b >> 8) & 0xf
  const low = (b >> 12) & 0xf
  if (op2 === 0xf && op1 === 1) return core.set(high, divide(n | 0, m | 0))
  if (op2 === 0xf && op1 === 3) return core.set(high, divide(n, m))
  if (op2 !== 0 || op1 & 1) fail('undefined')
  const product = op1 & 2 ? BigInt(n) * BigInt(m) : BigInt(n | 0) * BigInt(m | 0)
  const addend = op1 & 4 ? (BigInt(core.reg(high)) << 32n) | BigInt(core.reg(low)) : 0n
  const sum = BigInt.asUintN(64, product + addend)
  core.set(low, Number(sum & 0xffff_ffffn))
  core.set(high, Number(sum >> 32n))
}

/** Towards zero; by zero it gives zero, as it does unless CCR.DIV_0_TRP is set. */
const divide = (n: number, m: number): number => (m === 0 ? 0 : Math.trunc(n / m))
