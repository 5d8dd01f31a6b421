/** Bytes that stm32flash 0.7 says of the same. */
import { expect, test } from 'vitest'
import { hexBytes } from '#core/bytes.ts'
import { addressed, command, Command, data, pages, readCount } from './packets.ts'

test.each([
  ['a command', command(Command.Get), '00 ff'],
  ['another', command(Command.ExtendedErase), '44 bb'],
  ['an address', addressed(0x0800_0000), '08 00 00 00 08'],
  ['a count of 256', readCount(256), 'ff 00'],
  ['a count of 184', readCount(184), 'b7 48'],
  ['data', data(Uint8Array.of(1, 2, 3, 4)), '03 01 02 03 04 07'],
  ['pages, with two bytes each', pages([0, 1, 2], true), '00 02 00 00 00 01 00 02 01'],
  ['pages, with one byte each', pages([5], false), '00 05 05'],
])('%s', (_, bytes, expected) => {
  expect(hexBytes(bytes)).toBe(expected)
})
