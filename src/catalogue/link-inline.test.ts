import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readImage } from '#firmware/formats.ts'
import { sha256 } from '#firmware/hash.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { downloadFirmware } from './link-download.ts'
import { linkFromImage, pack, unpack } from './link-inline.ts'
import { fileOf, formatFirmwareLink, parseFirmwareLink } from './link.ts'

const code = (length: number) => Uint8Array.from({ length }, (_, i) => (i * i) >> 3)
const noNetwork: typeof fetch = () => Promise.reject(new TypeError('there is no network here'))
const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')

describe('packing', () => {
  it('gives back any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
        const packed = await pack(bytes)
        expect(packed).toMatch(/^[\w-]+$/)
        expect(await unpack(packed, bytes.length)).toEqual(Uint8Array.from(bytes))
      }),
      { numRuns: 50 },
    )
  })

  it('refuses a bomb as soon as it is larger than it may be', async () => {
    const bomb = base64url(deflateRawSync(new Uint8Array(8 << 20)))
    expect(bomb.length).toBeLessThan(12_000)
    await expect(unpack(bomb, 16_384)).rejects.toMatchObject({
      detail: { field: 'inline', why: 'too-large' },
    })
  })

  it('refuses what is not packed or cut off', async () => {
    const good = Buffer.from(deflateRawSync(code(500)))
    for (const wrong of [Buffer.from([0xff, 0xff]), good.subarray(0, -3)])
      await expect(unpack(base64url(wrong), 16_384)).rejects.toMatchObject({
        code: 'bad-link',
        detail: { field: 'inline', why: 'bad-compression' },
      })
    await expect(unpack('A', 10)).rejects.toMatchObject({ detail: { why: 'bad-compression' } })
  })
})

describe('a link made from a file', () => {
  it('carries a small image inside and gives the very same bytes without a network', async () => {
    const bytes = code(4000)
    const file = formatIntelHex([{ address: 0x100, bytes }])
    const link = await linkFromImage(await readImage(file, 'a.hex'), file, {
      device: 'usbasp',
      name: 'a.hex',
      urls: [],
    })
    const received = parseFirmwareLink(formatFirmwareLink(link))
    const { name, base } = fileOf(received)
    const image = await readImage(
      (await downloadFirmware(received, noNetwork)).bytes,
      name,
      base === undefined ? {} : { base },
    )
    expect(image.segments).toEqual([{ address: 0x100, bytes }])
  })

  it('keeps gaps, and is never longer than the packed file', async () => {
    const segments = [
      { address: 0, bytes: code(300) },
      { address: 0x1ffe, bytes: code(2) },
    ]
    const file = formatIntelHex(segments)
    const link = await linkFromImage(await readImage(file, 'a.hex'), file, { urls: [] })
    expect(link.inline?.length).toBeLessThanOrEqual((await pack(file)).length)
    const { bytes } = await downloadFirmware(link, noNetwork)
    expect((await readImage(bytes, fileOf(link).name)).segments).toEqual(segments)
  })

  it('with a source speaks of the file as it is', async () => {
    const file = formatIntelHex([{ address: 0, bytes: code(100) }])
    const urls = ['https://a.org/a.hex']
    expect(await linkFromImage(await readImage(file, 'a.hex'), file, { urls })).toEqual({
      format: 'intel-hex',
      size: file.length,
      sha256: await sha256(file),
      urls,
    })
  })

  it('for a large file without a source still tells how to check it', async () => {
    const file = code(20_000)
    const link = await linkFromImage(await readImage(file, 'a.bin'), file, { urls: [] })
    expect(link).toMatchObject({ format: 'binary', base: 0, size: 20_000, urls: [] })
    expect(link.inline).toBeUndefined()
    await expect(downloadFirmware(link, noNetwork)).rejects.toMatchObject({ detail: { why: 'no-source' } })
  })
})
