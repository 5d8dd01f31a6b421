import { encode } from 'uqr'
import { describe, expect, it } from 'vitest'
import { qrSvg } from './qr.ts'

/** Fills the path's rectangles, as a browser does. */
function modulesOf(path: string, size: number): boolean[][] {
  const modules = Array.from({ length: size }, () => Array.from({ length: size }, () => false))
  for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v1H\d+z/g))
    modules[Number(y)]?.fill(true, Number(x), Number(x) + Number(width))
  return modules
}

describe('a QR code', () => {
  it('has exactly the dark modules, and a quiet zone of four', async () => {
    const text = 'https://example.org/#/flash?size=1&sha256=00'
    const { size, path } = (await qrSvg(text)) ?? { size: 0, path: '' }
    const expected = encode(text, { ecc: 'L', boostEcc: true, border: 4 })
    expect(modulesOf(path, size)).toEqual(expected.data)
    expect(path).toMatch(/^(M\d+ \d+h\d+v1H\d+z)+$/)
    const dark = [...path.matchAll(/M(\d+) (\d+)/g)].flatMap(([, x, y]) => [Number(x), Number(y)])
    expect(Math.min(...dark)).toBe(4)
  })

  it('holds the longest text that a code can hold, and nothing longer', async () => {
    expect(await qrSvg('a'.repeat(2953))).toMatchObject({ size: 177 + 8 })
    expect(await qrSvg('a'.repeat(2954))).toBeUndefined()
    expect(await qrSvg('ä'.repeat(1477))).toBeUndefined()
  })
})
