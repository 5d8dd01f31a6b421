/**
 * DfuSe, both ways: images for the alternate settings of a device, each of elements with addresses, and a DFU
 * suffix. A file for several alternate settings is read one by one: their addresses may mean other memories.
 * Document: STMicroelectronics, UM0391, "DfuSe File Format Specification".
 */
import { ByteWriter } from '#core/bytes.ts'
import { readDfuSuffix, withDfuSuffix } from './dfu-suffix.ts'
import { choosePart, refusing, startsWith, type FileFormat, type ParseOptions } from './file-format.ts'
import { buildImage, placesAmong, totalBytes, type Claims, type Image } from './image.ts'

const name = 'DfuSe'
const prefixBytes = 11
const targetBytes = 274
const nameBytes = 255
const elementBytes = 8
/** More is no firmware; it would only cost memory. */
const mostElements = 65_536

interface Element {
  readonly address: number
  readonly bytes: Uint8Array
  readonly offset: number
}

interface Target {
  readonly id: string
  readonly name: string
  /** As the file names it. */
  readonly title: string
  readonly elements: Element[]
}

const bad = refusing(name)
const counts = (found: number, expected: number) => ({ found: String(found), expected: String(expected) })

/** @throws `bad-file` only. */
export function parseDfuSe(file: Uint8Array, options: ParseOptions = {}): Image {
  if (!startsWith(file, 'DfuSe')) throw bad('bad-magic', 0)
  const { content, usb } = readDfuSuffix(name, file)
  const targets = targetsOf(content)
  const { title, elements } = choosePart(
    name,
    [...targets.values()].map((target) => ({ ...target, sizeBytes: totalBytes(target.elements) })),
    options.part,
  )
  return buildImage(name, elements, {
    claims: { usb, ...(title !== '' && { name: title }) },
    warnings: targets.size > 1 ? [{ code: 'parts-left-out' }] : [],
    places: placesAmong(() => elements),
  })
}

/** By alternate setting. */
function targetsOf(content: Uint8Array): Map<number, Target> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  let at = 0
  /** The next `length` bytes, which have to be there. */
  const take = (length: number): number => {
    if (length > content.length - at) throw bad('truncated', at)
    at += length
    return at - length
  }
  const prefix = take(prefixBytes)
  if (view.getUint8(prefix + 5) !== 1) throw bad('bad-structure', 5, counts(view.getUint8(5), 1))
  const size = view.getUint32(prefix + 6, true)
  if (size !== content.length) throw bad('bad-length', 6, counts(size, content.length))

  const targets = new Map<number, Target>()
  let elements = 0
  for (let left = view.getUint8(prefix + 10); left > 0; left--) {
    const start = take(targetBytes)
    if (!startsWith(content, 'Target', start)) throw bad('bad-magic', start)
    const alternate = view.getUint8(start + 6)
    const isNamed = view.getUint32(start + 7, true) !== 0
    const title = isNamed ? textOf(content.subarray(start + 11, start + 11 + nameBytes)) : ''
    const targetSize = view.getUint32(start + 266, true)
    const target: Target = targets.get(alternate) ?? {
      id: String(alternate),
      name: title === '' ? String(alternate) : `${alternate} (${title})`,
      title,
      elements: [],
    }
    for (let more = view.getUint32(start + 270, true); more > 0; more--) {
      const element = take(elementBytes)
      if (++elements > mostElements)
        throw bad('bad-structure', element, { found: `over ${mostElements} elements` })
      const address = view.getUint32(element, true)
      const length = view.getUint32(element + 4, true)
      const offset = take(length)
      target.elements.push({ address, bytes: content.subarray(offset, offset + length), offset })
    }
    const found = at - start - targetBytes
    if (found !== targetSize) throw bad('bad-length', start + 266, counts(targetSize, found))
    targets.set(alternate, target)
  }
  if (at !== content.length) throw bad('bad-length', at, counts(content.length - at, 0))
  return targets
}

const textOf = (bytes: Uint8Array): string =>
  new TextDecoder()
    .decode(bytes)
    .replace(/\0[^]*$/, '')
    .trim()

export interface DfuSeOptions {
  readonly alternate?: number
  readonly name?: string | undefined
  readonly usb?: Claims['usb']
}

/** One image for one alternate setting. */
export function formatDfuSe(
  segments: Image['segments'],
  { alternate = 0, name: title = '', usb = {} }: DfuSeOptions = {},
): Uint8Array<ArrayBuffer> {
  const size = segments.reduce((sum, { bytes }) => sum + elementBytes + bytes.length, 0)
  const content = new Uint8Array(prefixBytes + targetBytes + size)
  const head = new ByteWriter()
    .bytes(new TextEncoder().encode('DfuSe'))
    .u8(1)
    .u32le(content.length)
    .u8(1)
    .bytes(new TextEncoder().encode('Target'))
    .u8(alternate)
    .u32le(title === '' ? 0 : 1)
  content.set(head.done())
  content.set(new TextEncoder().encode(title).subarray(0, nameBytes), prefixBytes + 11)
  const view = new DataView(content.buffer)
  view.setUint32(prefixBytes + 266, size, true)
  view.setUint32(prefixBytes + 270, segments.length, true)
  let at = prefixBytes + targetBytes
  for (const { address, bytes } of segments) {
    view.setUint32(at, address, true)
    view.setUint32(at + 4, bytes.length, true)
    content.set(bytes, at + elementBytes)
    at += elementBytes + bytes.length
  }
  return withDfuSuffix(content, 0x011a, usb)
}

export default {
  id: 'dfuse',
  name,
  magic: (bytes) => startsWith(bytes, 'DfuSe'),
  ending: 'dfu',
  parse: parseDfuSe,
  write: ({ segments, claims }) => formatDfuSe(segments, { name: claims.name, usb: claims.usb }),
} satisfies FileFormat
