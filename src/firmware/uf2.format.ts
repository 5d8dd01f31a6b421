/**
 * UF2, both ways: blocks of 512 bytes, each with its own address. A file may hold firmwares for several chip
 * families, each with blocks numbered by itself; then one is chosen by its family's id. Document: microsoft/uf2,
 * README.md; the block to ignore on RP2350: RP2350 datasheet, erratum E10.
 */
import { md5 } from '@noble/hashes/legacy.js'
import { blank, hex, hexBytes } from '#core/bytes.ts'
import { FlashError } from '#core/errors.ts'
import { choosePart, refusing, startsWith, type FileFormat, type ParseOptions } from './file-format.ts'
import type { Range, Segment } from '#core/programmer.ts'
import { buildImage, placesAmong, segmentAt, type Claims, type Image } from './image.ts'
import { Runs, tooManyRuns } from './runs.ts'
import { familyNames } from './uf2-families.ts'
import { readPlainUf2, type PlainUf2 } from './uf2-plain.ts'

const name = 'UF2'
const blockBytes = 512
const dataAt = 32
const mostPayload = 476
/** Start, length and MD5 of a region, at the end of the data. */
const md5Bytes = 24
const pageBytes = 256

const Magic = { Start0: 0x0a324655, Start1: 0x9e5d5157, End: 0x0ab16f30 } as const
const Flag = {
  NotMainFlash: 0x1,
  FileContainer: 0x1000,
  FamilyId: 0x2000,
  Md5: 0x4000,
  ExtensionTags: 0x8000,
} as const
const Tag = { Version: 0x9fc7bc, Device: 0x650d9d, IgnoreOnRp2: 0x9957e3 } as const
const rp2Absolute = 0xe48bff57
const rp2040 = 0xe48bff56
/** Where the ROM of RP2040 puts blocks: flash, or RAM and the cache used as RAM; never both in one file. */
const rp2040Flash = { address: 0x1000_0000, length: 0x100_0000 }
const rp2040Ram = [
  { address: 0x1500_0000, length: 0x4000 },
  { address: 0x2000_0000, length: 0x4_2000 },
]
const sectorBytes = 4096

interface Block {
  readonly offset: number
  readonly flags: number
  readonly address: number
  readonly length: number
  readonly number: number
  readonly total: number
  /** -1: none is given. */
  readonly family: number
}

const bad = refusing(name)

/** @throws `bad-file` only. */
export function parseUf2(file: Uint8Array, options: ParseOptions = {}): Image {
  const plain = readPlainUf2(file)
  return plain ? imageOfPlain(file, plain, options) : imageOfBlocks(file, options)
}

function imageOfPlain(file: Uint8Array, { runs, family }: PlainUf2, { part }: ParseOptions): Image {
  const { chip } = choosePart(name, [familyOf(family)], part)
  return buildImage(name, runs.pieces(), {
    claims: chip === undefined ? {} : { chip },
    places: placesAmong(() => dataOf(file, blocksOf(file))),
  })
}

const dataOf = (file: Uint8Array, blocks: readonly Block[]) =>
  blocks.map(({ offset, address, length }) => {
    const bytes = file.subarray(offset + dataAt, offset + dataAt + length)
    return { address, bytes, offset }
  })

/** Exported for tests. */
export function imageOfBlocks(file: Uint8Array, options: ParseOptions = {}): Image {
  const blocks = blocksOf(file).filter((block) => !isIgnored(file, block))
  const families = new Map<number, Block[]>()
  for (const block of blocks) {
    const own = families.get(block.family)
    if (own) own.push(block)
    else families.set(block.family, [block])
  }
  // Files joined into one are numbered each by itself, a file for several families may be numbered as a whole.
  if (!isNumbered(blocks)) for (const own of families.values()) refuseGaps(own)

  const parts = [...families].flatMap(([family, own]) => {
    const flash = own.filter(({ flags }) => (flags & (Flag.NotMainFlash | Flag.FileContainer)) === 0)
    return flash.length === 0 ? [] : [{ ...familyOf(family), sizeBytes: totalLength(flash), flash, own }]
  })
  const chosen = choosePart(name, parts, options.part)
  const { flash } = chosen
  const runs = new Runs(chosen.sizeBytes)
  for (const { offset, address, length } of flash) {
    if (runs.isFull) throw bad('bad-structure', offset, { found: tooManyRuns })
    runs.bytes.set(file.subarray(offset + dataAt, offset + dataAt + length), runs.filled)
    runs.take(address, length)
  }
  const isWhole = flash.length === blocks.length
  const image = buildImage(name, runs.pieces(), {
    claims: { ...(chosen.chip && { chip: chosen.chip }), ...claimsOf(file, chosen.own) },
    warnings: isWhole ? [] : [{ code: 'parts-left-out' }],
    places: placesAmong(() => dataOf(file, flash)),
  })
  proveRegions(file, flash, image)
  return image
}

/** Holds the MD5 of each region against its bytes; of a region that is not all here, it says what was before. */
function proveRegions(file: Uint8Array, flash: readonly Block[], { segments }: Image): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const proven = new Set<string>()
  let budget = 2 * file.length // regions that overlap would cost without end
  for (const { flags, offset } of flash) {
    if ((flags & Flag.Md5) === 0) continue
    const at = offset + dataAt + mostPayload - md5Bytes
    const [address, length] = [view.getUint32(at, true), view.getUint32(at + 4, true)]
    const expected = hexBytes(file.subarray(at + 8, at + md5Bytes), '')
    const region = `${address} ${length} ${expected}`
    const all = segmentAt(segments, address)
    if (!all || address + length > all.address + all.bytes.length || proven.has(region)) continue
    budget -= length
    if (budget < 0) throw bad('bad-structure', at, { found: hex(address, 8) })
    const from = address - all.address
    const found = hexBytes(md5(all.bytes.subarray(from, from + length)), '')
    if (found !== expected) throw bad('bad-hash', at + 8, { address, found: expected, expected: found })
    proven.add(region)
  }
}

const totalLength = (blocks: readonly Block[]): number => blocks.reduce((sum, { length }) => sum + length, 0)

function blocksOf(file: Uint8Array): Block[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const blocks: Block[] = []
  for (let offset = 0; offset < file.length; offset += blockBytes) {
    const word = (at: number) => view.getUint32(offset + at, true)
    if (offset + blockBytes > file.length) throw bad('truncated', file.length)
    if (word(0) !== Magic.Start0 || word(4) !== Magic.Start1) throw bad('bad-magic', offset)
    if (word(508) !== Magic.End) throw bad('bad-magic', offset + 508)
    const flags = word(8)
    const length = word(16)
    const most = flags & Flag.Md5 ? mostPayload - md5Bytes : mostPayload
    if (length > most)
      throw bad('bad-length', offset + 16, { found: String(length), expected: `up to ${most}` })
    const number = word(20)
    const total = word(24)
    if (number >= total)
      throw bad('bad-structure', offset + 20, { found: `${number}`, expected: `below ${total}` })
    const family = flags & Flag.FamilyId && !(flags & Flag.FileContainer) ? word(28) : -1
    blocks.push({ offset, flags, address: word(12), length, number, total, family })
  }
  return blocks
}

/** In front of a file for RP2350: for no flash, and numbered as 0 of 2 though it is alone. */
const isIgnored = (file: Uint8Array, { offset, flags, family, length }: Block): boolean =>
  family === rp2Absolute &&
  (flags & Flag.ExtensionTags) !== 0 &&
  file.subarray(offset + dataAt, offset + dataAt + length).every((byte) => byte === 0xef) &&
  tagsOf(file, offset, length).has(Tag.IgnoreOnRp2)

/** Each number exactly once, as if the file were one. */
function isNumbered(blocks: readonly Block[]): boolean {
  const seen = new Uint8Array(blocks.length)
  for (const { number, total } of blocks) {
    if (total !== blocks.length || seen[number]) return false
    seen[number] = 1
  }
  return true
}

/** A block may come twice, as systems write them; what it says then is held against the first by the image. */
function refuseGaps(blocks: readonly Block[]): void {
  const [first] = blocks as [Block]
  const seen = new Map<number, Block>()
  for (const block of blocks) {
    const { offset, number, total, address } = block
    if (total !== first.total)
      throw bad('bad-structure', offset + 24, { found: String(total), expected: String(first.total) })
    const before = seen.get(number)
    if (before && before.address !== address)
      throw bad('bad-structure', offset + 20, { firstOffset: before.offset + 20, found: String(number) })
    seen.set(number, block)
  }
  if (seen.size !== first.total) {
    let missing = 0
    while (seen.has(missing)) missing++
    const expected = `${missing} of ${first.total}`
    throw new FlashError('bad-file', { format: name, why: 'missing-block', expected })
  }
}

function familyOf(family: number): { id: string; name: string; chip?: string } {
  if (family < 0) return { id: 'none', name: 'none' }
  const chip = familyNames[family] ?? hex(family, 8)
  return { id: hex(family, 8), name: chip, chip }
}

/** Extension tags may stand in any block. */
function claimsOf(file: Uint8Array, blocks: readonly Block[]): Claims {
  const tags = new Map<number, Uint8Array>()
  for (const { flags, offset, length } of blocks)
    if (flags & Flag.ExtensionTags)
      for (const [tag, value] of tagsOf(file, offset, length)) tags.set(tag, value)
  const textOf = (tag: number) => {
    const text = new TextDecoder().decode(tags.get(tag)).replace(/\0+$/, '').trim()
    return text === '' ? undefined : text
  }
  const version = textOf(Tag.Version)
  const device = textOf(Tag.Device)
  return { ...(version !== undefined && { version }), ...(device !== undefined && { device }) }
}

function tagsOf(file: Uint8Array, offset: number, length: number): Map<number, Uint8Array> {
  const tags = new Map<number, Uint8Array>()
  const data = file.subarray(offset + dataAt, offset + dataAt + mostPayload)
  const aligned = (at: number) => (at + 3) & ~3
  for (let at = aligned(length); at + 4 <= data.length;) {
    const [size, low, middle, high] = data.subarray(at, at + 4) as unknown as [number, number, number, number]
    const isLast = size < 4 || size === 0xff || at + size > data.length
    if (isLast) break
    tags.set(low | (middle << 8) | (high << 16), data.subarray(at + 4, at + size))
    at = aligned(at + size)
  }
  return tags
}

export interface Uf2Options {
  /** Id of the chip family, see `uf2-families.ts`. */
  readonly family?: number | undefined
}

/**
 * Whole pages of 256 bytes, as boot loaders ask for them; what a page lacks becomes 0xff, as in erased flash.
 * @throws `bad-file` `address-overflow` for what the ROM of RP2040 takes for no file.
 */
export function formatUf2(segments: Image['segments'], { family }: Uf2Options = {}): Uint8Array<ArrayBuffer> {
  const isRp2040 = family === rp2040
  if (isRp2040) refuseForRp2040(segments)
  const pages = new Map<number, Uint8Array>()
  for (const { address, bytes } of segments)
    for (let done = 0; done < bytes.length;) {
      const from = (address + done) % pageBytes
      const start = address + done - from
      const part = bytes.subarray(done, done + pageBytes - from)
      const page = pages.get(start) ?? blank(pageBytes)
      page.set(part, from)
      pages.set(start, page)
      done += part.length
    }
  if (isRp2040) fillSectors(pages)
  const file = new Uint8Array(pages.size * blockBytes)
  const view = new DataView(file.buffer)
  let offset = 0
  for (const [address, page] of [...pages].sort(([a], [b]) => a - b)) {
    const flags = family === undefined ? 0 : Flag.FamilyId
    const { Start0, Start1, End } = Magic
    const words = [Start0, Start1, flags, address, pageBytes, offset / blockBytes, pages.size, family ?? 0]
    words.forEach((word, i) => {
      view.setUint32(offset + i * 4, word, true)
    })
    file.set(page, offset + dataAt)
    view.setUint32(offset + 508, End, true)
    offset += blockBytes
  }
  return file
}

function refuseForRp2040(segments: Image['segments']): void {
  const isIn = ({ address, bytes }: Segment, range: Range) =>
    address >= range.address && address + bytes.length <= range.address + range.length
  const isRam = segments[0] && !isIn(segments[0], rp2040Flash)
  const places = isRam ? rp2040Ram : [rp2040Flash]
  const wrong = segments.find((segment) => !places.some((range) => isIn(segment, range)))
  if (wrong)
    throw new FlashError('bad-file', { format: name, why: 'address-overflow', address: wrong.address })
}

/**
 * The ROM erases a sector at the first block of each sixteen, by their numbers, not by their addresses. So each
 * sector of the flash that is touched has to come whole: pico-bootrom-rp2040, `virtual_disk.c`.
 */
function fillSectors(pages: Map<number, Uint8Array>): void {
  for (const address of [...pages.keys()]) {
    if (address >= rp2040Flash.address + rp2040Flash.length) continue
    const sector = address - (address % sectorBytes)
    for (let page = sector; page < sector + sectorBytes; page += pageBytes)
      if (!pages.has(page)) pages.set(page, blank(pageBytes))
  }
}

export default {
  id: 'uf2',
  name,
  magic: (bytes) => startsWith(bytes, 'UF2\n'),
  names: /\.uf2$/i,
  ending: 'uf2',
  parse: parseUf2,
  write: ({ segments, claims }) => formatUf2(segments, { family: familyNamed(claims.chip) }),
} satisfies FileFormat

function familyNamed(chip: string | undefined): number | undefined {
  const id = Object.keys(familyNames).find((one) => familyNames[Number(one)] === chip)
  return id === undefined ? undefined : Number(id)
}
