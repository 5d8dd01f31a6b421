import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { HexRecords } from './kernels.ts'

const record = (bytes: readonly number[], offset: number, lower = false) => {
  const all = [bytes.length, offset >> 8, offset & 0xff, 0, ...bytes]
  const sum = -all.reduce((a, b) => a + b, 0) & 0xff
  const digits = [...all, sum].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return `:${lower ? digits : digits.toUpperCase()}`
}
const encode = (text: string) => new TextEncoder().encode(text)

describe('the kernel for Intel HEX', () => {
  let kernel: HexRecords
  beforeAll(async () => {
    kernel = await HexRecords.load()
  })

  it('takes records of every length and either case that follow each other', () => {
    const data = fc.array(fc.array(fc.nat(255), { maxLength: 255 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(data, fc.boolean(), fc.constantFrom('\n', '\r\n', ''), (records, lower, end) => {
        let offset = 0x1234
        const lines = records.map((bytes) => {
          const line = record(bytes, offset, lower)
          offset += bytes.length
          return line + end
        })
        const text = lines.join('')
        const { bytes, at } = kernel.take(encode(text), 0, 0x1234)
        expect([...bytes]).toEqual(records.flat())
        expect(at).toBeGreaterThanOrEqual(text.trimEnd().length)
      }),
    )
  })

  it('stops before whatever is not one of them', () => {
    const good = record([1, 2, 3], 0)
    const others = {
      'another offset': record([4], 4),
      'over the end of 64 KiB': record([4, 5], 0xffff),
      'the end': ':00000001FF',
      'a base': ':020000040800F2',
      'a wrong sum': ':0100030004F9',
      'a half record': ':01000300',
      'a letter too far': ':010003000GF8',
      text: 'hello',
    }
    for (const [name, other] of Object.entries(others)) {
      const text = `${good}\n${other}\n`
      const { bytes, at } = kernel.take(encode(text), 0, 0)
      expect([...bytes], name).toEqual([1, 2, 3])
      expect(text.slice(at).trim(), name).toBe(other)
    }
    expect(kernel.take(encode(record([4, 5], 0xffff)), 0, 0xffff).bytes).toHaveLength(0)
  })

  it('sees every changed character', () => {
    const text = record(
      Array.from({ length: 21 }, (_, i) => i * 11),
      0,
    )
    for (let i = 0; i < text.length; i++)
      for (let code = 0; code < 256; code++) {
        const changed = encode(text)
        if (String.fromCharCode(code).toUpperCase() === text[i]) continue
        changed[i] = code
        expect(kernel.take(changed, 0, 0).bytes, `${String(code)} at ${String(i)}`).toHaveLength(0)
      }
  })
})
