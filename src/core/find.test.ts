import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { concat, fromHex } from './bytes.ts'
import { findStrings, findUsbDescriptors } from './find.ts'

const ascii = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0))
const utf16 = (text: string) => Uint8Array.from(Array.from(text).flatMap((char) => [char.charCodeAt(0), 0]))
const usbasp = fromHex('12 01 10 01 ff 00 00 08 c0 16 dc 05 04 01 01 02 00 01')

describe('USB descriptors in an image', () => {
  it('are found at odd addresses with ids and version as lsusb writes them', () => {
    const bytes = concat(new Uint8Array(5).fill(0x12), usbasp, new Uint8Array(3))
    expect(findUsbDescriptors([{ address: 0x800, bytes }])).toEqual([
      {
        address: 0x805,
        vendorId: 0x16c0,
        productId: 0x05dc,
        deviceVersion: [1, 0, 4],
        deviceClass: 0xff,
        usbId: '16c0:05dc',
        version: '1.04',
      },
    ])
  })

  it('are not seen in what only begins like one, nor in one that is cut off', () => {
    const withByte = (at: number, byte: number) => usbasp.map((old, i) => (i === at ? byte : old))
    const wrong = [withByte(1, 2), withByte(3, 4), withByte(4, 0x77), withByte(7, 7), withByte(17, 0)]
    for (const bytes of [...wrong, usbasp.subarray(0, 17)])
      expect(findUsbDescriptors([{ address: 0, bytes }])).toEqual([])
  })
})

describe('texts in an image', () => {
  it('are found as ASCII and as UTF-16LE, each with its address', () => {
    const bytes = concat(ascii('\x01USBasp\0abcd\0'), utf16('www.fischl.de'), ascii('\x80hello'))
    expect(findStrings([{ address: 0x100, bytes }])).toEqual([
      { address: 0x101, text: 'USBasp', encoding: 'ascii' },
      { address: 0x10d, text: 'www.fischl.de', encoding: 'utf-16le' },
      { address: 0x128, text: 'hello', encoding: 'ascii' },
    ])
  })

  it('come in bounded pieces and never more than asked for', () => {
    const strings = findStrings([{ address: 0, bytes: new Uint8Array(1000).fill(0x41) }], { limit: 3 })
    expect(strings.map(({ text }) => text.length)).toEqual([256, 256, 256])
  })

  it('are where they are said to be, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const bytes = concat(noise, ascii('\x01needle\x01'), noise)
        const found = findStrings([{ address: 0x40, bytes }])
        expect(found.some(({ text }) => text === 'needle')).toBe(true)
        for (const { address, text, encoding } of found) {
          const expected = encoding === 'ascii' ? ascii(text) : utf16(text)
          expect(bytes.subarray(address - 0x40, address - 0x40 + expected.length)).toEqual(expected)
        }
      }),
    )
  })
})
