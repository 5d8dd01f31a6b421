/**
 * Where the boot loaders of ST-Links write firmware, by generation. Below that they are themselves, with the device's
 * settings. Sources: GMMan/st-link-hack, `paper/protocol_notes.txt`; blackmagic-debug/stlink-tool, `src/stlink.c`
 * (`stlink_flash`); PM0075, 2.1; RM0431, "Flash memory organization".
 */
import type { Range } from '#core/programmer.ts'

export interface Generation {
  readonly protocol: 1 | 2 | 3
  readonly name: 'V2' | 'V2-1' | 'V3'
  /** What a firmware file says that it is for. */
  readonly claim: string
  /** USB product ids of ST's own firmware for it. */
  readonly productIds: readonly number[]
  /** End of its RAM. */
  readonly ramEnd: number
  /** Of the chips that are taken for it. */
  readonly sizesKib: readonly number[]
  /** What may be written, of a chip with so many KiB, the last of which may be reserved. */
  flash(kib: number, reservedKib: number): Range
  /** What is erased as one, within a range of whole ones. */
  sectors(range: Range): readonly Range[]
  /** The number by which the loader knows the sector that begins here; undefined: it goes by address. */
  sectorAt(address: number): number | undefined
}

const flashStart = 0x0800_0000
const pageBytes = 1024
const v2Base = 0x0800_4000
/** Of a chip with 128 KiB: from here on a copy of the settings, and the mark of an installed firmware. */
const v2Kept = 0x0801_f800
/** With less, a V2-1 has that mark alone in its last page. */
const markBytes = pageBytes

const pages = ({ address, length }: Range): readonly Range[] =>
  Array.from({ length: Math.ceil(length / pageBytes) }, (_, i) => ({
    address: address + i * pageBytes,
    length: Math.min(pageBytes, length - i * pageBytes),
  }))

const f103 = (protocol: 1 | 2) =>
  ({
    ...{ protocol, claim: 'ST-Link V2, V2-1', ramEnd: 0x2000_5000, sizesKib: [64, 128] },
    flash: (kib: number, reservedKib: number) => {
      const end = flashStart + (kib - reservedKib) * 1024
      const kept = kib >= 128 ? v2Kept : end - (protocol === 2 ? markBytes : 0)
      return { address: v2Base, length: Math.min(end, kept) - v2Base }
    },
    sectors: pages,
    sectorAt: () => undefined,
  }) as const

const v3Base = 0x0802_0000
const v3SectorBytes = 0x2_0000
/** Of the one at `v3Base`: four of 16 KiB and one of 64 KiB are before it. */
const v3FirstSector = 5

export const generations: Readonly<Record<number, Generation>> = {
  1: { ...f103(1), name: 'V2', productIds: [0x3748] },
  2: { ...f103(2), name: 'V2-1', productIds: [0x374a, 0x374b, 0x3742, 0x3752] },
  3: {
    ...{ protocol: 3, name: 'V3', claim: 'ST-Link V3', ramEnd: 0x2004_0000, sizesKib: [512] },
    productIds: [0x374e, 0x374f, 0x3753, 0x3754],
    flash: (kib, reservedKib) => {
      const free = flashStart + (kib - reservedKib) * 1024 - v3Base
      return { address: v3Base, length: free - (free % v3SectorBytes) } // whole sectors only
    },
    sectors: ({ address, length }) =>
      Array.from({ length: Math.ceil(length / v3SectorBytes) }, (_, i) => ({
        address: address + i * v3SectorBytes,
        length: v3SectorBytes,
      })),
    sectorAt: (address) => v3FirstSector + (address - v3Base) / v3SectorBytes,
  },
}

/** Of ST's firmware for it; undefined: it is for none that can be written here. */
export const generationOf = (productId: number): Generation | undefined =>
  Object.values(generations).find(({ productIds }) => productIds.includes(productId))
