import { describe, expect, test } from 'vitest'
import { fromHex, hexBytes } from '#core/bytes.ts'
import {
  abilitiesOf,
  encodeItems,
  Item,
  itemsStatus,
  memoryFrame,
  memoryOp,
  parseComFreq,
  parseVersion,
  parseVersionEx,
  parseVoltage,
  setComFreq,
  setFreq,
  statusName,
  versionName,
  writeDebugReg,
} from './packets.ts'
import { serialOf } from './identity.ts'

const named = (word: string, isV21: boolean) =>
  versionName(parseVersion(fromHex(`${word} 83 04 48 37`), isV21))

test.each([
  ['29 47', false, 'V2J37S7'],
  ['2a 07', false, 'V2J40S7'],
  ['29 5b', true, 'V2J37M27'],
  ['2b 5f', true, 'V2J45M31'],
  ['13 40', false, 'V1J13'],
  ['30 00', false, 'V3J0'],
  ['24 87', true, 'V2M18S7'], // a board for STM8 alone: its first number is of its drive
])('%s is %s', (word, isV21, name) => {
  expect(named(word, isV21)).toBe(name)
})

test('a version of 12 bytes', () => {
  const version = parseVersionEx(fromHex('03 01 0f 07 05 00 00 00 83 04 4f 37'))
  expect(versionName(version)).toBe('V3J15M7B5S1')
  expect(version).toMatchObject({ vendorId: 0x0483, productId: 0x374f })
})

test.each([
  ['29 47', false, { reachesTargets: true, opensAps: true, rowItems: 64, mostNarrowBytes: 64 }],
  ['27 c7', false, { reachesTargets: true, opensAps: true, rowItems: 0 }], // J31
  ['26 c7', false, { reachesTargets: true, opensAps: false, rowItems: 0 }], // J27
  ['26 47', false, { reachesTargets: false, tellsMore: true }], // J25
])('what %s can do', (word, isV21, can) => {
  expect(abilitiesOf(parseVersion(fromHex(`${word} 83 04 48 37`), isV21))).toMatchObject(can)
})

test('a V3 lists its speeds, and takes longer rows from J2 on', () => {
  const at = (jtag: number) =>
    abilitiesOf({ generation: 3, jtag, swim: 0, mass: 0, bridge: 0, vendorId: 0, productId: 0 })
  expect(at(1)).toMatchObject({ listsSpeeds: true, rowItems: 0, reachesTargets: false })
  expect(at(3)).toMatchObject({ rowItems: 1227, reachesTargets: true, mostNarrowBytes: 64 })
  expect(at(6)).toMatchObject({ mostNarrowBytes: 512 })
})

describe('frames have 16 bytes', () => {
  test.each([
    [memoryFrame(memoryOp[4].read, 0x0800_0000, 0x400), 'f2 07 00 00 00 08 00 04'],
    [memoryFrame(memoryOp[1].write, 0x2000_0001, 3), 'f2 0d 01 00 00 20 03 00'],
    [memoryFrame(memoryOp[2].write, 0x1fff_f800, 2), 'f2 48 00 f8 ff 1f 02 00'],
    [writeDebugReg(0xe000_edf0, 0xa05f_0003), 'f2 35 f0 ed 00 e0 03 00 5f a0'],
    [setFreq('SWD', 798), 'f2 43 1e 03'],
    [setFreq('JTAG', 256), 'f2 44 00 01'],
    [setComFreq('SWD', 3_300_000), 'f2 61 00 00 e4 0c'],
    [setComFreq('JTAG', 3_300_000), 'f2 61 01 00 e4 0c'],
  ])('%#', (frame, bytes) => {
    expect(frame).toHaveLength(16)
    expect(hexBytes(frame)).toBe(bytes.padEnd(47, ' 00'))
  })
})

test('a row: codes up to a whole word, then a word for each', () => {
  const row = encodeItems([
    [Item.Address, 0xe000_edf8],
    [Item.Write, 0x2000_0000],
    [Item.Read, 0xe000_edf0],
  ])
  expect(hexBytes(row)).toBe('01 02 03 00 f8 ed 00 e0 00 00 00 20 f0 ed 00 e0')
})

test('the statuses of a row come behind its values', () => {
  expect(itemsStatus(fromHex('11 00 00 00 00 00 00 00 80 00 00 00 80 00 00 00'), 2)).toBeUndefined()
  expect(itemsStatus(fromHex('80 00 00 00 80 00 00 00 80 00 00 00 11 00 00 00'), 2)).toBe(0x11)
})

test('speeds of a V3 in Hz', () => {
  const answer = new Uint8Array(52)
  answer.set(fromHex('80 00 00 00 00 00 00 00 02 00 00 00 c0 5d 00 00 e4 0c 00 00'))
  expect(parseComFreq(answer)).toEqual([24_000_000, 3_300_000])
})

test('volts at the target', () => {
  expect(parseVoltage(fromHex('dc 05 00 00 ef 07 00 00'))).toBeCloseTo(3.25, 2)
  expect(parseVoltage(new Uint8Array(8))).toBe(0)
})

test('statuses by the names that the field gives them', () => {
  expect([0x80, 0x11, 0x14, 0x99].map(statusName)).toEqual(['Ok', 'ApFault', 'DpWait', '0x99'])
})

test('an older serial number is made of digits', () => {
  expect(serialOf('S\u00ffp\u0006Hf\u0050\u0057\u0055\u0050\u0049\u0087')).toBe('53FF70064866505755504987')
  expect(serialOf('066DFF495056805087194551')).toBe('066DFF495056805087194551')
})
