import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { areasOf, buildImage, dataBytes, flatten, spanOf, totalBytes } from './image.ts'

const piece = (address: number, ...bytes: number[]) => ({ address, bytes: Uint8Array.from(bytes) })
const build = (...pieces: ReturnType<typeof piece>[]) => buildImage('binary', pieces)
const refusal = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    return (error as { detail: unknown }).detail
  }
  return 'no error'
}

describe('an image', () => {
  it('has sorted segments, joined where they touch', () => {
    const { segments } = build(piece(8, 4), piece(2, 3), piece(0, 1, 2))
    expect(segments).toEqual([piece(0, 1, 2, 3), piece(8, 4)])
  })

  it('takes the same byte twice and says so', () => {
    const { segments, warnings } = build(piece(0, 1, 2, 3), piece(1, 2, 3, 4))
    expect(segments).toEqual([piece(0, 1, 2, 3, 4)])
    expect(warnings).toEqual([{ code: 'repeated-bytes', address: 1 }])
  })

  it('refuses two different bytes for one address and names it', () => {
    expect(refusal(() => build(piece(0, 1, 2, 3, 4), piece(1, 2), piece(2, 9)))).toEqual({
      format: 'binary',
      why: 'overlap',
      address: 2,
    })
  })

  it('refuses to be empty, or to go beyond 32 bits', () => {
    expect(refusal(() => build(piece(5)))).toMatchObject({ why: 'no-bytes' })
    expect(refusal(() => build(piece(0xffff_fffe, 1, 2, 3)))).toMatchObject({ why: 'address-overflow' })
    expect(build(piece(0xffff_fffe, 1, 2)).segments).toHaveLength(1)
  })

  it('refuses to be a heap of crumbs', () => {
    const crumbs = Array.from({ length: 70_000 }, (_, i) => piece(i * 2, i))
    expect(refusal(() => build(...crumbs))).toMatchObject({ why: 'bad-structure' })
  })

  it('holds exactly what the pieces said, whatever their order', () => {
    const pieces = fc.array(fc.tuple(fc.nat(300), fc.integer({ min: 0, max: 40 })), { minLength: 1 })
    fc.assert(
      fc.property(pieces, (ranges) => {
        fc.pre(ranges.some(([, length]) => length > 0))
        const byteAt = (address: number) => (address * 7) & 0xff
        const { segments } = build(
          ...ranges.map(([address, length]) =>
            piece(address, ...Array.from({ length }, (_, i) => byteAt(address + i))),
          ),
        )
        const covered = new Set(
          ranges.flatMap(([address, length]) => Array.from({ length }, (_, i) => address + i)),
        )
        expect(totalBytes(segments)).toBe(covered.size)
        let end = -1
        for (const { address, bytes } of segments) {
          expect(address).toBeGreaterThan(end)
          end = address + bytes.length
          bytes.forEach((byte, i) => {
            expect(covered.has(address + i) && byte === byteAt(address + i)).toBe(true)
          })
        }
      }),
    )
  })
})

describe('flattening', () => {
  const segments = [piece(4, 1, 2), piece(8, 3)]

  it('fills gaps and cuts at both ends', () => {
    expect([...flatten(segments, { address: 5, length: 4 })]).toEqual([2, 0xff, 0xff, 3])
    expect([...flatten(segments, { address: 0, length: 5 }, 0)]).toEqual([0, 0, 0, 0, 1])
    expect([...flatten(segments, { address: 20, length: 2 })]).toEqual([0xff, 0xff])
  })

  it('differs from the data bytes, which leave gaps out', () => {
    expect([...dataBytes(segments)]).toEqual([1, 2, 3])
    expect(spanOf(segments)).toEqual({ address: 4, length: 5 })
    expect(spanOf([])).toEqual({ address: 0, length: 0 })
  })
})

describe('the areas of two images', () => {
  const areas = (a: ReturnType<typeof piece>[], b: ReturnType<typeof piece>[], mostGap?: number) =>
    areasOf(build(...a).segments, build(...b).segments, mostGap)

  it('are where either has bytes, joined where they overlap or are near', () => {
    expect(areas([piece(0, 1, 2, 3), piece(100, 4)], [piece(2, 3, 4, 5, 6)])).toEqual([
      { address: 0, length: 6 },
      { address: 100, length: 1 },
    ])
    expect(areas([piece(0, 1, 2, 3)], [piece(5, 4)])).toEqual([{ address: 0, length: 6 }])
    expect(areas([piece(0, 1, 2, 3)], [piece(5, 4)], 1)).toHaveLength(2)
  })

  it('are never more than twice what both hold, however they are scattered', () => {
    const crumbs = fc.uniqueArray(fc.nat(20_000), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(crumbs, crumbs, (a, b) => {
        const [first, second] = [a, b].map(
          (all) => build(...all.map((address) => piece(address, 1))).segments,
        )
        const found = areasOf(first ?? [], second ?? [])
        const length = found.reduce((sum, area) => sum + area.length, 0)
        expect(length).toBeLessThanOrEqual(2 * (a.length + b.length))
        for (const address of [...a, ...b])
          expect(
            found.filter((area) => address >= area.address && address < area.address + area.length),
          ).toHaveLength(1)
      }),
    )
  })
})
