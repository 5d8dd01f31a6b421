import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader, ByteWriter, concat, fromHex, hex, hexBytes } from './bytes.ts'

test('addresses above four digits are grouped', () => {
  expect([hex(0x1e), hex(0x7e00, 4), hex(0x0800_4000, 8)]).toEqual(['0x1e', '0x7e00', '0x0800_4000'])
})

test('hex text and bytes are inverse', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(fromHex(hexBytes(bytes))).toEqual(bytes)
    }),
  )
})

test.each([
  ['0g', 1],
  ['123', 3],
  ['00 1g', 4],
  [' 00\n11 2', 8],
])('hex text %s is refused at offset %i', (text, offset) => {
  expect(() => fromHex(text)).toThrow(
    expect.objectContaining({
      code: 'bad-file',
      detail: expect.objectContaining({ offset }) as object,
    }) as Error,
  )
})

test('numbers written are the numbers read, in both byte orders', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (short, long) => {
        const bytes = new ByteWriter().u16le(short).u16be(short).u32le(long).u32be(long).done()
        const reader = new ByteReader(bytes)
        expect([reader.u16le(), reader.u16be(), reader.u32le(), reader.u32be(), reader.rest]).toEqual([
          short,
          short,
          long,
          long,
          0,
        ])
      },
    ),
  )
})

test('a reader respects where its bytes lie in a larger buffer', () => {
  const whole = concat(fromHex('ffff'), fromHex('1e950f'))
  expect(new ByteReader(whole.subarray(2)).bytes(3)).toEqual(fromHex('1e950f'))
})

test('reading past the end names the offset', () => {
  const reader = new ByteReader(fromHex('0102'), 'signature')
  reader.u8()
  expect(() => reader.u16le()).toThrow(
    expect.objectContaining({
      code: 'short-transfer',
      detail: { during: 'signature at offset 1', expected: 2, found: 1 },
    }) as Error,
  )
})
