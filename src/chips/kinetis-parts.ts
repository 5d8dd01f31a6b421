/**
 * Kinetis K and L as data: which one it is by SIM_SDID, how its flash is divided and programmed, and how large it is by
 * SIM_FCFG1 and SIM_FCFG2. Sources: NXP, the sub-family reference manuals ("SIM"); `kinetis.c` of OpenOCD and of Black Magic
 * Probe, which agree on ids, sectors and what is programmed at once. Those with another watchdog or SIM (KL28, KE) are not
 * among them.
 */
export interface KinetisPart {
  /** As the field calls it, without its size. */
  readonly name: string
  /** Tells parts of one name apart. */
  readonly id: string
  readonly sectorBytes: number
  /** Programmed at once: a longword (FTFA, FTFL) or a phrase (FTFE). */
  readonly unitBytes: 4 | 8
  /** COP, or the WDOG of the K series. */
  readonly watchdog: 'cop' | 'wdog'
}

/** By FAMID and DIEID of the older K series; `D` or `F` is followed by N, or X where it has FlexNVM. */
const older: Readonly<
  Record<number, readonly [name: string, grade: string, sectorKib: number, unit: 4 | 8]>
> = {
  0x000: ['K10D', '5', 1, 4],
  0x080: ['K10D', '7', 2, 4],
  0x100: ['K10D', '10', 2, 4],
  0x180: ['K10F', '12', 4, 8],
  0x220: ['K11D', '5', 2, 4],
  0x200: ['K12D', '5', 2, 4],
  0x010: ['K20D', '5', 1, 4],
  0x090: ['K20D', '7', 2, 4],
  0x110: ['K20D', '10', 2, 4],
  0x190: ['K20F', '12', 4, 8],
  0x230: ['K21D', '5', 2, 4],
  0x330: ['K21F', '12', 4, 8],
  0x210: ['K22D', '5', 2, 4],
  0x310: ['K22F', '12', 4, 8],
  0x0a0: ['K30D', '7', 2, 4],
  0x120: ['K30D', '10', 2, 4],
  0x0b0: ['K40D', '7', 2, 4],
  0x130: ['K40D', '10', 2, 4],
  0x140: ['K60D', '10', 2, 4],
  0x1c0: ['K60F', '15', 4, 8],
}

const Series = { K: 0, L: 1 } as const

/** By FAMILYID and SUBFAMID of the newer K series; some call themselves by another number (errata 7534). */
const newer: Readonly<Record<number, readonly [name: string, sectorKib: number, unit: 4 | 8]>> = {
  0x02: ['K02F', 2, 4],
  0x22: ['K22F', 2, 4],
  0x24: ['K24F', 4, 8],
  0x26: ['K26F', 4, 8],
  0x61: ['K63F', 4, 8],
  0x62: ['K64F', 4, 8],
  0x63: ['K63F', 4, 8],
  0x64: ['K64F', 4, 8],
  0x66: ['K66F', 4, 8],
}
/** DIEID of a K22F that is a K24F, and of the K24F whose flash takes longwords. */
const [dieOfK24fn1m, dieOfK24fn256] = [0x300, 0x700] as const
const dieId = 0xf80

/** Undefined: none of these. `hasFlexNvm`: not all of its flash is program flash. */
export function findKinetisPart(sdid: number, hasFlexNvm: boolean): KinetisPart | undefined {
  const part = (name: string, id: string, sectorKib: number, unitBytes: 4 | 8): KinetisPart => ({
    ...{ name, id: id.toLowerCase(), sectorBytes: sectorKib * 1024, unitBytes, watchdog: 'wdog' },
  })
  if (sdid >>> 16 === 0) {
    const [name, grade = '', sectorKib = 0, unit = 4] = older[sdid & 0xff0] ?? []
    if (name === undefined) return undefined
    const whole = `${name}${hasFlexNvm ? 'X' : 'N'}`
    return part(whole, `${whole}${grade}`, sectorKib, unit)
  }
  const [family, subFamily, series] = [sdid >>> 28, (sdid >>> 24) & 0xf, (sdid >>> 20) & 0xf]
  if (series === Series.L) {
    if (subFamily === 8) return undefined
    // KL17 and KL27 of more than 64 KiB
    const known = subFamily === 3 && (family === 1 || family === 2) ? 7 : subFamily
    const name = `KL${String(family)}${String(known)}Z`
    return { ...part(name, name, 1, 4), watchdog: 'cop' }
  }
  const [name, sectorKib = 0, unit = 4] = newer[(family << 4) | subFamily] ?? []
  if (series !== Series.K || name === undefined) return undefined
  if (name === 'K22F' && (sdid & dieId) === dieOfK24fn1m) return part('K24F', 'K24F', 4, 8)
  if (name === 'K24F' && (sdid & dieId) === dieOfK24fn256) return part(name, 'K24F256', 4, 4)
  return part(name, name, sectorKib, unit)
}

/** Program flash in KiB by PFSIZE; those of 2 MiB say only where each of four blocks ends (MAXADDR0, in 8 KiB). */
export function kinetisKib({ id }: KinetisPart, fcfg1: number, fcfg2: number): number {
  const size = (fcfg1 >>> 24) & 0xf
  if (size === 0) return 8
  if (size !== 0xf) return (size & 1) === 1 ? 16 << (size >> 1) : 0
  const isInFour = id === 'k26f' || id === 'k66f'
  const blocks = isInFour ? 4 : ((fcfg2 >>> 16) & 0x7f) > 0 ? 2 : 1
  return ((fcfg2 >>> 24) & 0x7f) * 8 * blocks
}

/** SRAM above 2000_0000, in bytes, of an L: three quarters of it; the K series has more than 4 KiB there. */
export const ramAbove = (sdid: number): number =>
  sdid >>> 16 === 0 || ((sdid >>> 20) & 0xf) !== Series.L ? 0x1000 : (512 << ((sdid >>> 16) & 0xf)) * 0.75

export const kinetisKind = ({ id }: KinetisPart, kib: number): string =>
  `cortex-m:kinetis:${id}:${String(kib)}`

const sizesKib = [8, 16, 32, 64, 128, 256, 512, 1024, 2048] as const

/** All that a closed one can turn out to be. */
export function allKinetisKinds(): readonly string[] {
  const ids = new Set<string>(['k24f256'])
  for (const [name, grade] of Object.values(older)) for (const x of ['X', 'N']) ids.add(`${name}${x}${grade}`)
  for (const [name] of Object.values(newer)) ids.add(name)
  for (let family = 0; family < 5; family++)
    for (let sub = 0; sub < 8; sub++) ids.add(`KL${String(family)}${String(sub)}Z`)
  return [...ids].flatMap((id) =>
    sizesKib.map((kib) => `cortex-m:kinetis:${id.toLowerCase()}:${String(kib)}`),
  )
}
