/**
 * From the bytes of a file to its image, in one pass: recognised by content first and by name second, unwrapped,
 * parsed, and held against what it says of its own bytes. What is recognised and cannot be read is refused by
 * its name and never taken for a raw binary. The formats are the files `*.format.ts`.
 */
import { FlashError, isFlashError } from '#core/errors.ts'
import binary from './binary.format.ts'
import {
  choosePart,
  mostFileBytes,
  refuseTooLarge,
  startsWith,
  type FileFormat,
  type Inside,
  type Fast,
  type ParseOptions,
  type Wrapper,
} from './file-format.ts'
import type { Image } from './image.ts'

type Format = FileFormat | Wrapper

const found = import.meta.glob<Format>('./*.format.ts', { eager: true, import: 'default' })
export const formats: readonly Format[] = Object.values(found)

/** A format that can be written, for people to choose. */
export interface Writable {
  readonly id: string
  readonly name: string
  readonly ending: string
}

const writers = formats.flatMap((format) => {
  if (!('write' in format) || !format.ending) return []
  const { id, name, ending, write } = format
  return [{ id, name, ending, write }]
})
export const writable: readonly Writable[] = writers.map(({ id, name, ending }) => ({ id, name, ending }))

/** @throws `bad-file` for what the format cannot hold. */
export function writeImage(id: string, image: Pick<Image, 'segments' | 'claims'>): Uint8Array<ArrayBuffer> {
  const writer = writers.find((one) => one.id === id)
  if (!writer) throw new FlashError('bug', { during: `writing ${id}` })
  return writer.write(image)
}

/** Recognised and not read, by their first bytes, a character a byte. */
const foreignMagics: readonly (readonly [name: string, magic: string])[] = [
  ['7z', "7z\xbc\xaf'\x1c"],
  ['RAR', 'Rar!\x1a\x07'],
  ['xz', '\xfd7zXZ\0'],
  ['bzip2', 'BZh'],
  ['LZ4', '\x04\x22\x4d\x18'],
  ['Zstandard', '\x28\xb5\x2f\xfd'],
  ['AppleDouble', '\0\x05\x16\x07'],
  ['PDF', '%PDF-'],
  ['PNG', '\x89PNG\r\n\x1a\n'],
  ['GIF', 'GIF87a'],
  ['GIF', 'GIF89a'],
  ['Ogg', 'OggS\0'],
  ['FLAC', 'fLaC\0'],
  ['Matroska', '\x1a\x45\xdf\xa3'],
  ['Mach-O', '\xcf\xfa\xed\xfe'],
  ['Mach-O', '\xce\xfa\xed\xfe'],
  ['WebAssembly', '\0asm\x01\0\0\0'],
  ['SQLite', 'SQLite format 3\0'],
  ['CAB', 'MSCF\0\0\0\0'],
  ['ar', '!<arch>\n'],
  ['MS Office, MSI', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'],
]

/**
 * Recognised and not read, by first bytes that code might begin with too, so by one of the words at an offset as
 * well: no chip's own program is to be refused.
 */
const foreignPairs: readonly (readonly [
  name: string,
  magic: string,
  at: number,
  words: readonly string[],
])[] = [
  ['JPEG', '\xff\xd8\xff\xe0', 6, ['JFIF\0']],
  ['JPEG', '\xff\xd8\xff\xe1', 6, ['Exif\0', 'http:']],
  ['JPEG', '\xff\xd8\xff\xdb', 4, ['\0\x43', '\0\x84']],
  ['JPEG', '\xff\xd8\xff\xee', 6, ['Adobe']],
  ['WebP', 'RIFF', 8, ['WEBP']],
  ['WAV', 'RIFF', 8, ['WAVE']],
  ['AVI', 'RIFF', 8, ['AVI ']],
  ['BMP', 'BM', 14, ['\x0c\0\0\0', '\x28\0\0\0', '\x6c\0\0\0', '\x7c\0\0\0']],
  ['TIFF', 'II*\0', 4, ['\x08\0\0\0']],
  ['TIFF', 'MM\0*', 4, ['\0\0\0\x08']],
  ['MP3', 'ID3', 3, ['\x02\0', '\x03\0', '\x04\0']],
  ['MP4', '\0\0\0', 4, ['ftyp']],
  ['Mach-O', '\xca\xfe\xba\xbe\0\0\0', 7, ['\x01', '\x02', '\x03', '\x04']], // for so many processors
  ['Java class', '\xca\xfe\xba\xbe', 4, ['\0\0\0', '\0\x03\0', '\xff\xff\0']],
]

/** Recognised and not read, by the form of their first line. A saved error page is the most common wrong download. */
const foreignShapes: readonly (readonly [name: string, shape: RegExp])[] = [
  ['HTML', /^\s*<(!doctype|html|head|\?xml)/i],
  ['Git LFS pointer', /^version https:\/\/git-lfs/],
]

/** A wrapper in a wrapper is all that is ever meant. */
const mostWrappers = 2

function read(is: (format: Format) => boolean | undefined): { format: Format } | undefined {
  const format = formats.find(is)
  return format && { format }
}
const formatNamed = (name: string) => read(({ names }) => names?.test(name))

/** What a file is, by its content and name; undefined: nothing that is known. */
function detectFormat(bytes: Uint8Array, name: string): { format: Format } | { foreign: string } | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 256))
  const isText = /^[\t\n\r\x20-\x7e]*$/.test(head)
  const refused = (foreign: string | undefined) => (foreign === undefined ? undefined : { foreign })
  return (
    read(({ magic }) => magic?.(bytes)) ??
    refused(foreignMagics.find(([, magic]) => head.startsWith(magic))?.[0]) ??
    refused(foreignPairs.find(isPair(head))?.[0]) ??
    refused(isWindowsProgram(bytes) ? 'Windows EXE' : undefined) ??
    refused(startsWith(bytes, '\x01CD001\x01', isoAt) ? 'ISO 9660' : undefined) ??
    read(({ shape }) => shape?.(head)) ??
    refused(foreignShapes.find(([, shape]) => shape.test(head))?.[0]) ??
    formatNamed(name) ??
    refused(isText ? 'text' : undefined)
  )
}

/** What the first `headBytes` of a file tell: how large it may be, and whether it can be read while it comes. */
export function waysToRead(head: Uint8Array, name: string): Pick<FileFormat, 'mostBytes' | 'reader'> {
  const is = detectFormat(head, name)
  return is && 'format' in is && 'parse' in is.format ? is.format : {}
}

/**
 * Wrappers are opened, at most two deep; of several files inside, the one that `part` names is read.
 * @throws `bad-file`: `empty`, `too-large`, `unknown-format` (`found` is the format's own name, if it has one),
 *   `several-parts`, and what the format's own parser says.
 */
export async function readImage(
  bytes: Uint8Array,
  name: string,
  options: ParseOptions & Fast = {},
  depth = 0,
): Promise<Image> {
  if (bytes.length === 0) throw new FlashError('bad-file', { format: 'unknown', why: 'empty' })
  // somebody says of unknown bytes that they are firmware: who gives an address, or the wrapper around them
  const isMeant = options.base !== undefined || depth > 0
  const is = detectFormat(bytes, name) ?? (isMeant ? { format: binary } : undefined)
  if (!is) throw new FlashError('bad-file', { format: 'unknown', why: 'unknown-format' })
  if ('foreign' in is)
    throw new FlashError('bad-file', { format: is.foreign, why: 'unknown-format', found: is.foreign })
  const { format } = is
  refuseTooLarge(bytes.length, 'mostBytes' in format ? format.mostBytes : undefined)
  if (!('unwrap' in format)) return format.parse(bytes, options)
  if (depth === mostWrappers) throw new FlashError('bad-file', { format: format.name, why: 'too-deep' })
  return readInside(format.name, await format.unwrap(bytes, name), options, depth + 1)
}

/** Between the id of a file in a wrapper and the id of a part of that file. */
const deeper = '/'

/** One of the files in a wrapper: the only one that can be firmware, or the one that is chosen. */
async function readInside(
  wrapper: string,
  inside: readonly Inside[],
  { part, ...options }: ParseOptions & Fast,
  depth: number,
): Promise<Image> {
  const read = async (file: Inside, deeperPart: string | undefined): Promise<Image> => {
    const content = await file.read(mostFileBytes + 1)
    if (content.length > mostFileBytes)
      throw new FlashError('bad-file', { format: wrapper, why: 'too-large', expected: 'up to 64 MiB' })
    const more = deeperPart === undefined ? options : { ...options, part: deeperPart }
    const image = await readImage(content, file.name, more, depth)
    const wrappers = [wrapper, ...(image.wrappers ?? [])]
    return { ...image, wrappers, claims: { ...image.claims, ...file.claims } }
  }

  const [only, ...others] = inside
  if (only && others.length === 0) return read(only, part)
  const [own, ...path] = part?.split(deeper) ?? []
  const parts = inside.map((file, i) => ({
    id: String(i),
    name: file.name.slice(-mostNameLetters),
    ...(file.sizeBytes !== undefined && { sizeBytes: file.sizeBytes }),
    file,
  }))
  const { id, name, file } = choosePart(
    wrapper,
    own === undefined ? await firmwareAmong(wrapper, parts) : parts,
    own,
  )
  try {
    const found = await read(file, path.length > 0 ? path.join(deeper) : undefined)
    const image = { ...found, file: found.file ?? name }
    const isSaid = own === undefined || image.warnings.some(({ code }) => code === 'parts-left-out')
    return isSaid ? image : { ...image, warnings: [...image.warnings, { code: 'parts-left-out' }] }
  } catch (cause) {
    if (!isFlashError(cause, 'bad-file') || !cause.detail.parts) throw cause
    const named = cause.detail.parts.map((one) => ({ ...one, id: id + deeper + one.id }))
    throw new FlashError('bad-file', { ...cause.detail, parts: named }, { cause })
  }
}

/** Of the path of a file, more than anybody reads. */
const mostNameLetters = 200

/** Enough to recognise a format by. */
export const headBytes = 1 << 16

/** Archives hold more than firmware: notes, licences, sums. Where nothing is recognised, it may be anything. */
async function firmwareAmong<Part extends { readonly file: Inside }>(
  wrapper: string,
  parts: readonly Part[],
): Promise<Part[]> {
  const recognised: Part[] = []
  const unknown: Part[] = []
  for (const part of parts) {
    const head = await headOf(part.file)
    const is = head ? detectFormat(head, part.file.name) : formatNamed(part.file.name)
    if (!is) unknown.push(part)
    else if ('format' in is) recognised.push(part)
  }
  if (recognised.length > 0) return recognised
  if (unknown.length === 0 && parts.length > 0)
    throw new FlashError('bad-file', { format: wrapper, why: 'no-firmware-inside' })
  return unknown
}

/** Undefined: it is damaged or encrypted, which is said when it is chosen. */
async function headOf(file: Inside): Promise<Uint8Array | undefined> {
  try {
    return await file.read(headBytes)
  } catch (error) {
    if (isFlashError(error, 'bad-file')) return undefined
    throw error
  }
}

const isPair =
  (head: string) =>
  ([, magic, at, words]: (typeof foreignPairs)[number]): boolean =>
    head.startsWith(magic) && words.some((word) => head.startsWith(word, at))

/** Where the first volume of a disk image for CDs begins; what is before it may be anything. */
const isoAt = 0x8000

/** PE format: "MZ", and at 0x3c the offset of "PE\0\0". */
function isWindowsProgram(bytes: Uint8Array): boolean {
  if (bytes.length < 0x40 || !startsWith(bytes, 'MZ')) return false
  return startsWith(bytes, 'PE\0\0', new DataView(bytes.buffer, bytes.byteOffset).getUint32(0x3c, true))
}
