/** The 16-bit Thumb instructions of Armv6-M and Armv7-M (DDI 0403, A5.2), and one step of a core. */
import { ArmBreakpoint, fail, signExtend, type ArmCore } from './twin-arm-core.ts'
import type { Width } from './twin-arm-bus.ts'
import { loadMultiple, reversed, storeMultiple } from './twin-thumb-common.ts'
import { execute32 } from './twin-thumb2.ts'

/** Runs the instruction at the PC. Throws `ArmFault` or `ArmBreakpoint`, with the PC still on it. */
export function step(core: ArmCore): void {
  const { pc } = core
  if (!core.isThumb) fail('invalid-state')
  const first = fetch(core, pc)
  const isWide = first >>> 11 >= 0x1d
  const second = isWide ? fetch(core, pc + 2) : 0
  core.cycles++
  core.next = (pc + (isWide ? 4 : 2)) >>> 0
  core.r[15] = pc + 4
  if (first >>> 8 === 0xbe) throw new ArmBreakpoint()
  const { it } = core
  core.inIt = it !== 0
  if (it) core.advanceIt()
  if (!it || core.passes(it >> 4)) {
    if (isWide) execute32(core, first, second)
    else execute16(core, first)
  }
  core.pc = core.next
}

/** Beyond Code and SRAM nothing is executable that such a chip has. */
function fetch(core: ArmCore, address: number): number {
  if (address >= 0x4000_0000) fail('bus')
  return core.bus.fetch(address) ?? fail('bus')
}

function execute16(core: ArmCore, op: number): void {
  switch (op >>> 12) {
    case 0x0:
    case 0x1:
      return op < 0x1800 ? shiftImmediate(core, op) : addSubtract(core, op)
    case 0x2:
    case 0x3:
      return immediate8(core, op)
    case 0x4:
      if (op < 0x4400) return dataProcessing(core, op)
      return op < 0x4800 ? special(core, op) : loadLiteral(core, op)
    case 0x5:
      return transferRegister(core, op)
    case 0x6:
      return transfer(core, op, low(core, op >> 3), 4)
    case 0x7:
      return transfer(core, op, low(core, op >> 3), 1)
    case 0x8:
      return transfer(core, op, low(core, op >> 3), 2)
    case 0x9:
      return transferAt(core, op, (op >> 8) & 7, core.reg(13) + (op & 0xff) * 4)
    case 0xa: {
      const base = op & 0x800 ? core.reg(13) : core.reg(15) & ~3
      return core.set((op >> 8) & 7, base + (op & 0xff) * 4)
    }
    case 0xb:
      return miscellaneous(core, op)
    case 0xc:
      return multiple(core, op)
    case 0xd:
      return branchConditional(core, op)
    default:
      core.branch(core.reg(15) + signExtend(op & 0x7ff, 11) * 2)
  }
}

const low = (core: ArmCore, index: number): number => core.reg(index & 7)

/** Flags of a move or a logical operation; the carry is the shifter's. */
function logical(core: ArmCore, rd: number, result: number, carry: number): void {
  core.set(rd, result)
  if (core.inIt) return
  core.setNz(result)
  core.c = carry
}

function shiftImmediate(core: ArmCore, op: number): void {
  const result = core.shiftImmediate(low(core, op >> 3), op >> 11, (op >> 6) & 0x1f)
  logical(core, op & 7, result, core.shifted)
}

function addSubtract(core: ArmCore, op: number): void {
  const operand = op & 0x400 ? (op >> 6) & 7 : low(core, op >> 6)
  const subtracts = (op & 0x200) !== 0
  const a = low(core, op >> 3)
  core.set(op & 7, core.add(a, subtracts ? ~operand : operand, subtracts ? 1 : 0, !core.inIt))
}

/** MOV, CMP, ADD, SUB. */
function immediate8(core: ArmCore, op: number): void {
  const rd = (op >> 8) & 7
  const value = op & 0xff
  switch ((op >> 11) & 3) {
    case 0:
      return logical(core, rd, value, core.c)
    case 1:
      core.add(core.reg(rd), ~value, 1, true)
      return
    case 2:
      return core.set(rd, core.add(core.reg(rd), value, 0, !core.inIt))
    default:
      core.set(rd, core.add(core.reg(rd), ~value, 1, !core.inIt))
  }
}

function dataProcessing(core: ArmCore, op: number): void {
  const rd = op & 7
  const a = core.reg(rd)
  const b = low(core, op >> 3)
  const sets = !core.inIt
  const shift = (type: number) => {
    const result = core.shift(a, type, b & 0xff)
    logical(core, rd, result, core.shifted)
  }
  switch ((op >> 6) & 0xf) {
    case 0x0:
      return logical(core, rd, a & b, core.c)
    case 0x1:
      return logical(core, rd, a ^ b, core.c)
    case 0x2:
      return shift(0)
    case 0x3:
      return shift(1)
    case 0x4:
      return shift(2)
    case 0x5:
      return core.set(rd, core.add(a, b, core.c, sets))
    case 0x6:
      return core.set(rd, core.add(a, ~b, core.c, sets))
    case 0x7:
      return shift(3)
    case 0x8:
      return core.setNz(a & b)
    case 0x9:
      return core.set(rd, core.add(~b, 0, 1, sets))
    case 0xa:
      core.add(a, ~b, 1, true)
      return
    case 0xb:
      core.add(a, b, 0, true)
      return
    case 0xc:
      return logical(core, rd, a | b, core.c)
    case 0xd:
      return logical(core, rd, Math.imul(a, b), core.c)
    case 0xe:
      return logical(core, rd, a & ~b, core.c)
    default:
      logical(core, rd, ~b, core.c)
  }
}

/** ADD, CMP and MOV of any registers, BX, BLX. */
function special(core: ArmCore, op: number): void {
  const rd = ((op >> 4) & 8) | (op & 7)
  const value = core.reg((op >> 3) & 0xf)
  switch ((op >> 8) & 3) {
    case 0:
      return core.set(rd, core.reg(rd) + value)
    case 1:
      core.add(core.reg(rd), ~value, 1, true)
      return
    case 2:
      return core.set(rd, value)
    default:
      if (op & 0x80) core.link(core.next)
      core.branchExchange(value)
  }
}

function loadLiteral(core: ArmCore, op: number): void {
  core.set((op >> 8) & 7, core.load((core.reg(15) & ~3) + (op & 0xff) * 4, 4))
}

/** STR, STRH, STRB, LDRSB, LDR, LDRH, LDRB, LDRSH. */
const registerWidths = [4, 2, 1, 1, 4, 2, 1, 2] as const

function transferRegister(core: ArmCore, op: number): void {
  const address = low(core, op >> 3) + low(core, op >> 6)
  const kind = (op >> 9) & 7
  const width = registerWidths[kind] ?? 4
  if (kind < 3) return core.store(address, width, low(core, op))
  const value = core.load(address, width)
  core.set(op & 7, kind === 3 || kind === 7 ? signExtend(value, 8 * width) : value)
}

function transfer(core: ArmCore, op: number, base: number, width: Width): void {
  transferAt(core, op, op & 7, base + ((op >> 6) & 0x1f) * width, width)
}

/** Bit 11: a load. */
function transferAt(core: ArmCore, op: number, rt: number, address: number, width: Width = 4): void {
  if (op & 0x800) core.set(rt, core.load(address, width))
  else core.store(address, width, core.reg(rt))
}

function miscellaneous(core: ArmCore, op: number): void {
  const kind = (op >> 8) & 0xf
  if (kind === 0x0) core.set(13, core.reg(13) + (op & 0x7f) * (op & 0x80 ? -4 : 4))
  else if ((kind & 0x5) === 0x1) compareAndBranch(core, op)
  else if (kind === 0x2) core.set(op & 7, extended(low(core, op >> 3), (op >> 6) & 3))
  else if ((kind & 0xe) === 0x4) push(core, op)
  else if (kind === 0x6 && (op & 0xe8) === 0x60) changeState(core, op)
  else if (kind === 0xa) core.set(op & 7, reversed(low(core, op >> 3), (op >> 6) & 3))
  else if ((kind & 0xe) === 0xc) pop(core, op)
  else if (kind === 0xf && op & 0xf) core.it = op & 0xff
  else if (kind === 0xf) core.isAsleep = (op & 0xf0) === 0x30
  else fail('undefined')
}

/** CBZ, CBNZ. */
function compareAndBranch(core: ArmCore, op: number): void {
  const isZero = low(core, op) === 0
  if (isZero === ((op & 0x800) !== 0)) return
  core.branch(core.reg(15) + (((op >> 3) & 0x40) | ((op >> 2) & 0x3e)))
}

/** SXTH, SXTB, UXTH, UXTB. */
function extended(value: number, kind: number): number {
  const bits = kind & 1 ? 8 : 16
  return kind & 2 ? value & (2 ** bits - 1) : signExtend(value, bits)
}

/** CPSIE and CPSID of PRIMASK and FAULTMASK. */
function changeState(core: ArmCore, op: number): void {
  const value = (op >> 4) & 1
  if (op & 2) core.primask = value
  if (op & 1) core.faultmask = value
}

function push(core: ArmCore, op: number): void {
  storeMultiple(core, 13, (op & 0xff) | (op & 0x100 ? 0x4000 : 0), true, true)
}

function pop(core: ArmCore, op: number): void {
  loadMultiple(core, 13, (op & 0xff) | (op & 0x100 ? 0x8000 : 0), false, true)
}

function multiple(core: ArmCore, op: number): void {
  const rn = (op >> 8) & 7
  const list = op & 0xff
  if (op & 0x800) loadMultiple(core, rn, list, false, !(list & (1 << rn)))
  else storeMultiple(core, rn, list, false, true)
}

function branchConditional(core: ArmCore, op: number): void {
  const condition = (op >> 8) & 0xf
  if (condition === 0xe) fail('undefined')
  if (condition === 0xf) fail('call')
  if (core.passes(condition)) core.branch(core.reg(15) + signExtend(op & 0xff, 8) * 2)
}
