import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodePacket, dataBytes, encodePacket, Line, Pid, tokenBytes } from './usbasp-wire.ts'

/** Values of USB-IF's paper on cyclic redundancy checks in USB. */
describe('checksums', () => {
  it.each([
    [0x15, 0xe, [0x15, 0xef]],
    [0x3a, 0xa, [0x3a, 0x3d]],
    [0x70, 0x4, [0x70, 0x72]],
    [0x00, 0x0, [0x00, 0x10]],
  ])('token for address %i, endpoint %i', (address, endpoint, bytes) => {
    expect(tokenBytes(address, endpoint)).toEqual(bytes)
  })
  it.each([
    [
      [0x00, 0x01, 0x02, 0x03],
      [0xef, 0x7a],
    ],
    [
      [0x23, 0x45, 0x67, 0x89],
      [0x0e, 0x1c],
    ],
    [[], [0x00, 0x00]],
  ])('data %o', (bytes, crc) => {
    expect(dataBytes(Uint8Array.from(bytes)).slice(bytes.length)).toEqual(crc)
  })
})

describe('a packet on the wire', () => {
  it('begins with KJKJKJKK and ends with two SE0 and J', () => {
    const { J, K, SE0 } = Line
    const lines = encodePacket(Pid.Ack)
    expect(lines.slice(0, 8)).toEqual([K, J, K, J, K, J, K, K])
    expect(lines.slice(-3)).toEqual([SE0, SE0, J])
    expect(lines).toHaveLength(8 + 8 + 3)
  })
  it('changes level at least every seventh bit', () => {
    const lines = encodePacket(Pid.Data0, new Array<number>(8).fill(0xff)).slice(0, -3)
    expect(lines.some((_, i) => i >= 7 && new Set(lines.slice(i - 7, i + 1)).size === 1)).toBe(false)
  })
  it('comes back as it went', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 10 }), (payload) => {
        expect(decodePacket(encodePacket(Pid.Data1, payload))).toEqual([Pid.Data1, ...payload])
      }),
    )
  })
  it('cut off is no packet', () => {
    expect(decodePacket(encodePacket(Pid.Data1, [1, 2, 3]).slice(0, 20))).toBeUndefined()
    expect(decodePacket([])).toBeUndefined()
  })
})
