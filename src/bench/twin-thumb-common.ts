/** What 16-bit and 32-bit Thumb instructions do alike. */
import { fail, signExtend, type ArmCore } from './twin-arm-core.ts'

/** REV, REV16, REVSH. */
export function reversed(value: number, kind: number): number {
  const pairs = ((value & 0xff00ff) << 8) | ((value >>> 8) & 0xff00ff)
  if (kind === 0) return (pairs << 16) | (pairs >>> 16)
  if (kind === 1) return pairs
  return kind === 3 ? signExtend(pairs, 16) : fail('undefined')
}

const listed = (list: number): number[] =>
  Array.from({ length: 16 }, (_, i) => i).filter((i) => list & (1 << i))

/** STM, STMDB, PUSH. */
export function storeMultiple(
  core: ArmCore,
  rn: number,
  list: number,
  isBefore: boolean,
  writesBack: boolean,
): void {
  const registers = listed(list)
  const base = core.reg(rn)
  const moved = base + registers.length * (isBefore ? -4 : 4)
  let address = core.aligned(isBefore ? moved : base)
  for (const register of registers) {
    core.store(address, 4, core.reg(register))
    address += 4
  }
  if (writesBack) core.set(rn, moved)
}

/** LDM, LDMDB, POP. */
export function loadMultiple(
  core: ArmCore,
  rn: number,
  list: number,
  isBefore: boolean,
  writesBack: boolean,
): void {
  const registers = listed(list)
  const base = core.reg(rn)
  const moved = base + registers.length * (isBefore ? -4 : 4)
  const first = core.aligned(isBefore ? moved : base)
  const values = registers.map((_, i) => core.load(first + i * 4, 4))
  if (writesBack) core.set(rn, moved)
  for (const [i, register] of registers.entries()) core.setLoaded(register, values[i] ?? 0)
}
