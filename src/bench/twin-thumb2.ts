/**
 * The 32-bit Thumb instructions of Armv7-M: loads, stores, branches, control (DDI 0403, A5.3). Data processing is in
 * `twin-thumb2-data.ts`. Without DSP and floating point; what is not here is undefined.
 */
import { fail, signExtend, type ArmCore } from './twin-arm-core.ts'
import type { Width } from './twin-arm-bus.ts'
import { loadMultiple, storeMultiple } from './twin-thumb-common.ts'
import {
  longMultiply,
  modifiedImmediate,
  multiply,
  plainImmediate,
  registerOperation,
  shiftedRegister,
} from './twin-thumb2-data.ts'

/** `a` and `b` are the half-words, `a` first. */
export function execute32(core: ArmCore, a: number, b: number): void {
  const op2 = (a >> 4) & 0x7f
  switch ((a >> 11) & 3) {
    case 1:
      if (op2 & 0x40) return fail('undefined')
      if (op2 & 0x20) return shiftedRegister(core, a, b)
      return op2 & 0x04 ? dual(core, a, b) : multiple(core, a, b)
    case 2:
      if (b & 0x8000) return branchOrControl(core, a, b)
      return op2 & 0x20 ? plainImmediate(core, a, b) : modifiedImmediate(core, a, b)
    default:
      if (op2 & 0x40) return fail('undefined')
      if (!(op2 & 0x20)) return single(core, a, b)
      if (!(op2 & 0x10)) return registerOperation(core, a, b)
      return op2 & 0x08 ? longMultiply(core, a, b) : multiply(core, a, b)
  }
}

/** LDM, LDMDB, STM, STMDB. */
function multiple(core: ArmCore, a: number, b: number): void {
  const mode = (a >> 7) & 3
  if (mode === 0 || mode === 3) fail('undefined')
  const run = a & 0x10 ? loadMultiple : storeMultiple
  run(core, a & 0xf, b, mode === 2, (a & 0x20) !== 0)
}

/** LDRD, STRD, exclusive access, table branches. */
function dual(core: ArmCore, a: number, b: number): void {
  const indexes = (a & 0x100) !== 0
  const writesBack = (a & 0x20) !== 0
  if (!indexes && !writesBack) return exclusive(core, a, b)
  const base = a & 0xf
  const from = base === 15 ? core.reg(15) & ~3 : core.reg(base)
  const moved = from + (b & 0xff) * (a & 0x80 ? 4 : -4)
  const address = core.aligned(indexes ? moved : from)
  const [first, second] = [(b >> 12) & 0xf, (b >> 8) & 0xf]
  if (a & 0x10) {
    const values = [core.load(address, 4), core.load(address + 4, 4)] as const
    if (writesBack) core.set(base, moved)
    core.set(first, values[0])
    core.set(second, values[1])
  } else {
    core.store(address, 4, core.reg(first))
    core.store(address + 4, 4, core.reg(second))
    if (writesBack) core.set(base, moved)
  }
}

/** TBB, TBH, and exclusive access, which one core alone is only refused where it did not ask for it. */
function exclusive(core: ArmCore, a: number, b: number): void {
  const loads = (a & 0x10) !== 0
  const rt = (b >> 12) & 0xf
  const rn = core.reg(a & 0xf)
  if (!(a & 0x80)) {
    const address = core.aligned(rn + (b & 0xff) * 4)
    return loads ? loadExclusive(core, rt, address, 4) : storeExclusive(core, (b >> 8) & 0xf, rt, address, 4)
  }
  const kind = (b >> 4) & 0xf
  if (loads && kind < 2) return tableBranch(core, rn, core.reg(b & 0xf), kind)
  const width = kind === 4 ? 1 : kind === 5 ? 2 : fail('undefined')
  return loads ? loadExclusive(core, rt, rn, width) : storeExclusive(core, b & 0xf, rt, rn, width)
}

function loadExclusive(core: ArmCore, rt: number, address: number, width: Width): void {
  core.set(rt, core.load(address, width))
  core.isExclusive = true
}

function storeExclusive(core: ArmCore, rd: number, rt: number, address: number, width: Width): void {
  if (core.isExclusive) core.store(address, width, core.reg(rt))
  core.set(rd, core.isExclusive ? 0 : 1)
  core.isExclusive = false
}

/** TBB (0) and TBH (1). */
function tableBranch(core: ArmCore, base: number, index: number, kind: number): void {
  const entry = kind ? core.load(base + index * 2, 2) : core.load(base + index, 1)
  core.branch(core.reg(15) + entry * 2)
}

/** LDR, LDRB, LDRH, LDRSB, LDRSH, STR, STRB, STRH in all their addressing modes; PLD does nothing. */
function single(core: ArmCore, a: number, b: number): void {
  const width = ([1, 2, 4] as const)[(a >> 5) & 3] ?? fail('undefined')
  const loads = (a & 0x10) !== 0
  const isSigned = (a & 0x100) !== 0
  if (isSigned && (!loads || width === 4)) fail('undefined')
  const { address, base, moved } = addressing(core, a, b, loads)
  const rt = (b >> 12) & 0xf
  if (!loads) {
    core.store(address, width, core.reg(rt))
    if (base !== undefined) core.set(base, moved)
    return
  }
  if (rt === 15 && width !== 4) return
  const value = load(core, address, width, isSigned)
  if (base !== undefined) core.set(base, moved)
  core.setLoaded(rt, value)
}

const load = (core: ArmCore, address: number, width: Width, isSigned: boolean): number =>
  isSigned ? signExtend(core.load(address, width), 8 * width) : core.load(address, width)

interface Addressing {
  readonly address: number
  /** The register that is changed to `moved`. */
  readonly base?: number
  readonly moved: number
}

function addressing(core: ArmCore, a: number, b: number, loads: boolean): Addressing {
  const rn = a & 0xf
  const from = core.reg(rn)
  const imm12 = b & 0xfff
  const at = (address: number) => ({ address, moved: address })
  if (rn === 15) {
    if (!loads) fail('undefined')
    return at((from & ~3) + (a & 0x80 ? imm12 : -imm12))
  }
  if (a & 0x80) return at(from + imm12)
  if (b & 0x800) {
    const [indexes, adds, writesBack] = [(b & 0x400) !== 0, (b & 0x200) !== 0, (b & 0x100) !== 0]
    if (!indexes && !writesBack) fail('undefined')
    const moved = from + (b & 0xff) * (adds ? 1 : -1)
    const address = indexes ? moved : from
    return writesBack ? { address, base: rn, moved } : at(address)
  }
  if (b & 0x7c0) fail('undefined')
  return at(from + (core.reg(b & 0xf) << ((b >> 4) & 3)))
}

function branchOrControl(core: ArmCore, a: number, b: number): void {
  if (b & 0x1000) {
    const target = core.reg(15) + longOffset(a, b)
    if (b & 0x4000) core.link(core.next)
    core.branch(target)
  } else if (b & 0x4000) fail('undefined')
  else if ((a & 0x380) === 0x380) control(core, a, b)
  else if (core.passes((a >> 6) & 0xf)) core.branch(core.reg(15) + conditionalOffset(a, b))
}

/** B.W and BL: S:I1:I2:imm10:imm11:0, I1 and I2 being J1 and J2 unless S. */
function longOffset(a: number, b: number): number {
  const s = (a >> 10) & 1
  const i1 = ~((b >> 13) ^ s) & 1
  const i2 = ~((b >> 11) ^ s) & 1
  const bits = (s << 24) | (i1 << 23) | (i2 << 22) | ((a & 0x3ff) << 12) | ((b & 0x7ff) << 1)
  return signExtend(bits, 25)
}

/** B<c>.W: S:J2:J1:imm6:imm11:0. */
function conditionalOffset(a: number, b: number): number {
  const s = (a >> 10) & 1
  const j1 = (b >> 13) & 1
  const j2 = (b >> 11) & 1
  return signExtend((s << 20) | (j2 << 19) | (j1 << 18) | ((a & 0x3f) << 12) | ((b & 0x7ff) << 1), 21)
}

/** MSR, MRS, hints, barriers; UDF.W and the rest are undefined. */
function control(core: ArmCore, a: number, b: number): void {
  if (b & 0x2000) fail('undefined')
  switch ((a >> 4) & 0x7f) {
    case 0x38:
    case 0x39:
      return writeSpecial(core, b & 0xff, core.reg(a & 0xf))
    case 0x3a:
      if ((b & 0xff) === 0x03) core.isAsleep = true
      return
    case 0x3b:
      if ((b & 0xf0) === 0x20) core.isExclusive = false // CLREX; the others are barriers
      return
    case 0x3e:
    case 0x3f:
      return core.set((b >> 8) & 0xf, readSpecial(core, b & 0xff))
  }
  fail('undefined')
}

/** SYSm of MRS and MSR (DDI 0403, B5.1.1). */
function readSpecial(core: ArmCore, sysm: number): number {
  switch (sysm) {
    case 8:
      return core.msp
    case 9:
      return core.psp
    case 16:
      return core.primask
    case 17:
    case 18:
      return core.basepri
    case 19:
      return core.faultmask
    case 20:
      return core.control
  }
  if (sysm > 7) return 0
  const flags = sysm & 4 ? 0 : core.xpsr & 0xf000_0000
  return flags | (sysm & 1 ? core.ipsr : 0)
}

function writeSpecial(core: ArmCore, sysm: number, value: number): void {
  if (sysm < 4) core.apsr = value
  else if (sysm === 8) core.msp = value
  else if (sysm === 9) core.psp = value
  else if (sysm === 16) core.primask = value & 1
  else if (sysm === 17) core.basepri = value & 0xf0
  else if (sysm === 18) raiseBasepri(core, value & 0xf0)
  else if (sysm === 19) core.faultmask = value & 1
  else if (sysm === 20) core.control = value
}

/** BASEPRI_MAX only ever masks more. */
function raiseBasepri(core: ArmCore, value: number): void {
  if (value !== 0 && (core.basepri === 0 || value < core.basepri)) core.basepri = value
}
