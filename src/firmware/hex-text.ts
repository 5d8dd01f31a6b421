/** What the formats of hexadecimal text share: pairs of digits, places in the text, and what follows its end. */
import { hex } from '#core/bytes.ts'
import type { BadFileDetail, FlashError } from '#core/errors.ts'
import { refusing } from './file-format.ts'
import type { ImageWarning } from './image.ts'

export const wrong = 0x100
/** By two characters as a little-endian word: the byte they spell, or `wrong`. */
export const pairs = new Uint16Array(65_536).fill(wrong)
for (let byte = 0; byte < 256; byte++)
  for (const high of spellings(byte >> 4))
    for (const low of spellings(byte & 15)) pairs[high | (low << 8)] = byte

function spellings(nibble: number): number[] {
  const digit = nibble.toString(16)
  return [digit.charCodeAt(0), digit.toUpperCase().charCodeAt(0)]
}

export const digits = '0123456789ABCDEF'

/** Both digits have been checked. */
export const byteAt = (text: Uint8Array, at: number): number =>
  pairs[(text[at] ?? 0) | ((text[at + 1] ?? 0) << 8)] as number

export const hasByteOrderMark = (text: Uint8Array): boolean =>
  text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf

/** Space, tab, and any kind of line end. */
export const isSpace = (character: number | undefined): boolean =>
  character === 0x20 || character === 0x0d || character === 0x0a || character === 0x09
/** The first that is none, from `at` on. */
export function spaceEnd(text: Uint8Array, at: number, length: number): number {
  while (at < length && isSpace(text[at])) at++
  return at
}
export const isDigit = (character = 0): boolean => /[0-9a-f]/i.test(String.fromCharCode(character))
export const isPrintable = (character: number): boolean => character > 0x20 && character < 0x7f
/** Neither text nor what ends or separates it; Ctrl-Z ends a DOS text. */
export const isControl = (character: number): boolean =>
  (character < 0x20 && character !== 0x1a && !isSpace(character)) || character === 0x7f
export const shown = (character: number): string =>
  isPrintable(character) ? String.fromCharCode(character) : hex(character)

/** Lines count from 1; CR, LF and CRLF end one. */
export function lineAt(text: Uint8Array, offset: number): number {
  let line = 1
  for (let i = 0; i < offset; i++) if (text[i] === 0x0a || (text[i] === 0x0d && text[i + 1] !== 0x0a)) line++
  return line
}

/** In its line, from 1. */
function columnAt(text: Uint8Array, offset: number): number {
  let start = offset
  while (start > 0 && text[start - 1] !== 0x0a && text[start - 1] !== 0x0d) start--
  return offset - start + 1
}

/** As `refusing`, and with line and column. */
export const refusingText =
  (format: string, text: Uint8Array) =>
  (why: BadFileDetail['why'], offset: number, more: Partial<BadFileDetail> = {}): FlashError =>
    refusing(format)(why, offset, { line: lineAt(text, offset), column: columnAt(text, offset), ...more })

/** Ctrl-Z ends a DOS text and is no content. */
const isBlank = (character: number | undefined): boolean => isSpace(character) || character === 0x1a
export const isBlankAfterEnd = (text: Uint8Array): boolean => text.every(isBlank)

export function afterEnd(text: Uint8Array, end: number, startCode: number): ImageWarning[] {
  let offset = end
  while (isBlank(text[offset])) offset++
  if (offset === text.length) return []
  const code = text.indexOf(startCode, offset) < 0 ? 'text-after-end' : 'records-after-end'
  return [{ code, offset, line: lineAt(text, offset) }]
}

/** A binary may begin with a letter: where it shows that this is no text; undefined: it may be text. */
export function notText(text: Uint8Array, at: number): number | undefined {
  const first = text[at] as number
  if (!isPrintable(first)) return at
  const control = text.subarray(at, at + 520).findIndex(isControl)
  return control < 0 ? undefined : at + control
}
