/**
 * Any character of a text changed into any other: it says the same, or it is refused with line, column and reason. The one
 * character that no checksum covers is the type of an S-record; it is remarked upon.
 */
import { describe, expect, it } from 'vitest'
import { equal } from '#core/bytes.ts'
import { isFlashError } from '#core/errors.ts'
import { fastest } from '#kernels/kernels.ts'
import type { Image } from './image.ts'
import { formatIntelHex, parseIntelHex } from './intel-hex.ts'
import { formatSRecord, parseSRecord } from './s-record.ts'
import { textOf } from './test-images.ts'

const { fastRecords } = await fastest()
const segments = [
  { address: 0x7ff0, bytes: Uint8Array.from({ length: 20 }, (_, i) => i * 5) },
  { address: 0x1_2340, bytes: Uint8Array.of(1) },
]
const formats = {
  'Intel HEX': { text: formatIntelHex(segments, { entry: 0x7ff0 }), parse: parseIntelHex },
  'S-record': { text: formatSRecord(segments, { entry: 0x7ff0, name: 'a' }), parse: parseSRecord },
}

const isSame = (image: Image): boolean =>
  image.segments.length === segments.length &&
  segments.every(({ address, bytes }, i) => {
    const found = image.segments[i]
    return found?.address === address && equal(found.bytes, bytes)
  })

/** Undefined: all is well. */
function whatIsWrong(read: () => Image, text: Uint8Array, isType: boolean): string | undefined {
  try {
    const image = read()
    if (isSame(image) || (isType && image.warnings.length > 0)) return undefined
    return 'it was read as something else'
  } catch (error) {
    if (!isFlashError(error, 'bad-file')) throw error
    const { offset = -1, line, column = 0 } = error.detail
    const ends = [...textOf(text).matchAll(/\r\n|\r|\n/g)].map(({ index, 0: end }) => index + end.length)
    const before = ends.filter((end) => end <= offset)
    return line === before.length + 1 && column === offset - (before.at(-1) ?? 0) + 1
      ? undefined
      : `the place is said to be ${JSON.stringify(error.detail)}`
  }
}

describe.each(Object.entries(formats))('%s with one character changed', (_, { text, parse }) => {
  it.each([
    ['without', undefined],
    ['with', fastRecords],
  ])(
    '%s kernels',
    (_, fast) => {
      const wrong: string[] = []
      for (let at = 0; at < text.length; at++)
        for (let character = 0; character < 256; character++) {
          const changed = text.with(at, character)
          const isType = text[at - 1] === 0x53
          const what = whatIsWrong(() => parse(changed, fast), changed, isType)
          if (what !== undefined) wrong.push(`${String(at)} to ${String(character)}: ${what}`)
        }
      expect(wrong.slice(0, 5)).toEqual([])
    },
    30_000,
  )
})
