import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHex, hexBytes } from '#core/bytes.ts'
import {
  deviceParameters,
  expectReply,
  getParameter,
  getSignOn,
  getSync,
  leaveProgmode,
  loadAddress,
  MemType,
  Parameter,
  parseDevice,
  progPage,
  readPage,
  readSign,
  Reply,
  setDevice,
  universal,
} from './packets.ts'
import { findAvrPart } from '#chips/avr-parts.ts'

test.each([
  [getSync, '30 20', 0],
  [getSignOn, '31 20', 7],
  [getParameter(Parameter.Major), '41 81 20', 1],
  [readSign, '75 20', 3],
  [leaveProgmode, '51 20', 0],
  [universal([0x30, 0, 1, 0]), '56 30 00 01 00 20', 1],
  [progPage(MemType.Flash, Uint8Array.of(1, 2, 3, 4)), '64 00 04 46 01 02 03 04 20', 0],
  [readPage(MemType.Flash, 128), '74 00 80 46 20', 128],
  [readPage(MemType.Eeprom, 256), '74 01 00 45 20', 256],
] as const)('%o is what AVR061 says', (request, bytes, dataBytes) => {
  expect(hexBytes(request.bytes)).toBe(bytes)
  expect(request.dataBytes).toBe(dataBytes)
})

test('an address travels in words, low byte first', () => {
  expect(hexBytes(loadAddress(0x7e00).bytes)).toBe('55 00 3f 20')
  expect(hexBytes(loadAddress(0x1f000).bytes)).toBe('55 00 f8 20')
})

test('an odd address or one beyond 16 bits of words cannot be asked for', () => {
  expect(() => loadAddress(0x101)).toThrow('LOAD_ADDRESS')
  expect(() => loadAddress(0x2_0000)).toThrow('LOAD_ADDRESS')
})

test('SET_DEVICE carries what avrdude sends for an ATmega328P', () => {
  const part = findAvrPart([0x1e, 0x95, 0x0f])
  if (!part) throw new Error('no ATmega328P')
  const { bytes } = setDevice(deviceParameters(part))
  expect(hexBytes(bytes)).toBe('42 86 00 00 01 01 01 01 03 ff ff ff ff 00 80 04 00 00 00 80 00 20')
})

test('SET_DEVICE is read back as it was written', () => {
  const word = fc.integer({ min: 0, max: 0xffff })
  fc.assert(
    fc.property(
      fc.nat(255),
      word,
      word,
      fc.nat(0x7fffffff),
      (deviceCode, pageBytes, eepromBytes, flashBytes) => {
        const parameters = { deviceCode, pageBytes, eepromBytes, flashBytes }
        expect(parseDevice(setDevice(parameters).bytes.subarray(1, 21))).toEqual(parameters)
      },
    ),
  )
})

test('a refusal is reported by its name, anything else in its place is unexpected', () => {
  expectReply(Reply.InSync, 0x14, getSync)
  expect(() => expectReply(Reply.InSync, 0x15, getSync)).toThrow(
    expect.objectContaining({
      code: 'device-refused',
      detail: { during: 'GET_SYNC', status: 'Resp_STK_NOSYNC' },
    }),
  )
  expect(() => expectReply(Reply.Ok, 0x99, getSync)).toThrow(
    expect.objectContaining({
      code: 'unexpected-answer',
      detail: { during: 'GET_SYNC', sent: hexBytes(fromHex('3020')), found: '0x99' },
    }),
  )
})
