import { expect, test } from 'vitest'
import { compareVersions } from './versions.ts'

test.each([
  ['1.4', '1.04', 0],
  ['1.9', '1.10', -1],
  ['2.0', '1.11', 1],
  ['1.0', '1', 0],
  ['beta', '1', undefined],
  [undefined, '1', undefined],
])('%s against %s', (a, b, expected) => {
  const order = compareVersions(a, b)
  expect(order === undefined ? undefined : Math.sign(order)).toBe(expected)
})
