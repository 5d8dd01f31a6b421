import { expect, test } from 'vitest'
import { compareVersions, firmwareName } from './versions.ts'

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

test.each([
  ['USBasp', '1.11', 'USBasp 1.11'],
  ['Optiboot 4.4', '4.4', 'Optiboot 4.4'],
  ['USBasp 1.05 (clone)', '1.0', 'USBasp 1.05 (clone) 1.0'],
  ['ArduinoISP', undefined, 'ArduinoISP'],
])('%s of version %s is called %s', (name, version, expected) => {
  expect(firmwareName({ name, version })).toBe(expected)
})
