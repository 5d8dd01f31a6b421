/**
 * Which format a file has: by its content first, by its name second. What is recognised and cannot be read
 * is refused by its name and never taken for a raw binary.
 */
import { FlashError } from '#core/errors.ts'
import { parseBinary } from './binary.ts'
import type { FormatName, Image } from './image.ts'
import { parseIntelHex } from './intel-hex.ts'

/** Larger files are refused before they are read. */
export const mostFileBytes = 64 << 20

export interface ParseOptions {
  /** Where a raw binary goes; given, it also says that an unknown content is meant as a raw binary. */
  readonly base?: number
}

/** By their first bytes, a character a byte. */
const magics: readonly (readonly [name: string, magic: string])[] = [
  ['UF2', 'UF2\nWQ\x5d\x9e'],
  ['ELF', '\x7fELF'],
  ['DfuSe', 'DfuSe'],
  ['ZIP', 'PK\x03\x04'],
  ['ZIP', 'PK\x05\x06'],
  ['gzip', '\x1f\x8b\x08'],
  ['7z', "7z\xbc\xaf'\x1c"],
  ['RAR', 'Rar!\x1a\x07'],
  ['xz', '\xfd7zXZ\0'],
  ['PDF', '%PDF-'],
]

/** By the shape of their first line. A saved error page is the most common wrong download. */
const shapes: readonly (readonly [name: string, shape: RegExp])[] = [
  ['Motorola S-record', /^\s*S[0-9]([0-9a-f]{2}){3}/i],
  ['TI-TXT', /^@[0-9a-f]{1,8}\r?\n/i],
  ['HTML', /^\s*<(!doctype|html|head|\?xml)/i],
  ['Git LFS pointer', /^version https:\/\/git-lfs/],
]

const rawNames = /\.(bin|raw|rom|img|dump|dmp|eep|eeprom|flash)$/i
const hexNames = /\.(hex|ihx|ihex|hx|h86|a43|a90)$/i

/** What a file is, by its content and name; undefined: nothing that is known. */
export function detectFormat(
  bytes: Uint8Array,
  name: string,
): { format: FormatName } | { foreign: string } | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 256))
  const isText = /^[\t\n\r\x20-\x7e]*$/.test(head)
  const foreign =
    magics.find(([, magic]) => head.startsWith(magic))?.[0] ??
    shapes.find(([, shape]) => shape.test(head))?.[0] ??
    (hasDfuSuffix(bytes) ? 'DFU' : isWindowsProgram(bytes) ? 'Windows EXE' : undefined)
  if (foreign !== undefined) return { foreign }
  if (/^(\xef\xbb\xbf)?\s*:[0-9a-f]{2}/i.test(head) || hexNames.test(name)) return { format: 'intel-hex' }
  if (rawNames.test(name)) return { format: 'binary' }
  return isText ? { foreign: 'text' } : undefined
}

/**
 * @throws `bad-file`: `empty`, `too-large`, `unknown-format` (`found` is the format's own name, if it has one),
 *   and what the format's own parser says.
 */
export function parseImage(bytes: Uint8Array, name: string, options: ParseOptions = {}): Image {
  if (bytes.length === 0) throw new FlashError('bad-file', { format: 'unknown', why: 'empty' })
  refuseTooLarge(bytes.length)
  const detected = detectFormat(bytes, name)
  if (detected && 'foreign' in detected)
    throw new FlashError('bad-file', {
      format: detected.foreign,
      why: 'unknown-format',
      found: detected.foreign,
    })
  if (detected?.format === 'intel-hex') return parseIntelHex(bytes)
  if (detected || options.base !== undefined) return parseBinary(bytes, options.base)
  throw new FlashError('bad-file', { format: 'unknown', why: 'unknown-format' })
}

export function refuseTooLarge(sizeBytes: number): void {
  if (sizeBytes <= mostFileBytes) return
  const mebibytes = (size: number) => `${Math.ceil(size / 2 ** 20)} MiB`
  throw new FlashError('bad-file', {
    format: 'unknown',
    why: 'too-large',
    found: mebibytes(sizeBytes),
    expected: mebibytes(mostFileBytes),
  })
}

/** DFU 1.1, appendix B: "DFU" backwards and the suffix's length before the CRC. */
const hasDfuSuffix = (bytes: Uint8Array): boolean =>
  bytes.length > 16 && String.fromCharCode(...bytes.subarray(-8, -4)) === 'UFD\x10'

/** PE format: "MZ", and at 0x3c the offset of "PE\0\0". */
function isWindowsProgram(bytes: Uint8Array): boolean {
  if (bytes.length < 0x40 || bytes[0] !== 0x4d || bytes[1] !== 0x5a) return false
  const at = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0x3c, true)
  return String.fromCharCode(...bytes.subarray(at, at + 4)) === 'PE\0\0'
}
