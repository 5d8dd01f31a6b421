/**
 * TI-TXT, as MSP430 tools write it: `@` and an address, bytes as pairs of digits, `q` at the end. Document:
 * Texas Instruments, SLAU101, A.2. Its rules of even addresses and of 16 bytes a line are not kept by tools,
 * so they are not asked for here.
 */
import type { FlashError } from '#core/errors.ts'
import type { FileFormat } from './file-format.ts'
import {
  afterEnd,
  byteAt,
  hasByteOrderMark,
  isDigit,
  isSpace,
  lineAt,
  notText,
  refusingText,
  shown,
  wrong,
} from './hex-text.ts'
import { buildImage, placesAmong, type Image } from './image.ts'
import { Runs, tooManyRuns } from './runs.ts'

const name = 'TI-TXT'
const sectionCode = 0x40 // @
const isEnd = (character: number | undefined) => character === 0x71 || character === 0x51 // q Q

/** @throws `bad-file` only. */
export function parseTiTxt(text: Uint8Array): Image {
  const runs = new Runs(text.length >> 1)
  const end = scan(text, (address, byte, at) => {
    if (runs.isFull) throw bad(text)('bad-structure', at, { found: tooManyRuns })
    runs.bytes[runs.filled] = byte
    runs.take(address, 1)
  })
  return buildImage(name, runs.pieces(), {
    warnings: afterEnd(text, end, sectionCode),
    places: (wanted) => {
      const given: { address: number; bytes: Uint8Array; offset: number }[] = []
      scan(text, (address, byte, offset) => {
        if (address === wanted) given.push({ address, bytes: Uint8Array.of(byte), offset })
      })
      const { offset = 0, firstOffset = 0 } = placesAmong(() => given)(wanted)
      return { offset, line: lineAt(text, offset), firstLine: lineAt(text, firstOffset) }
    },
  })
}

/** Hands out every byte with its address and place; gives where the text ends. @throws `bad-file`. */
function scan(text: Uint8Array, take: (address: number, byte: number, at: number) => void): number {
  let address: number | undefined
  for (let at = hasByteOrderMark(text) ? 3 : 0; ;) {
    while (isSpace(text[at])) at++
    if (at === text.length) throw bad(text)(address === undefined ? 'empty' : 'no-end-record', at)
    const start = at
    if (isEnd(text[at])) {
      at++
    } else if (text[at] === sectionCode) {
      at = wordEnd(text, start + 1)
      if (at === start + 1 || at > start + 9) throw notAWord(text, start + 1, start === 0)
      address = parseInt(String.fromCharCode(...text.subarray(start + 1, at)), 16)
    } else {
      const byte = byteAt(text, at)
      if (byte === wrong) throw notAWord(text, start, address === undefined)
      if (address === undefined) throw bad(text)('bad-structure', at) // a byte, and no address yet
      if (address >= 2 ** 32) throw bad(text)('address-overflow', at)
      take(address++, byte, at)
      at += 2
    }
    if (at < text.length && !isSpace(text[at]) && text[at] !== 0x1a)
      throw notAWord(text, start, address === undefined)
    if (isEnd(text[start])) return at
  }
}

const bad = (text: Uint8Array) => refusingText(name, text)

function notAWord(text: Uint8Array, at: number, isFirst: boolean): FlashError {
  const end = wordEnd(text, at)
  if (end === text.length) return bad(text)('truncated', end)
  const binary = notText(isFirst ? text : text.subarray(0, end + 1), end)
  if (isSpace(text[end]) || end >= at + mostDigits) return bad(text)('bad-length', at)
  const found = shown(text[binary ?? end] as number)
  return bad(text)(binary === undefined ? 'bad-digit' : 'not-text', binary ?? end, { found })
}

const mostDigits = 9

/** After the digits from `at` on, at most one more than an address has. */
function wordEnd(text: Uint8Array, at: number): number {
  let end = at
  while (end < at + mostDigits && isDigit(text[end])) end++
  return end
}

export default {
  id: 'ti-txt',
  name,
  shape: (head) => /^(\xef\xbb\xbf)?\s*@[0-9a-f]{1,8}\s+([0-9a-f]{2}\s|q|@)/i.test(head),
  parse: (bytes) => parseTiTxt(bytes),
} satisfies FileFormat
