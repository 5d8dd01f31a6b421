/**
 * What is around a Cortex-M3 or M4 in its private space, as a debugger recognises it: the ROM table, and components
 * with their identification registers (ADIv5, chapter D). But for the SCS and the FPB they only keep what is written.
 */
import { StorageRegion } from './twin-arm-bus.ts'

export interface Identity {
  readonly cpuid: number
  /** JEP106 number without parity, of one continuation bank; e.g. ST is 0 and 20. */
  readonly designer: { readonly bank: number; readonly id: number }
  /** In the ROM table, as the vendor names the chip; e.g. 410. */
  readonly part: number
}

export const scsAt = 0xe000_e000
export const fpbAt = 0xe000_2000
const dwtAt = 0xe000_1000
const itmAt = 0xe000_0000
const tpiuAt = 0xe004_0000
const etmAt = 0xe004_1000
const romTableAt = 0xe00f_f000

/** Arm's own JEP106 number. */
const arm = { bank: 4, id: 0x3b }

/** Component classes of CIDR1. */
const Class = { RomTable: 1, CoreSight: 9, GenericIp: 0xe } as const

export interface Components {
  readonly scs: StorageRegion
  readonly fpb: StorageRegion
  readonly others: readonly StorageRegion[]
}

export function components({ cpuid, designer, part }: Identity): Components {
  const isM3 = ((cpuid >>> 4) & 0xfff) === 0xc23
  const entries = [scsAt, dwtAt, fpbAt, itmAt, tpiuAt, etmAt].map((at) => (at - romTableAt) | 3)
  const scs = { ...scsRegisters, 0xd00: cpuid }
  return {
    scs: component(scsAt, Class.GenericIp, arm, isM3 ? 0x000 : 0x00c, scs),
    fpb: component(fpbAt, Class.GenericIp, arm, 0x003, { 0: 0x260 }, fpbMasks),
    others: [
      component(dwtAt, Class.GenericIp, arm, 0x002, { 0: 0x4000_0000 }),
      component(itmAt, Class.GenericIp, arm, 0x001),
      component(tpiuAt, Class.CoreSight, arm, isM3 ? 0x923 : 0x9a1, { 0xfcc: 0x11 }),
      component(etmAt, Class.CoreSight, arm, isM3 ? 0x924 : 0x925, { 0xfcc: 0x13 }),
      // MEMTYPE: the system's memory is on this bus, too
      component(romTableAt, Class.RomTable, designer, part, { ...words(entries), 0xfcc: 1 }, readOnly(7)),
    ],
  }
}

/** ICTR, CCR, ID_PFR0 to ID_ISAR4 of a Cortex-M3. */
const scsRegisters = {
  0x004: 1,
  0xd14: 0x200,
  ...words(
    [
      ...[0x30, 0x200, 0x10_0000, 0, 0x10_0030, 0, 0x100_0000, 0],
      ...[0x110_1110, 0x211_2000, 0x2123_2231, 0x111_1131, 0x131_0132],
    ],
    0xd40,
  ),
}

/** FP_CTRL has its enable bit, FP_REMAP its table, comparators their addresses. */
const fpbMasks = {
  0: 1,
  4: 0x1fff_ffe0,
  ...Object.fromEntries(Array.from({ length: 8 }, (_, i) => [8 + 4 * i, 0xdfff_fffd])),
}

function words(values: readonly number[], from = 0): Record<number, number> {
  return Object.fromEntries(values.map((value, i) => [from + 4 * i, value >>> 0]))
}

const readOnly = (count: number): Record<number, number> => words(Array<number>(count).fill(0))

/** 4 KiB with PIDR and CIDR at the end, which cannot be written. */
function component(
  address: number,
  kind: number,
  { bank, id }: Identity['designer'],
  part: number,
  registers: Readonly<Record<number, number>> = {},
  masks: Readonly<Record<number, number>> = {},
): StorageRegion {
  const pidr = [part & 0xff, ((id & 0xf) << 4) | (part >> 8), 8 | (id >> 4), 0]
  const ids = {
    ...words([bank, 0, 0, 0], 0xfd0),
    ...words(pidr, 0xfe0),
    ...words([0x0d, kind << 4, 0x05, 0xb1], 0xff0),
  }
  const placed = (values: Readonly<Record<number, number>>) =>
    Object.fromEntries(Object.entries(values).map(([offset, value]) => [address + Number(offset), value]))
  const fixed = Object.fromEntries(Object.keys(ids).map((offset) => [offset, 0]))
  return new StorageRegion(address, 0x1000, placed({ ...registers, ...ids }), placed({ ...masks, ...fixed }))
}

/** The breakpoints of an FPB of version 1, where FP_COMP says which half-word of its word; in Code alone. */
export function breakpointsOf(fpb: StorageRegion): ReadonlySet<number> {
  const control = fpb.read(fpbAt, 4)
  const addresses = new Set<number>()
  if (!(control & 1)) return addresses
  for (let i = 0; i < ((control >> 4) & 0xf); i++) {
    const comparator = fpb.read(fpbAt + 8 + 4 * i, 4)
    if (!(comparator & 1)) continue
    const address = comparator & 0x1fff_fffc
    if (comparator & 0x4000_0000) addresses.add(address)
    if (comparator & 0x8000_0000) addresses.add(address + 2)
  }
  return addresses
}
