/**
 * STM32 by what their ROM's Get ID command says, as data. Several chips share an id; how much flash one has is in a word
 * of its system memory.
 *
 * Sources: ST, AN2606 ("Device-dependent bootloader parameters"); `dev_table.c` of stm32flash 0.7 (ids, names, pages,
 * option bytes); `config/chips` of stlink and `device_family.py` of stm32loader, which agree on where the size is. Chips
 * with two banks, and those whose erased flash reads 00, are named only: their pages are not known well enough to be
 * erased.
 */
import type { Range } from '#core/programmer.ts'
import { dfuseKind } from './flash-sectors.ts'

export interface Stm32Part {
  /** As Get ID says it. */
  readonly id: number
  /** As AN2606 has it. */
  readonly name: string
  /** Of the largest chip with this id, in KiB. */
  readonly mostKib: number
  /** Sizes of its pages or sectors in KiB, in order; the last one is that of all that follow. Absent: not to be erased. */
  readonly pagesKib?: readonly number[]
  readonly options?: Range
  /** Where 16 bits hold the size of its flash in KiB. */
  readonly sizeAt?: number
  /** Its ROM gives that only within the whole block of 256 bytes around it. */
  readonly sizeInBlock?: true
  /** Its ROM speaks DfuSe, too, by which it cannot be told from others with the same sectors. */
  readonly hasDfu?: true
}

export const flashStart = 0x0800_0000

/** What members of one family have in common. */
type Family = Pick<Stm32Part, 'options' | 'sizeAt' | 'sizeInBlock'>

const f0f3: Family = { options: { address: 0x1fff_f800, length: 16 }, sizeAt: 0x1fff_f7cc }
const f1: Family = { options: { address: 0x1fff_f800, length: 16 }, sizeAt: 0x1fff_f7e0 }
const f2f4: Family = {
  options: { address: 0x1fff_c000, length: 16 },
  ...{ sizeAt: 0x1fff_7a22, sizeInBlock: true },
}
const f7: Family = { options: { address: 0x1fff_0000, length: 32 }, sizeAt: 0x1ff0_f442 }
const g0: Family = { options: { address: 0x1fff_7800, length: 128 }, sizeAt: 0x1fff_75e0 }
const g4: Family = { options: { address: 0x1fff_7800, length: 48 }, sizeAt: 0x1fff_75e0 }
const l4: Family = { options: { address: 0x1fff_7800, length: 16 }, sizeAt: 0x1fff_75e0 }

const small = [16, 16, 16, 16, 64, 128] as const
const large = [32, 32, 32, 32, 128, 256] as const

const part = (
  id: number,
  name: string,
  mostKib: number,
  pagesKib: number | readonly number[] | undefined,
  family: Family = {},
  interfaces?: 'dfu',
): Stm32Part => ({
  ...{ id, name, mostKib, ...family },
  ...(pagesKib !== undefined && { pagesKib: typeof pagesKib === 'number' ? [pagesKib] : pagesKib }),
  ...(interfaces && { hasDfu: true }),
})

const parts: readonly Stm32Part[] = [
  part(0x440, 'STM32F05x, F030x8', 64, 1, f0f3),
  part(0x444, 'STM32F03x', 32, 1, f0f3),
  part(0x442, 'STM32F09x, F030xC', 256, 2, f0f3),
  part(0x445, 'STM32F04x, F070x6', 32, 1, f0f3, 'dfu'),
  part(0x448, 'STM32F07x', 128, 2, f0f3, 'dfu'),
  part(0x412, 'STM32F10x low-density', 32, 1, f1),
  part(0x410, 'STM32F10x medium-density', 128, 1, f1),
  part(0x414, 'STM32F10x high-density', 512, 2, f1),
  part(0x420, 'STM32F100 medium-density', 128, 1, f1),
  part(0x428, 'STM32F100 high-density', 512, 2, f1),
  part(0x418, 'STM32F105, F107', 256, 2, f1, 'dfu'),
  part(0x430, 'STM32F10x XL-density', 1024, undefined, f1),
  part(0x411, 'STM32F2', 1024, small, f2f4, 'dfu'),
  part(0x432, 'STM32F37x', 256, 2, f0f3, 'dfu'),
  part(0x422, 'STM32F302xB/C, F303xB/C, F358', 256, 2, f0f3, 'dfu'),
  part(0x439, 'STM32F301, F302x4/6/8, F318', 64, 2, f0f3, 'dfu'),
  part(0x438, 'STM32F303x4/6/8, F334, F328', 64, 2, f0f3),
  part(0x446, 'STM32F302xD/E, F303xD/E, F398', 512, 2, f0f3, 'dfu'),
  part(0x413, 'STM32F405, F407, F415, F417', 1024, small, f2f4, 'dfu'),
  part(0x423, 'STM32F401xB/C', 256, small, f2f4, 'dfu'),
  part(0x433, 'STM32F401xD/E', 512, small, f2f4, 'dfu'),
  part(0x458, 'STM32F410', 128, small, f2f4),
  part(0x431, 'STM32F411', 512, small, f2f4, 'dfu'),
  part(0x441, 'STM32F412', 1024, small, f2f4, 'dfu'),
  part(0x421, 'STM32F446', 512, small, f2f4, 'dfu'),
  part(0x463, 'STM32F413, F423', 1536, small, f2f4, 'dfu'),
  part(0x419, 'STM32F42x, F43x', 2048, undefined, f2f4),
  part(0x434, 'STM32F469, F479', 2048, undefined, f2f4),
  part(0x449, 'STM32F74x, F75x', 1024, large, f7, 'dfu'),
  part(0x452, 'STM32F72x, F73x', 512, small, { ...f7, sizeAt: 0x1ff0_7a22 }, 'dfu'),
  part(0x451, 'STM32F76x, F77x', 2048, undefined, f7),
  part(0x466, 'STM32G03x, G04x', 64, 2, g0),
  part(0x460, 'STM32G07x, G08x', 128, 2, g0),
  part(0x456, 'STM32G05x, G06x', 64, 2, g0),
  part(0x467, 'STM32G0B, G0C', 512, undefined, g0),
  part(0x468, 'STM32G431, G441', 128, 2, g4, 'dfu'),
  part(0x479, 'STM32G491, G4A1', 512, 2, g4, 'dfu'),
  part(0x469, 'STM32G47x, G48x', 512, undefined, g4),
  part(0x450, 'STM32H74x, H75x', 2048, undefined),
  part(0x457, 'STM32L01x, L02x', 16, undefined),
  part(0x425, 'STM32L031, L041', 32, undefined),
  part(0x417, 'STM32L05x, L06x', 64, undefined),
  part(0x447, 'STM32L07x, L08x', 192, undefined),
  part(0x416, 'STM32L1 cat. 1', 128, undefined),
  part(0x429, 'STM32L1 cat. 2', 128, undefined),
  part(0x427, 'STM32L1 cat. 3', 256, undefined),
  part(0x436, 'STM32L1 cat. 4', 384, undefined),
  part(0x437, 'STM32L1 cat. 5', 512, undefined),
  part(0x464, 'STM32L412, L422', 128, 2, l4, 'dfu'),
  part(0x435, 'STM32L43x, L44x', 256, 2, l4, 'dfu'),
  part(0x462, 'STM32L45x, L46x', 512, 2, l4, 'dfu'),
  part(0x415, 'STM32L47x, L48x', 1024, undefined, l4),
  part(0x461, 'STM32L496, L4A6', 1024, undefined, l4),
  part(0x470, 'STM32L4R, L4S', 2048, undefined),
]

export const findStm32Part = (id: number): Stm32Part | undefined => parts.find((one) => one.id === id)

/** As the ROM's DfuSe shows itself on USB. */
const dfuIds = '0483:df11'

/** `Patient.kind`, whichever way leads there. By DfuSe its sectors are all that is known of it. */
export const stm32Kind = (part: Stm32Part, kib: number): string =>
  part.hasDfu ? dfuseKind('cortex-m', dfuIds, sectorsOf(part, kib)) : `cortex-m:stm32:${part.id.toString(16)}`

/** The same as long as nobody knows how many KiB it has. */
export const unsizedStm32Kind = (part: Stm32Part): string =>
  `cortex-m:stm32:${part.id.toString(16)}${part.hasDfu ? ':unknown' : ''}`

/** The smallest of all of them; which ids begin with more is not told here. */
export const leastStm32Kib = 16

/** All that chips with this id can have: powers of two, and what is halfway to the next. */
export function stm32SizesKib({ mostKib }: Stm32Part): readonly number[] {
  const sizes: number[] = []
  for (let kib = leastStm32Kib; kib < mostKib; kib *= 2)
    sizes.push(kib, ...(kib * 1.5 < mostKib ? [kib * 1.5] : []))
  return [...sizes, mostKib]
}

/** Its pages or sectors, as they are numbered for erasing; the chip may have fewer KiB than others with its id. */
export function sectorsOf({ pagesKib = [] }: Stm32Part, kib: number): readonly Range[] {
  const sectors: Range[] = []
  const end = flashStart + kib * 1024
  for (let address = flashStart; address < end && pagesKib.length > 0;) {
    const length = (pagesKib[Math.min(sectors.length, pagesKib.length - 1)] ?? 0) * 1024
    sectors.push({ address, length })
    address += length
  }
  return sectors
}
