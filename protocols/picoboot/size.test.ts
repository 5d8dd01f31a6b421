import { describe, expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import { cancelSource, Context } from '#core/context.ts'
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

  test.each([
    ['a file system', Math.floor((1.7 * mib) / 4096) * 4096, 40_000],
    ['a file system and its index', mib + 0xa_0000, 100],
    ['settings', 2 * mib - 16 * 1024, 30],
    ['settings in some sector near the end', 2 * mib - 3 * 4096, 30],
    ['settings in the last page', 2 * mib - 256, 30],
    ['a few sectors of a program', mib + 0x4_d000, 16_000],
  ])('with an image twice is not taken for half, if it has %s', async (_, at, length) => {
    const image = pattern(100_000)
    expect(await sizeOf(holding(2 * mib, [0, image], [mib, image], [at, pattern(length)]))).toBe(2 * mib)
  })

  test('with an image again and again is not taken for less than all that is used', async () => {
    const image = pattern(100_000)
    const images = [0, 1, 2, 3].map((i) => [i * mib, image] as const)
    expect(await sizeOf(holding(4 * mib, ...images, [3.5 * mib, pattern(30)]))).toBe(4 * mib)
    expect(await sizeOf(holding(8 * mib, ...images, [6 * mib, image]))).toBe(8 * mib)
  })

  test('that nothing tells from the half of it is the half', async () => {
    const image = pattern(100_000)
    expect(await sizeOf(holding(2 * mib, [0, image], [mib, image]))).toBe(mib)
  })

  test('takes few and short readings, and can be stopped between them', async () => {
    const lengths: number[] = []
    const flash = chip(holding(2 * mib, [0, pattern(1000)]))
    const read: ReadAt = (offset, length) => {
      lengths.push(length)
      return flash(offset, length)
    }
    expect(await flashSize(read, most, ctx)).toBe(2 * mib)
    expect(Math.max(...lengths)).toBe(8)
    expect(lengths.length).toBeLessThan(550)
    const stop = cancelSource()
    stop.cancel()
    await expect(flashSize(read, most, new Context({ signal: stop.signal }))).rejects.toMatchObject({
      code: 'cancelled',
    })
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
