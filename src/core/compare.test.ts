import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { CompareVectors } from '#kernels/kernels.ts'
import { differences, likelyCause, words, type Blocks } from './compare.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)

describe('differences', () => {
  test('are the same bytes as a plain comparison finds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
        const { runs, count } = differences(a, b, { join: 1 })
        const length = Math.max(a.length, b.length)
        const plain = Array.from({ length }, (_, at) => at).filter((at) => a[at] !== b[at])
        expect(count).toBe(plain.length)
        expect(runs.flatMap((run) => Array.from({ length: run.length }, (_, i) => run.offset + i))).toEqual(
          plain,
        )
      }),
    )
  })

  test('are found in long contents too, over a slice and at an odd offset', () => {
    const long = Uint8Array.from({ length: 100_003 }, (_, at) => (Math.imul(at, 2654435761) >>> 16) & 0xff)
    expect(differences(long.subarray(3), long.slice(3)).count).toBe(0)
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(long.length - 4), { maxLength: 40 }), (offsets) => {
        const other = long.slice(3)
        for (const offset of offsets) other[offset] = (other[offset] ?? 0) ^ 0x10
        const { count, first } = differences(long.subarray(3), other)
        expect(count).toBe(offsets.length)
        expect(first.map(({ offset }) => offset)).toEqual(offsets.toSorted((x, y) => x - y).slice(0, 16))
        for (const { offset, a, b } of first) expect([a, b]).toEqual([long[offset + 3], other[offset]])
      }),
      { numRuns: 20 },
    )
  })

  test('close ones are one place, and a flood of places is counted without being listed', () => {
    expect(differences(bytes(0, 1, 2, 3, 4), bytes(9, 1, 2, 9, 4)).runs).toEqual([{ offset: 0, length: 4 }])
    const a = new Uint8Array(1000)
    const b = a.map((_, at) => (at % 10 === 0 ? 1 : 0))
    expect(differences(a, b, { limit: 5 })).toMatchObject({ count: 100, cut: true, runs: { length: 5 } })
  })
})

describe('a kernel for comparing', () => {
  let vectors: Blocks
  beforeAll(async () => {
    vectors = await CompareVectors.load()
  })

  test('finds what the words find, at every length and alignment', () => {
    const long = Uint8Array.from({ length: 100_100 }, (_, at) => (Math.imul(at, 2654435761) >>> 16) & 0xff)
    const held = (a: Uint8Array, b: Uint8Array, limit?: number) => {
      const options = limit === undefined ? {} : { limit }
      expect(differences(a, b, { ...options, blocks: vectors })).toEqual(
        differences(a, b, { ...options, blocks: words }),
      )
    }
    for (let length = 0; length <= 300; length++) {
      const a = long.subarray(length % 17, (length % 17) + length)
      held(a, a.slice())
      for (const at of [0, length >> 1, length - 1]) {
        const b = a.slice()
        b[at] = ~(b[at] ?? 0)
        held(a, b)
        held(a, b.subarray(0, at + 1))
      }
    }
    const edits = fc.array(fc.record({ at: fc.nat(100_000), length: fc.nat(300) }), { maxLength: 5 })
    fc.assert(
      fc.property(
        edits,
        fc.nat(60),
        fc.nat(99_000),
        fc.constantFrom(undefined, 3),
        (all, from, cut, limit) => {
          const b = long.slice()
          for (const { at, length } of all) b.fill(0x55, at, at + length)
          held(long.subarray(from, from + cut), b.subarray(from), limit)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('counts all that differs', () => {
    const [zeros, ones] = [new Uint8Array(70_001), new Uint8Array(70_001).fill(0xff)]
    expect(differences(zeros, ones, { blocks: vectors })).toMatchObject({ count: 70_001, cut: false })
  })
})

describe('the likely cause', () => {
  const image = Uint8Array.from({ length: 256 }, (_, at) => (at * 7 + (at >> 3)) & 0xff)
  const changed = (change: (byte: number, at: number) => number) => image.map(change)

  test('of what was blank before is that', () => {
    expect(
      likelyCause(
        changed((byte, at) => (at < 64 ? 0xff : byte)),
        image,
      ),
    ).toBe('was-blank')
  })

  test.each([
    ['equal', image],
    ['length', image.subarray(0, 200)],
    ['blank', changed((byte, at) => (at < 64 ? 0xff : byte))],
    ['one-bit', changed((byte, at) => (at === 33 ? byte ^ 0x10 : byte))],
    ['line', changed((byte) => byte & ~0x04)],
    ['erased-bits', changed((byte, at) => (at < 128 ? byte & 0x3c : byte))],
    ['shifted', changed((_, at) => image[at + 1] ?? 0)],
    ['other', changed((byte, at) => (at % 5 ? byte : byte ^ 0x5a))],
  ] as const)('%s', (cause, found) => {
    expect(likelyCause(image, found)).toBe(cause)
  })
})
