import { describe, expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import { Context } from '#core/context.ts'
import { flashSize, type ReadAt } from './size.ts'

const mib = 1024 * 1024
const most = 16 * mib
const ctx = new Context()

/** Reads of a chip that does not look at higher address bits. */
const chip =
  (flash: Uint8Array): ReadAt =>
  (offset, length) =>
    Promise.resolve(Uint8Array.from({ length }, (_, i) => flash[(offset + i) % flash.length] ?? 0))
const pattern = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + seed, 2_654_435_761) >>> 24) & 0xff)
const holding = (length: number, ...parts: readonly (readonly [number, Uint8Array])[]) => {
  const flash = blank(length)
  for (const [at, bytes] of parts) flash.set(bytes, at)
  return flash
}
const sizeOf = (flash: Uint8Array, limit = most) => flashSize(chip(flash), limit, ctx)

describe('the size of a flash', () => {
  test.each([64 * 1024, 256 * 1024, mib, 2 * mib, 16 * mib])('of %i bytes', async (length) => {
    expect(await sizeOf(holding(length, [0, pattern(30_000)]))).toBe(length)
  })

  test('whose first sectors are blank, as an interrupted write leaves them', async () => {
    expect(await sizeOf(holding(2 * mib, [3 * 4096 + 77, pattern(1)]))).toBe(2 * mib)
    expect(await sizeOf(holding(2 * mib, [2 * mib - 5, pattern(5)]))).toBe(2 * mib)
  })

  test('with an image twice is not taken for half, if anything tells them apart', async () => {
    const image = pattern(100_000)
    const twice = [[0, image] as const, [mib, image] as const]
    expect(await sizeOf(holding(2 * mib, ...twice, [2 * mib - 4096, pattern(64)]))).toBe(2 * mib)
    expect(await sizeOf(holding(2 * mib, ...twice, [mib / 2, pattern(64)]))).toBe(2 * mib)
    const other = image.slice()
    other.set(pattern(32, 9), 4096)
    expect(await sizeOf(holding(2 * mib, [0, image], [mib, other]))).toBe(2 * mib)
  })

  test('is not found larger for a bit that flickers', async () => {
    const flash = holding(mib, [0, pattern(1000)])
    let readings = 0
    const read: ReadAt = async (offset, length) => {
      const bytes = await chip(flash)(offset, length)
      if (offset % mib === 0 && readings++ % 2 === 1) bytes[0] = (bytes[0] ?? 0) ^ 1
      return bytes
    }
    expect(await flashSize(read, most, ctx)).toBe(mib)
  })

  test('is no more than can be addressed', async () => {
    expect(await sizeOf(holding(4 * mib, [0, pattern(5000)]), 2 * mib)).toBe(2 * mib)
  })

  test('is not to be seen when it is blank', async () => {
    expect(await sizeOf(blank(mib), 2 * mib)).toBeUndefined()
  })
})
