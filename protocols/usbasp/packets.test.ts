import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import { isFlashError } from '#core/errors.ts'
import {
  BlockFlag,
  encodeBlock,
  encodeLongAddress,
  encodeSck,
  encodeTransmit,
  parseBlock,
  parseCapabilities,
  parseLongAddress,
  parseTransmit,
} from './packets.ts'

const byte = () => fc.integer({ min: 0, max: 255 })

describe('TRANSMIT', () => {
  it('packs the instruction low byte first: programming enable is AC 53 00 00', () => {
    expect(encodeTransmit([0xac, 0x53, 0x00, 0x00])).toEqual({ value: 0x53ac, index: 0 })
    expect(encodeTransmit([0x30, 0x00, 0x02, 0x00])).toEqual({ value: 0x0030, index: 0x0002 })
  })
  it('comes back as it went', () => {
    fc.assert(
      fc.property(fc.tuple(byte(), byte(), byte(), byte()), (instruction) => {
        expect(parseTransmit(encodeTransmit(instruction))).toEqual(instruction)
      }),
    )
  })
})

describe('SETLONGADDRESS', () => {
  it('puts the low word in wValue and the high word in wIndex', () => {
    expect(encodeLongAddress(0x0003_e000)).toEqual({ value: 0xe000, index: 3 })
  })
  it('comes back as it went', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (address) => {
        expect(parseLongAddress(encodeLongAddress(address))).toBe(address)
      }),
    )
  })
})

describe('WRITEFLASH', () => {
  it('splits the page size around the flags', () => {
    expect(encodeBlock(64, BlockFlag.First)).toBe(0x0140)
    expect(encodeBlock(128, 0)).toBe(0x0080)
    expect(encodeBlock(256, BlockFlag.First)).toBe(0x1100)
    expect(encodeBlock(256, BlockFlag.First | BlockFlag.Last)).toBe(0x1300)
    expect(encodeBlock(0, BlockFlag.Last)).toBe(0x0200)
  })
  it('comes back as it went', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xfff }), fc.integer({ min: 0, max: 3 }), (pageBytes, flags) => {
        expect(parseBlock(encodeBlock(pageBytes, flags))).toEqual({ pageBytes, flags })
      }),
    )
  })
  it('refuses a page size that does not fit its twelve bits', () => {
    expect(() => encodeBlock(0x1000, 0)).toThrow(expect.toSatisfy((error) => isFlashError(error, 'bug')))
  })
})

describe('SETISPSCK', () => {
  it.each([
    [undefined, 0],
    [3_000_000, 13],
    [1_500_000, 12],
    [375_000, 10],
    [187_500, 9],
    [187_499, 8],
    [93_750, 8],
    [8000, 5],
    [500, 1],
    [10, 1],
  ])('%s Hz is option %i', (speedHz, option) => {
    expect(encodeSck(speedHz)).toBe(option)
  })
})

describe('GETCAPABILITIES', () => {
  it.each([
    ['01 00 00 00', { tpi: true, uart: undefined, serialNumber: false, spiFlash: false, crystalMhz: 12 }],
    ['81 00 00 00', { tpi: true, uart: 'hid', serialNumber: false, spiFlash: false, crystalMhz: 12 }],
    ['a1 00 00 00', { tpi: true, uart: 'hid', serialNumber: true, spiFlash: false, crystalMhz: 12 }],
    ['41 00 00 00', { tpi: true, uart: 'vendor', serialNumber: false, spiFlash: false, crystalMhz: 12 }],
    ['a1 01 00 00', { tpi: true, uart: 'hid', serialNumber: true, spiFlash: false, crystalMhz: 16 }],
    ['01 00 00 0b', { tpi: true, uart: undefined, serialNumber: false, spiFlash: true, crystalMhz: 12 }],
  ])('%s', (answer, meaning) => {
    expect(parseCapabilities(fromHex(answer))).toEqual(meaning)
  })
  it('zero bytes mean that the function is not there', () => {
    expect(parseCapabilities(new Uint8Array())).toBeUndefined()
  })
  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
        expect(() => parseCapabilities(bytes)).not.toThrow()
      }),
    )
  })
})
