/** The kernels for records of hexadecimal text; `firmware` holds them against their plain twins. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { RecordVectors } from './kernels.ts'

const encode = (text: string) => new TextEncoder().encode(text)
const spelled = (bytes: readonly number[]) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')
const sumOf = (bytes: readonly number[]) => bytes.reduce((a, b) => a + b, 0)

interface Form {
  /** A record of data. */
  readonly record: (bytes: readonly number[], address: number) => string
  readonly mostBytes: number
  readonly take: (kernel: RecordVectors, to: number, address: number) => ReturnType<RecordVectors['intelHex']>
}

const intelHex: Form = {
  record(bytes, address) {
    const all = [bytes.length, (address >> 8) & 0xff, address & 0xff, 0, ...bytes]
    return `:${spelled([...all, -sumOf(all) & 0xff]).toUpperCase()}`
  },
  mostBytes: 255,
  take: (kernel, to, address) => kernel.intelHex(0, to, address),
}

const sRecord = (type: number): Form => ({
  record(bytes, address) {
    const shifts = [24, 16, 8, 0].slice(3 - type)
    const all = [bytes.length + type + 2, ...shifts.map((shift) => (address >>> shift) & 0xff), ...bytes]
    return `S${String(type)}${spelled([...all, ~sumOf(all) & 0xff]).toUpperCase()}`
  },
  mostBytes: 255 - type - 2,
  take: (kernel, to, address) => kernel.sRecord(0, to, address, type),
})

const forms = { 'Intel HEX': intelHex, S1: sRecord(1), S2: sRecord(2), S3: sRecord(3) }

describe.each(Object.entries(forms))('the kernel for %s', (name, { record, mostBytes, take }) => {
  let kernel: RecordVectors
  beforeAll(async () => {
    kernel = await RecordVectors.load()
  })
  const read = (text: Uint8Array, address: number) => {
    kernel.text.set(text)
    kernel.text.fill(0x30, text.length, text.length + 64) // what is behind is no part of it
    const { bytes, ...rest } = take(kernel, text.length, address)
    return { ...rest, bytes: [...bytes] }
  }

  it('takes records of every length and either case that follow each other', () => {
    for (let length = 0; length <= mostBytes; length++) {
      const bytes = Array.from({ length }, (_, i) => (i * 37 + length) & 0xff)
      const text = `${record(bytes, 0)}\n${record([1], length)}\n`
      expect(read(encode(text), 0), String(length)).toMatchObject({ bytes: [...bytes, 1], records: 2 })
    }
    const data = fc.array(fc.array(fc.nat(255), { maxLength: mostBytes }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(data, fc.boolean(), fc.constantFrom('\n', '\r\n', ' '), (records, lower, end) => {
        let address = 0x1234
        const lines = records.map((bytes) => {
          const line = record(bytes, address)
          address += bytes.length
          return (lower ? line.slice(0, 2) + line.slice(2).toLowerCase() : line) + end
        })
        const text = lines.join('')
        const { bytes, at, records: taken, last } = read(encode(text), 0x1234)
        expect(bytes).toEqual(records.flat())
        expect(at).toBeGreaterThanOrEqual(text.trimEnd().length)
        expect([taken, last]).toEqual([lines.length, text.length - (lines.at(-1)?.length ?? 0)])
      }),
    )
  })

  it('stops before whatever is not one of them', () => {
    const good = record([1, 2, 3], 0)
    const next = record([4], 3)
    const others = {
      'another address': record([4], 4),
      'the end': ':00000001FF',
      'another end': 'S9030000FC',
      'a wrong sum': next.slice(0, -1) + (next.endsWith('0') ? '1' : '0'),
      'a half record': next.slice(0, -2),
      'a letter too far': next.slice(0, -2) + 'G0',
      text: 'hello, this is no record of any kind',
    }
    for (const [what, other] of Object.entries(others)) {
      const text = `${good}\n${other}\n`
      const { bytes, at } = read(encode(text), 0)
      expect(bytes, what).toEqual([1, 2, 3])
      expect(text.slice(at).trim(), what).toBe(other)
    }
    const [last, beyond] = [record([5], 0xffff), record([5, 6], 0xffff)]
    expect(read(encode(`${last}\n`), 0xffff).bytes).toEqual([5])
    if (name === 'Intel HEX') expect(read(encode(`${beyond}\n`), 0xffff).bytes).toEqual([])
  })

  it('sees every changed character', () => {
    const text = record(
      Array.from({ length: 37 }, (_, i) => i * 7),
      0,
    )
    const accepted: string[] = []
    for (let i = 0; i < text.length; i++)
      for (let code = 0; code < 256; code++) {
        const changed = encode(`${text}\n`)
        if (String.fromCharCode(code).toUpperCase() === text[i]) continue
        changed[i] = code
        if (read(changed, 0).bytes.length > 0) accepted.push(`${String(code)} at ${String(i)}`)
      }
    expect(accepted).toEqual([])
  })
})
