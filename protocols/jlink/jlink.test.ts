/** Bytes as the specification and its examples have them, and the oddities of this probe. */
import { expect, test } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import type { SeenUsb } from '#core/programmer.ts'
import { findPipes } from './descriptors.ts'
import identity, { wordsOf } from './identity.ts'
import { olderThanKnown } from './newest.ts'
import {
  Can,
  Command,
  hardwareText,
  io,
  parseCapabilities,
  parseFirmware,
  parseHardwareVersion,
  parseRegistration,
  parseSpeeds,
  parseVoltageMv,
  register,
  selectInterface,
  setSpeed,
  typeName,
  unregister,
} from './packets.ts'
import { Scans } from '#chips/jtag-chain.ts'
import { accessFor, answerFrom, Instruction, instructionFor } from './jtag-bits.ts'
import {
  answerAt,
  encodeHead,
  encodeReadTail,
  encodeRow,
  encodeSequence,
  encodeWriteTail,
  requestByte,
} from './swd-bits.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const text = (value: string) => new TextEncoder().encode(value)

test.each([
  [
    'J-Link V9 compiled May 17 2019 09:50:41',
    { model: 'J-Link V9', date: '2019-05-17', newest: '2023-12-08' },
  ],
  ['J-Link V9 compiled Dec  8 2023 20:16:22', undefined],
  ['J-Link ARM V8 compiled Nov 28 2014 13:44:46', undefined],
  ['J-Link OB-SAM3U128 V1 compiled Aug 22 2012 19:52:04', undefined],
])('%s: whether a newer firmware is known', (said, values) => {
  const firmware = parseFirmware(new TextEncoder().encode(said))
  expect(olderThanKnown(firmware)?.values).toEqual(values)
})

test('requests are the bytes of the specification', () => {
  const bytes = (isAp: boolean, write?: number) =>
    [0, 4, 8, 0xc].map((address) => requestByte({ isAp, address, ...(write !== undefined && { write }) }))
  expect(bytes(false)).toEqual([0xa5, 0x8d, 0x95, 0xbd])
  expect(bytes(false, 0)).toEqual([0x81, 0xa9, 0xb1, 0x99])
  expect(bytes(true)).toEqual([0x87, 0xaf, 0xb7, 0x9f])
  expect(bytes(true, 0)).toEqual([0xa3, 0x8b, 0x93, 0xbb])
})

test('a read and a write are 46 bits each, with who drives them', () => {
  const read = encodeRow([{ isAp: false, address: 0 }])
  expect([read.count, hex(read.a), hex(read.b)]).toEqual([54, 'ff00000000c03f', 'a5000000000000'])
  // 0000_001E behind thirteen bits, and its parity, which is even
  const write = encodeRow([{ isAp: false, address: 0, write: 0x1e }])
  expect([write.count, hex(write.a), hex(write.b)]).toEqual([54, 'ffe0ffffffff3f', '81c00300000000'])
})

test('a head ends with the acknowledge, a tail with idle bits', () => {
  expect([
    encodeHead({ isAp: false, address: 0 }).count,
    encodeHead({ isAp: false, address: 0, write: 1 }).count,
  ]).toEqual([11, 13])
  expect([encodeReadTail(true).count, encodeReadTail(false).count, encodeWriteTail(0).count]).toEqual([
    43, 10, 41,
  ])
  expect(hex(encodeWriteTail(1).b)).toBe('010000000100') // the word, its parity, zeros
  const { count, a, b } = encodeSequence(fromHex('9ee7'), 16)
  expect([count, hex(a), hex(b)]).toEqual([16, 'ffff', '9ee7'])
})

test('what is sampled is one clock ahead of the specification', () => {
  // eight bits of request, OK, 1BA0_1477 and its parity
  const bits = (1n << 8n) | (0x1ba0_1477n << 11n) // of which the number of ones is even
  const sampled = Uint8Array.from({ length: 6 }, (_, i) => Number((bits >> BigInt(8 * i)) & 0xffn))
  expect(answerAt(sampled, 0)).toEqual({ ack: 1, value: 0x1ba0_1477, isParityRight: true })
  expect(answerAt(sampled.with(5, (sampled[5] ?? 0) ^ 8), 0).isParityRight).toBe(false)
})

test('commands', () => {
  expect(hex(setSpeed(4000))).toBe('05a00f')
  expect(hex(selectInterface(1))).toBe('c701')
  expect(hex(register())).toBe('0964000000000000000000000000')
  expect(hex(unregister(0x1234))).toBe('0965000000000000000000003412')
  const bits = { count: 12, a: fromHex('ff0f'), b: fromHex('3405') }
  expect(hex(io(Command.Io3, bits))).toBe('cf000c00ff0f3405')
})

test('what it says of itself', () => {
  expect(parseFirmware(text('J-Link V9 compiled May 17 2019 09:50:41\0\0'))).toEqual({
    ...{ text: 'J-Link V9 compiled May 17 2019 09:50:41', date: '2019-05-17', isBootloader: false },
  })
  expect(parseFirmware(text('J-Link ARM V8 compiled Mar  3 2014 10:00:00')).date).toBe('2014-03-03')
  expect(parseFirmware(text('J-Link V10 compiled Jun 3 2015 BTL'))).toMatchObject({ isBootloader: true })
  expect(parseFirmware(text('J-Link')).date).toBeUndefined()
  expect(() => parseFirmware(text('\0'))).toThrow(expect.objectContaining({ code: 'unexpected-answer' }))
  const hardware = parseHardwareVersion(fromHex('905f0100'))
  expect([hardwareText(hardware), typeName(hardware)]).toEqual(['V9.00', 'J-Link'])
  expect(typeName(parseHardwareVersion(fromHex('c0c62d00')))).toBe('J-Link Pro') // 3 00 00 00
  expect([...parseCapabilities(fromHex('00008080'))]).toEqual([23, Can.CapabilitiesEx])
  expect(parseSpeeds(fromHex('006cdc020400'))).toEqual({ baseHz: 48_000_000, leastDivider: 4 })
  expect(parseVoltageMv(fromHex('e40c000000010101'))).toBe(3300)
  expect(parseRegistration(fromHex('0200050010000800'))).toEqual({ handle: 2, length: 96 })
  expect(() => parseRegistration(fromHex('0200ffffffff0800'))).toThrow(/unexpected-answer/)
})

test('its interface is the one of the vendor’s own class with one bulk pipe each way', () => {
  const serial = '09040000020a0000000705020240000007058202400000'
  const own = '0904010002ffffff000705030240000007058102400000'
  const configuration = fromHex(`09020000020100c032${serial}${own}`)
  expect(findPipes(configuration)).toEqual({ out: 3, in: 1 })
  const third = fromHex(`09020000020100c032${own}07058402400000`)
  expect(findPipes(third)).toBeUndefined()
  expect(findPipes(fromHex('0000'))).toBeUndefined()
})

const seen = (productId: number, ...codes: number[]): SeenUsb => ({
  ...{ link: 'usb', vendorId: 0x1366, productId, deviceVersion: [1, 0, 0], deviceClass: 0 },
  ...{ manufacturer: 'SEGGER', product: 'J-Link', serial: '000123456789' },
  interfaces: codes.map((code, number) => ({ number, classCode: code, subclass: code, protocol: code })),
})

test('whatever its id is, it is one by its interface; with only a serial port it says so', () => {
  expect(identity.recognise(seen(0x1055, 2, 10, 0xff))?.usable).toBe(true)
  const serialOnly = identity.recognise(seen(0x0106, 2, 10))
  expect([serialOnly?.usable, serialOnly?.notices.map(({ code }) => code)]).toEqual([
    false,
    ['jlink-serial-only'],
  ])
  expect(identity.recognise({ ...seen(0x0101, 0xff), vendorId: 0x0483 })).toBeUndefined()
})

test('of a long answer a bug report keeps the acknowledges, of the firmware’s name all', () => {
  const version = text('J-Link V9 compiled May 17 2019 09:50:41')
  expect(wordsOf(version, Uint8Array.of(Command.Version))).toBe(version)
  const rows = encodeRow(Array.from({ length: 9 }, () => ({ isAp: true, address: 0xc, write: 0xffff_ffff })))
  const answer = rows.b.map((byte, i) => byte | (rows.a[i] ?? 0) | 0xff)
  const left = wordsOf(answer, io(Command.Io3, rows))
  expect(answerAt(left, 7)).toEqual({ ack: 7, value: 0, isParityRight: true })
})

test('by JTAG it keeps who is in the chain, and the acknowledges too', () => {
  const place = { tapsBefore: 0, instructionBitsBefore: 0, tapsBehind: 1, instructionBitsBehind: 5 }
  const scans = new Scans(2000)
  const starts = Array.from({ length: 12 }, () => {
    scans.instruction(instructionFor(Instruction.Apacc, place))
    return scans.register(accessFor(0xc, undefined, place))
  })
  const sent = io(Command.Io3, { count: scans.count, a: scans.tms, b: scans.tdi })
  const answer = new Uint8Array(Math.ceil(scans.count / 8)).fill(0xff)
  const left = wordsOf(answer, sent)
  expect(starts.map((from) => answerFrom(left, from, place))).toEqual(starts.map(() => ({ ack: 7, word: 0 })))
  const question = io(Command.Io3, {
    count: 96,
    a: fromHex('ffffffffffffff3ce73f0000'),
    b: new Uint8Array(12),
  })
  expect(wordsOf(answer, question)).toBe(answer)
})
