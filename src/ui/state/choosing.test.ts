import { expect, test } from 'vitest'
import { toFlashError } from '#core/errors.ts'
import { withDfuSuffix } from '#firmware/dfu-suffix.ts'
import { fromFile, needsBase } from './choosing.ts'

const noise = Uint8Array.of(0x0c, 0x94, 0x5c, 0x00, 0xff)

test.each([
  ['firmware.bin', noise, true],
  ['dump.rom', noise, true],
  ['settings.eep', noise, true],
  ['firmware', noise, true],
  ['firmware.fw', noise, true],
  ['firmware.dfu', withDfuSuffix(noise, 0x0100), true],
  ['firmware.hex', noise, false],
  ['firmware.eep', ':00000001FF\n', false],
  ['firmware', '\x7fELF\x01', false],
  ['notes.txt', 'Flash this one.', false],
  ['empty.bin', '', false],
])('of %s the address is asked for only when it is raw or unknown', async (name, content, expected) => {
  const file = new File([content], name)
  const reason = toFlashError(await fromFile(file).catch((error: unknown) => error))
  expect(needsBase(reason)).toBe(expected)
  if (!expected) return
  const { contents } = await fromFile(file, { base: 0x2000 })
  expect(contents.get('flash')).toEqual([{ address: 0x2000, bytes: noise }])
})
