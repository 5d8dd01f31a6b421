/**
 * DAPLink by the information block in its vector table: which part it is, for which interface chip, which version.
 * Document: DAPLink, `source/daplink/daplink.h`; chips and their regions: `daplink_addr.h` of each.
 */
import type { Segment } from '#core/programmer.ts'

/** Of the interface chip (HIC): the part that an update replaces begins at `start`, and is so long. */
export interface InterfaceChip {
  readonly name: string
  /** As it says of itself over its debug pads, where that is another name. */
  readonly part?: string
  readonly start?: number
  readonly length?: number
  /** DAPLink has no boot loader of its own there: the ROM's drive takes what is copied, and says nothing of the probe. */
  readonly hasRomDrive?: true
}

export interface DaplinkImage {
  readonly part: 'boot loader' | 'interface'
  readonly hicId: number
  /** Undefined: an id that is not known. */
  readonly chip: InterfaceChip | undefined
  /** Four digits, as DETAILS.TXT has them; undefined: a number that is none. */
  readonly version: string | undefined
  /** Where the block is: its three words. */
  readonly address: number
  readonly words: readonly [key: number, hicId: number, version: number]
}

/** Behind the vectors that matter. */
const blockOffset = 0x20
export const blockBytes = 12

const parts: Readonly<Record<number, DaplinkImage['part']>> = {
  0x9b93_9d93: 'boot loader',
  0x9b93_9e8f: 'interface',
}

const chips: Readonly<Record<number, InterfaceChip>> = {
  0x9796_9900: { name: 'K20DX', start: 0x8000, length: 0x1_7c00 },
  0x9796_9901: { name: 'KL26Z', start: 0x8000, length: 0x1_7c00 },
  0x9796_9902: { name: 'LPC11U35', start: 0, length: 0xf000, hasRomDrive: true },
  0x9796_9903: { name: 'SAM3U2C', start: 0x8_8000, length: 0x1_7000 },
  0x9796_9904: { name: 'MAX32620', start: 0x1_0000, length: 0x6_e000 },
  0x9796_9905: { name: 'LPC4322', start: 0x1a01_0000, length: 0x2_0000 },
  0x9796_9906: { name: 'MAX32625', start: 0x1_0000, length: 0x6_e000 },
  0x9796_9907: { name: 'MAX32550' },
  0x9796_9908: {
    name: 'STM32F103xB',
    part: 'STM32F10x medium-density',
    start: 0x0800_c000,
    length: 0x1_3c00,
  },
  0x9796_9909: { name: 'K26F', start: 0x1_0000, length: 0x2_f000 },
  0x9796_990a: { name: 'K22F' },
  0x9796_990b: { name: 'KL27Z', start: 0x8000, length: 0x1_7c00 },
  0x9796_990c: { name: 'LPC54606' },
  0x9796_990d: { name: 'STM32F723IE' },
  0x9796_9921: { name: 'M48SSIDAE', start: 0xc000, length: 0x3_3000 },
  0x2e12_7069: { name: 'PSoC5' },
  0x4c50_4355: { name: 'LPC55xx', start: 0x1_0000, length: 0x2_fc00 },
  0x6e05_2820: { name: 'nRF52820', start: 0x8000, length: 0x1_7000 },
}

export const interfaceChip = (hicId: number): InterfaceChip | undefined => chips[hicId]

/** Undefined: what begins here is no DAPLink, or one of before there was such a block. */
export function daplinkImage({ address, bytes }: Segment): DaplinkImage | undefined {
  if (bytes.length < blockOffset + blockBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const word = (index: number) => view.getUint32(blockOffset + index * 4, true)
  const [key, hicId, number] = [word(0), word(1), word(2)]
  const part = parts[key]
  if (part === undefined) return undefined
  return {
    ...{ part, hicId, chip: interfaceChip(hicId) },
    version: number < 10_000 ? String(number).padStart(4, '0') : undefined,
    ...{ address: address + blockOffset, words: [key, hicId, number] },
  }
}
