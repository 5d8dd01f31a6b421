import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { Crc, FoldWords, type Fold } from './crc.ts'
import { crcModel, crcModels, type CrcModel } from './crc-models.ts'
import { foldVectors } from './kernels.ts'

const text = new TextEncoder().encode('123456789')
const noise = (length: number) => Uint8Array.from({ length }, (_, i) => Math.imul(i + 1, 2654435761) >>> 24)

/** As R. Williams defines it, a bit at a time. */
function bitByBit(
  { width, poly, init, isReflected, isResultReflected, xorOut }: CrcModel,
  bytes: Uint8Array,
) {
  const top = 2n ** BigInt(width - 1)
  const mask = 2n * top - 1n
  const reflect = (value: bigint) =>
    BigInt(`0b${Array.from(value.toString(2).padStart(width, '0')).reverse().join('')}`)
  let register = BigInt(init)
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit++) {
      const one = BigInt((byte >> (isReflected ? bit : 7 - bit)) & 1)
      const out = (register & top ? 1n : 0n) ^ one
      register = ((register << 1n) & mask) ^ (out ? BigInt(poly) : 0n)
    }
  return Number((isResultReflected ? reflect(register) : register) ^ BigInt(xorOut))
}

describe('the catalogue', () => {
  it.each(crcModels)('$name gives its check value', (model) => {
    expect(new Crc(model).update(text).done()).toBe(model.check)
    expect(bitByBit(model, text)).toBe(model.check)
  })

  it('refuses a name that it does not have', () => {
    expect(() => crcModel('CRC-32/NOBODY')).toThrow(RangeError)
  })
})

describe.each([
  { name: 'words', make: () => Promise.resolve(new FoldWords()) },
  { name: 'words in a small space', make: () => Promise.resolve(new FoldWords(new Uint8Array(2048))) },
  { name: 'vectors', make: foldVectors },
])('folding by $name', ({ make }) => {
  let fold: Fold
  beforeAll(async () => {
    fold = await make()
  })

  it('gives for every model what dividing bit by bit gives', () => {
    const data = noise(5000)
    for (const model of crcModels)
      expect(new Crc(model, fold).update(data).done(), model.name).toBe(bitByBit(model, data))
  })

  it('agrees with zlib at every length and in any pieces', () => {
    const model = crcModel('CRC-32/ISO-HDLC')
    const whole = noise(400_000)
    const pieces = fc.array(fc.oneof(fc.nat(40), fc.nat(6000), fc.nat(120_000)), { maxLength: 6 })
    fc.assert(
      fc.property(pieces, (lengths) => {
        const crc = new Crc(model, fold)
        let at = 0
        for (const length of lengths) crc.update(whole.subarray(at, (at += length)))
        expect(crc.done()).toBe(crc32(whole.subarray(0, at)))
      }),
      { numRuns: 300 },
    )
  })

  it('gives the CRC of nothing', () => {
    expect(new Crc(crcModel('CRC-32/ISO-HDLC'), fold).done()).toBe(0)
  })
})
