/**
 * Made-up programs for twins and the practice bench: what the ROM asks for at the start, the USB descriptor and the texts of
 * what they play, filler that says what it is, and no code.
 */
import { ByteWriter } from '#core/bytes.ts'
import { findStrings, findUsbDescriptors } from '#core/find.ts'
import {
  blockMarker,
  boot2Crc,
  flashAddress,
  hasBlock,
  hasBoot2,
  practiceMark,
  raspberryPi,
  type Chip,
} from '#chips/rp2-chips.ts'

/** Of programs made with the SDK, and of a Debug Probe. */
export const Play = { stdio: 0x000a, stdio2350: 0x0009, probe: 0x000c } as const

export interface PracticeProgram {
  readonly chip: Chip['name']
  /** Its product id. */
  readonly plays: (typeof Play)[keyof typeof Play]
  /** bcdDevice. */
  readonly version: number
  readonly length: number
}

export const probeProduct = 'Debugprobe on Pico (CMSIS-DAP)'
const vectorsAt = 0x100
const vectorCount = 48
const descriptorAt = 0x200
const textsAt = 0x220

export function practiceProgram({ chip, plays, version, length }: PracticeProgram): Uint8Array {
  const filler = new TextEncoder().encode(`${practiceMark} ${version.toString(16)} `)
  const bytes = Uint8Array.from({ length }, (_, i) =>
    i % 64 < filler.length ? (filler[i % 64] ?? 0) : (Math.imul(i + version, 2_654_435_761) >>> 24) & 0xff,
  )
  const vectors = new ByteWriter().u32le(0x2004_2000)
  for (let i = 1; i < vectorCount; i++) vectors.u32le((flashAddress + textsAt + 0x100) | 1)
  bytes.set(vectors.done(), vectorsAt)
  bytes.set(descriptorOf(plays, version), descriptorAt)
  bytes.set(
    textOf(plays === Play.probe ? `Raspberry Pi\0${probeProduct}\0` : 'Raspberry Pi\0Pico (practice)\0'),
    textsAt,
  )
  if (chip === 'RP2350') bytes.set(new ByteWriter().u32le(blockMarker).done(), 0)
  else bytes.set(new ByteWriter().u32le(boot2Crc(bytes)).done(), vectorsAt - 4)
  return bytes
}

const textOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const descriptorOf = (productId: number, version: number): Uint8Array =>
  new ByteWriter()
    .bytes([18, 1, 0x10, 0x02, productId === Play.probe ? 0 : 0xef, 0, 0, 64])
    .u16le(raspberryPi)
    .u16le(productId)
    .u16le(version)
    .bytes([1, 2, 3, 1])
    .done()

/** What a flash makes of a chip; undefined: its ROM starts nothing. */
export function programIn(
  chip: Chip['name'],
  flash: Uint8Array,
): { productId: number; version: number; product: string } | undefined {
  if (!(chip === 'RP2350' ? hasBlock(flash) : hasBoot2(flash))) return undefined
  const start = [{ address: 0, bytes: flash.subarray(0, 4096) }]
  const [found] = findUsbDescriptors(start)
  const [major, minor, sub] = found?.deviceVersion ?? [1, 0, 0]
  const product = findStrings(start).find(({ text }) => text === probeProduct || text === 'Pico (practice)')
  return {
    productId: found?.productId ?? Play.stdio,
    version: (major << 8) | (minor << 4) | sub,
    product: product?.text ?? 'Pico',
  }
}
