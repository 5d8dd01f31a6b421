/** Golden bytes: from the SDK's structures and picotool's use of them. */
import { describe, expect, test } from 'vitest'
import { hexBytes } from '#core/bytes.ts'
import {
  Command,
  encodeCommand,
  exclusiveArgs,
  askFlash,
  formatFlashInfo,
  formatStatus,
  formatTableInfo,
  parseCommand,
  parseFlashInfo,
  parseStatus,
  parseTableInfo,
  rangeArgs,
  reboot2Args,
  rebootArgs,
} from './packets.ts'

const none = new Uint8Array()

test.each([
  [
    'EXCLUSIVE_ACCESS',
    { token: 1, command: Command.ExclusiveAccess, args: exclusiveArgs(true), transferBytes: 0 },
    '0bd11f43 01000000 01 01 0000 00000000 01000000 00000000 00000000 00000000',
  ],
  [
    'EXIT_XIP',
    { token: 2, command: Command.ExitXip, args: none, transferBytes: 0 },
    '0bd11f43 02000000 06 00 0000 00000000 00000000 00000000 00000000 00000000',
  ],
  [
    'READ of a page',
    { token: 3, command: Command.Read, args: rangeArgs(0x1000_0100, 256), transferBytes: 256 },
    '0bd11f43 03000000 84 08 0000 00010000 00010010 00010000 00000000 00000000',
  ],
  [
    'FLASH_ERASE of a sector',
    { token: 0xffff_ffff, command: Command.FlashErase, args: rangeArgs(0x101f_f000, 4096), transferBytes: 0 },
    '0bd11f43 ffffffff 03 08 0000 00000000 00f01f10 00100000 00000000 00000000',
  ],
  [
    'REBOOT',
    { token: 5, command: Command.Reboot, args: rebootArgs(500), transferBytes: 0 },
    '0bd11f43 05000000 02 0c 0000 00000000 00000000 00200420 f4010000 00000000',
  ],
  [
    'REBOOT2',
    { token: 6, command: Command.Reboot2, args: reboot2Args(500), transferBytes: 0 },
    '0bd11f43 06000000 0a 10 0000 00000000 00000000 f4010000 00000000 00000000',
  ],
  [
    'GET_INFO of the flash',
    { token: 7, command: Command.GetInfo, args: askFlash.args, transferBytes: 12 },
    '0bd11f43 07000000 8b 10 0000 0c000000 01000000 08000000 00000000 00000000',
  ],
])('%s', (_, block, expected) => {
  const bytes = encodeCommand(block)
  expect(hexBytes(bytes, '')).toBe(expected.replaceAll(' ', ''))
  expect(parseCommand(bytes)).toEqual(block)
})

test('what is no command is none', () => {
  const bytes = encodeCommand({ token: 1, command: Command.ExitXip, args: none, transferBytes: 0 })
  expect(parseCommand(bytes.subarray(0, 31))).toBeUndefined()
  expect(parseCommand(Uint8Array.from(bytes, (byte, i) => (i === 0 ? byte ^ 1 : byte)))).toBeUndefined()
})

describe('a status', () => {
  test('names its command and what became of it', () => {
    const bytes = formatStatus(0x1234_5678, 'BAD_ALIGNMENT', Command.Read, false)
    expect(hexBytes(bytes, '')).toBe('78563412050000008400000000000000')
    expect(parseStatus(bytes)).toEqual({
      ...{ token: 0x1234_5678, status: 'BAD_ALIGNMENT', command: Command.Read, inProgress: false },
    })
  })

  test('that has no name is told as a number, and one that is too short not at all', () => {
    const bytes = formatStatus(1, 'OK', 6, true)
    bytes[4] = 0x77
    expect(parseStatus(bytes)).toMatchObject({ status: '0x77', inProgress: true })
    expect(() => parseStatus(bytes.subarray(1))).toThrow('short-transfer')
  })
})

describe('the flash that an RP2350 is set up for', () => {
  test('is 16 MiB where its one-time memory says nothing', () => {
    expect(hexBytes(formatFlashInfo(16 << 20))).toBe('02 00 00 00 08 00 00 00 00 0c 00 00')
    expect(parseFlashInfo(formatFlashInfo(16 << 20))).toBe(16 << 20)
    expect(parseFlashInfo(formatFlashInfo(8192))).toBe(8192)
  })

  test('is not told by another answer', () => {
    const answer = formatFlashInfo(1 << 20)
    expect(parseFlashInfo(answer.map((byte, i) => (i === 9 ? 0 : byte)))).toBeUndefined()
    expect(parseFlashInfo(answer.map((byte, i) => (i === 4 ? 1 : byte)))).toBeUndefined()
  })
})

test('a partition table is told by the second byte behind what is told', () => {
  const [answer, none] = [formatTableInfo(true), formatTableInfo(false)]
  expect(hexBytes(answer.subarray(0, 12))).toBe('04 00 00 00 01 00 00 00 01 01 00 00')
  expect([parseTableInfo(answer), parseTableInfo(none)]).toEqual([true, false])
  expect(parseTableInfo(answer.map((byte, i) => (i === 4 ? 2 : byte)))).toBe(false)
})
