import { expect, test } from 'vitest'
import { mismatchRows, readOf } from './mismatch.ts'

const differing = (...addresses: number[]) =>
  addresses.map((address) => ({ address, expected: address & 0xff, found: 0xff }))
const detail = (count: number, ...addresses: number[]) => {
  const first = differing(...addresses)
  return { memory: 'flash', address: 0, expected: 0, found: 0, ...first[0], count, first }
}

test('differing bytes beside each other share a row, eight at most', () => {
  expect(mismatchRows(detail(3, 0x10, 0x11, 0x20))).toEqual([
    { address: 0x10, expected: '10 11', found: 'ff ff' },
    { address: 0x20, expected: '20', found: 'ff' },
  ])
  const run = Array.from({ length: 10 }, (_, i) => i)
  expect(mismatchRows(detail(10, ...run)).map(({ address }) => address)).toEqual([0, 8])
})

test('an error that knows one byte only shows that one', () => {
  const one = { memory: 'flash', address: 0x10, expected: 0x12, found: 0x13, count: 1 }
  expect(mismatchRows(one)).toEqual([{ address: 0x10, expected: '12', found: '13' }])
})

const page = { address: 0x40, length: 64 }
const expected = Uint8Array.from({ length: 64 }, (_, i) => 0x40 + i)

test('a page that did not verify is shown as it was read', () => {
  const read = readOf(page, expected, detail(2, 0x41, 0x7f))
  expect(read?.length).toBe(64)
  expect([0x40, 0x41, 0x42, 0x7f].map((address) => read?.[address - 0x40])).toEqual([0x40, 0xff, 0x42, 0xff])
})

test('a page with more differences than are known is shown up to the last known one, and no further', () => {
  expect(readOf(page, expected, detail(1000, 0x41, 0x42))).toEqual(Uint8Array.of(0x40, 0xff, 0xff))
})

test('a page without a known difference is not shown as read', () => {
  expect(readOf(page, expected, detail(1, 0x80))).toBeUndefined()
})
