import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  contentPx,
  differences,
  findNext,
  findPrevious,
  likelyCause,
  markFinder,
  parseAddress,
  parseSearch,
  reveal,
  rowAt,
  scrollFor,
  tallestPx,
} from './hex-view.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)
const text = (value: string) => new TextEncoder().encode(value)

describe('rows by arithmetic', () => {
  const extent = fc.record({
    rows: fc.integer({ min: 1, max: 2 ** 21 }),
    rowPx: fc.constantFrom(20, 24),
    viewPx: fc.integer({ min: 100, max: 1000 }),
  })

  test('every row can be scrolled to, also where the content is taller than a browser allows', () => {
    fc.assert(
      fc.property(extent, fc.double({ min: 0, max: 1, noNaN: true }), (size, part) => {
        const last = Math.max(0, size.rows - Math.floor(size.viewPx / size.rowPx))
        const row = Math.round(part * last)
        expect(rowAt(scrollFor(row, size), size)).toBe(contentPx(size) > size.viewPx ? row : 0)
      }),
    )
  })

  test('16 MiB in rows of eight stays below the tallest element', () => {
    expect(contentPx({ rows: 2 ** 21, rowPx: 24, viewPx: 500 })).toBe(tallestPx)
  })

  test('a row is brought into view by the shortest way', () => {
    const size = { rows: 1000, rowPx: 20, viewPx: 200 }
    expect(reveal(5, 20, size)).toBe(5)
    expect(reveal(25, 20, size)).toBe(20)
    expect(reveal(40, 20, size)).toBe(31)
  })
})

describe('what people type', () => {
  test('addresses with and without 0x and underscores', () => {
    expect(parseAddress('0x1f40')).toBe(0x1f40)
    expect(parseAddress(' 0x0800_0000 ')).toBe(0x0800_0000)
    expect(parseAddress('1F')).toBe(0x1f)
    expect(parseAddress('')).toBeUndefined()
    expect(parseAddress('flash')).toBeUndefined()
    expect(parseAddress('123456789')).toBeUndefined()
  })

  test('pairs of hex digits are bytes, quotes make them text', () => {
    expect(parseSearch('de ad')).toEqual(bytes(0xde, 0xad))
    expect(parseSearch('0xDEAD')).toEqual(bytes(0xde, 0xad))
    expect(parseSearch('"de ad"')).toEqual(text('de ad'))
    expect(parseSearch('USBasp')).toEqual(text('USBasp'))
    expect(parseSearch('')).toBeUndefined()
  })
})

describe('search', () => {
  const haystack = text('www.fischl.de USBasp www')

  test('goes on from the cursor and round at the end', () => {
    const wanted = text('www')
    expect(findNext(haystack, wanted, -1)).toBe(0)
    expect(findNext(haystack, wanted, 0)).toBe(21)
    expect(findNext(haystack, wanted, 21)).toBe(0)
    expect(findPrevious(haystack, wanted, 0)).toBe(21)
    expect(findPrevious(haystack, wanted, 21)).toBe(0)
  })

  test('finds nothing that hangs over the end', () => {
    expect(findNext(haystack, text('www.'), 0)).toBe(0)
    expect(findNext(haystack, text('wwww'), 0)).toBeUndefined()
    expect(findPrevious(haystack, text('wwww'), 0)).toBeUndefined()
  })
})

test('marks are found at their bytes and nowhere else', () => {
  const kindAt = markFinder([
    { address: 100, length: 4, kind: 'found' },
    { address: 10, length: 2, kind: 'differs' },
  ])
  expect([9, 10, 11, 12, 99, 100, 103, 104].map(kindAt)).toEqual([
    undefined,
    'differs',
    'differs',
    undefined,
    undefined,
    'found',
    'found',
    undefined,
  ])
})

describe('differences', () => {
  test('are the same bytes as a plain comparison finds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
        const { runs, count } = differences(a, b, { join: 1 })
        const length = Math.max(a.length, b.length)
        const plain = Array.from({ length }, (_, at) => at).filter((at) => a[at] !== b[at])
        expect(count).toBe(plain.length)
        expect(runs.flatMap((run) => Array.from({ length: run.length }, (_, i) => run.offset + i))).toEqual(
          plain,
        )
      }),
    )
  })

  test('close ones are one place, and a flood of places is counted without being listed', () => {
    expect(differences(bytes(0, 1, 2, 3, 4), bytes(9, 1, 2, 9, 4)).runs).toEqual([{ offset: 0, length: 4 }])
    const a = new Uint8Array(1000)
    const b = a.map((_, at) => (at % 10 === 0 ? 1 : 0))
    expect(differences(a, b, { limit: 5 })).toMatchObject({ count: 100, cut: true, runs: { length: 5 } })
  })
})

describe('the likely cause', () => {
  const image = Uint8Array.from({ length: 256 }, (_, at) => (at * 7 + (at >> 3)) & 0xff)
  const changed = (change: (byte: number, at: number) => number) => image.map(change)

  test.each([
    ['equal', image],
    ['length', image.subarray(0, 200)],
    ['blank', changed((byte, at) => (at < 64 ? 0xff : byte))],
    ['one-bit', changed((byte, at) => (at === 33 ? byte ^ 0x10 : byte))],
    ['line', changed((byte) => byte & ~0x04)],
    ['erased-bits', changed((byte, at) => (at < 128 ? byte & 0x3c : byte))],
    ['shifted', changed((_, at) => image[at + 1] ?? 0)],
    ['other', changed((byte, at) => (at % 5 ? byte : byte ^ 0x5a))],
  ] as const)('%s', (cause, found) => {
    expect(likelyCause(image, found)).toBe(cause)
  })
})
