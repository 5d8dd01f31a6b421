import { expect, test } from 'vitest'
import { rawKind } from './choosing.ts'

const noise = Uint8Array.of(0x0c, 0x94, 0x5c, 0x00, 0xff)

test.each([
  ['firmware.bin', noise, 'binary'],
  ['dump.rom', noise, 'binary'],
  ['settings.eep', noise, 'binary'],
  ['firmware', noise, 'unknown'],
  ['firmware.fw', noise, 'unknown'],
  ['firmware.hex', noise, undefined],
  ['firmware.eep', ':00000001FF\n', undefined],
  ['firmware', '\x7fELF\x01', undefined],
  ['notes.txt', 'Flash this one.', undefined],
  ['empty.bin', '', undefined],
])('of %s the address is asked for only when it is raw or unknown', async (name, content, expected) => {
  expect(await rawKind(new File([content], name))).toBe(expected)
})
