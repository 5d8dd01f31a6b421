import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  contentPx,
  findNext,
  findPrevious,
  markFinder,
  nearest,
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
    expect(parseSearch('de ad')).toEqual([bytes(0xde, 0xad)])
    expect(parseSearch('0xDEAD')).toEqual([bytes(0xde, 0xad)])
    expect(parseSearch('"de ad"')[0]).toEqual(text('de ad'))
    expect(parseSearch('USB')).toEqual([text('USB'), text('U\0S\0B\0')])
    expect(parseSearch('')).toEqual([])
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

  test('of text finds it with one and with two bytes a letter, whichever is nearer', () => {
    const both = text('..USB..U\0S\0B\0..USB')
    const wanted = parseSearch('USB')
    const forwards = [0, 2, 7, 15].map((from) => nearest(both, wanted, from, findNext)?.offset)
    expect(forwards).toEqual([2, 7, 15, 2])
    const back = [0, 2, 7, 15].map((from) => nearest(both, wanted, from, findPrevious)?.offset)
    expect(back).toEqual([15, 15, 2, 7])
    expect(nearest(both, wanted, 2, findNext)).toEqual({ offset: 7, length: 6 })
    expect(nearest(both, parseSearch('none'), 0, findNext)).toBeUndefined()
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
