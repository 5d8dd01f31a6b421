/**
 * Which format a file has: by its content first, by its name second. What is recognised and cannot be read
 * is refused by its name and never taken for a raw binary. The formats are the files `*.format.ts`.
 */
import { FlashError } from '#core/errors.ts'
import {
  refuseTooLarge,
  startsWith,
  type FileFormat,
  type Kernels,
  type ParseOptions,
} from './file-format.ts'
import type { Image } from './image.ts'

const found = import.meta.glob<FileFormat>('./*.format.ts', { eager: true, import: 'default' })
export const formats: readonly FileFormat[] = Object.values(found)

/** Recognised and not read, by their first bytes, a character a byte. */
const foreignMagics: readonly (readonly [name: string, magic: string])[] = [
  ['ZIP', 'PK\x03\x04'],
  ['ZIP', 'PK\x05\x06'],
  ['gzip', '\x1f\x8b\x08'],
  ['7z', "7z\xbc\xaf'\x1c"],
  ['RAR', 'Rar!\x1a\x07'],
  ['xz', '\xfd7zXZ\0'],
  ['PDF', '%PDF-'],
]

/** Recognised and not read, by the form of their first line. A saved error page is the most common wrong download. */
const foreignShapes: readonly (readonly [name: string, shape: RegExp])[] = [
  ['HTML', /^\s*<(!doctype|html|head|\?xml)/i],
  ['Git LFS pointer', /^version https:\/\/git-lfs/],
]

/** A wrapper in a wrapper is all that is ever meant. */
const mostWrappers = 2

/** What a file is, by its content and name; undefined: nothing that is known. */
export function detectFormat(
  bytes: Uint8Array,
  name: string,
): { format: FileFormat } | { foreign: string } | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 256))
  const isText = /^[\t\n\r\x20-\x7e]*$/.test(head)
  const read = (is: (format: FileFormat) => boolean | undefined) => {
    const format = formats.find(is)
    return format && { format }
  }
  const refused = (foreign: string | undefined) => (foreign === undefined ? undefined : { foreign })
  return (
    read(({ magic }) => magic?.(bytes)) ??
    refused(foreignMagics.find(([, magic]) => head.startsWith(magic))?.[0]) ??
    refused(isWindowsProgram(bytes) ? 'Windows EXE' : undefined) ??
    read(({ shape }) => shape?.(head)) ??
    refused(foreignShapes.find(([, shape]) => shape.test(head))?.[0]) ??
    read(({ names }) => names?.test(name)) ??
    refused(isText ? 'text' : undefined)
  )
}

/** What the page may ask before a file is read: whether an address is to be asked for. */
export interface Detected {
  /** Of the format. */
  readonly name: string
  readonly isRaw: boolean
}

/** Undefined: nothing that is known. @throws `bad-file` when a wrapper is damaged. */
export function detect(bytes: Uint8Array, name: string, depth = 0): Detected | undefined {
  const is = detectFormat(bytes, name)
  if (!is) return undefined
  if ('foreign' in is) return { name: is.foreign, isRaw: false }
  const { unwrap, isRaw = false } = is.format
  const inside = unwrap && depth < mostWrappers ? detect(unwrap(bytes), insideName, depth + 1) : undefined
  return { name: is.format.name, isRaw: inside?.isRaw ?? isRaw }
}

/** Unknown bytes in a wrapper are a raw binary: the wrapper says that they are firmware. */
const insideName = '.bin'

/**
 * @throws `bad-file`: `empty`, `too-large`, `unknown-format` (`found` is the format's own name, if it has one),
 *   and what the format's own parser says.
 */
export function parseImage(
  bytes: Uint8Array,
  name: string,
  options: ParseOptions & Kernels = {},
  depth = 0,
): Image {
  if (bytes.length === 0) throw new FlashError('bad-file', { format: 'unknown', why: 'empty' })
  refuseTooLarge(bytes.length)
  const is =
    detectFormat(bytes, name) ?? (options.base === undefined ? undefined : detectFormat(bytes, insideName))
  if (!is) throw new FlashError('bad-file', { format: 'unknown', why: 'unknown-format' })
  if ('foreign' in is)
    throw new FlashError('bad-file', { format: is.foreign, why: 'unknown-format', found: is.foreign })
  const { format } = is
  if (format.unwrap && depth === mostWrappers)
    throw new FlashError('bad-file', { format: format.name, why: 'bad-structure' })
  return format.parse(bytes, options, (inner) => parseImage(inner, insideName, options, depth + 1))
}

/** The hashes that a file holds of itself; it has been parsed. @throws `bad-file`. */
export async function proveImage(bytes: Uint8Array, name: string): Promise<void> {
  const is = detectFormat(bytes, name)
  if (!is || 'foreign' in is) return
  const { prove, unwrap } = is.format
  await prove?.(bytes)
  if (unwrap) await proveImage(unwrap(bytes), insideName)
}

/** PE format: "MZ", and at 0x3c the offset of "PE\0\0". */
function isWindowsProgram(bytes: Uint8Array): boolean {
  if (bytes.length < 0x40 || !startsWith(bytes, 'MZ')) return false
  return startsWith(bytes, 'PE\0\0', new DataView(bytes.buffer, bytes.byteOffset).getUint32(0x3c, true))
}
