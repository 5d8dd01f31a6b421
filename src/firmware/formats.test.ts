import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFlashError } from '#core/errors.ts'
import { mostFileBytes, type ParseOptions } from './file-format.ts'
import { formats, readImage } from './formats.ts'
import { sha256 } from './hash.ts'
import { bytesOf, refused, survivesReading } from './test-images.ts'

const machineCode = Uint8Array.of(0x0c, 0x94, 0x34, 0x00, 0x0c, 0x94, 0x3e, 0x00)
const hexText = bytesOf(':0400000001020304F2\n:00000001FF\n')

const refusal = (bytes: Uint8Array, name: string, options?: ParseOptions) =>
  refused(readImage(bytes, name, options))

describe('a file', () => {
  it('with the content of Intel HEX is that, whatever its name', async () => {
    for (const name of ['a.hex', 'a.bin', 'a.eep', 'a', 'a.txt'])
      expect((await readImage(hexText, name)).format).toBe('Intel HEX')
  })

  it('of machine code is a raw binary by its name or by a base address', async () => {
    expect(await readImage(machineCode, 'a.BIN')).toEqual({
      format: 'binary',
      segments: [{ address: 0, bytes: machineCode }],
      isRaw: true,
      claims: {},
      warnings: [{ code: 'base-assumed', address: 0 }],
    })
    expect(await readImage(machineCode, 'usbasp_backup', { base: 0x800 })).toMatchObject({
      segments: [{ address: 0x800 }],
      warnings: [],
    })
    expect(await refusal(machineCode, 'usbasp_backup')).toEqual({ format: 'unknown', why: 'unknown-format' })
  })

  it('of machine code that is called .hex is refused as no text', async () => {
    expect(await refusal(machineCode, 'a.hex')).toMatchObject({
      format: 'Intel HEX',
      why: 'not-text',
      offset: 0,
    })
    const letterFirst = Uint8Array.of(0x62, 0xc0, 0x0a, ...machineCode)
    expect(await refusal(letterFirst, 'a.hex')).toMatchObject({ why: 'not-text', line: 2, offset: 3 })
  })

  it('of another known format is refused by that format’s name, never taken for a raw binary', async () => {
    const foreign: Record<string, Uint8Array> = {
      RAR: bytesOf('Rar!\x1a\x07\x01\0'),
      LZ4: bytesOf('\x04\x22\x4d\x18\0'),
      HTML: bytesOf('\n<!DOCTYPE html><title>Not Found</title>'),
      'Git LFS pointer': bytesOf('version https://git-lfs.github.com/spec/v1\n'),
      'Windows EXE': bytesOf('MZ' + '\0'.repeat(58) + '\x40\0\0\0PE\0\0'),
    }
    for (const [format, bytes] of Object.entries(foreign))
      for (const name of ['firmware.bin', 'firmware.hex', 'firmware'])
        expect(await refusal(bytes, name, { base: 0 }), `${format} as ${name}`).toEqual({
          format,
          why: 'unknown-format',
          found: format,
        })
    expect(await refusal(bytesOf('hello, this is a readme'), 'README')).toMatchObject({ found: 'text' })
  })

  it.each([
    ['JPEG', '\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01'],
    ['JPEG', '\xff\xd8\xff\xe1\x10\xf2Exif\0\0'],
    ['JPEG', '\xff\xd8\xff\xdb\0\x43\0'],
    ['PNG', '\x89PNG\r\n\x1a\n\0\0\0\rIHDR'],
    ['GIF', 'GIF89a\x10\0\x10\0'],
    ['WebP', 'RIFF\x24\0\0\0WEBPVP8 '],
    ['WAV', 'RIFF\x24\n\0\0WAVEfmt '],
    ['BMP', 'BM\x36\x10\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0'],
    ['PDF', '%PDF-1.7\n'],
    ['MP3', 'ID3\x04\0\0\0\0\x0f\x76'],
    ['MP4', '\0\0\0\x20ftypisom'],
    ['Matroska', '\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\x82\x88matroska'],
    ['Mach-O', '\xcf\xfa\xed\xfe\x07\0\0\x01'],
    ['Mach-O', '\xca\xfe\xba\xbe\0\0\0\x02'],
    ['Java class', '\xca\xfe\xba\xbe\0\0\0\x41'],
    ['SQLite', 'SQLite format 3\0\x10\0'],
    ['ISO 9660', '\0'.repeat(0x8000) + '\x01CD001\x01\0'],
  ])(
    'that is a %s is refused by that name, though it is called .bin and given an address',
    async (format, text) => {
      expect(await refusal(bytesOf(text), 'firmware.bin', { base: 0 })).toEqual({
        ...{ format, why: 'unknown-format', found: format },
      })
    },
  )

  it.each([
    ['\xff\xd8\xff\xe0', 'rcall and ldi'],
    ['BM\x0c\x94\x34\0', 'two letters'],
    ['RIFF\0\0\0\0firmware', 'a chunk of no known kind'],
    ['ID3\x0c\x94', 'three letters'],
    ['\xca\xfe\xba\xbe\x0c\x94\x34\0', 'a magic word alone'],
    ['II*\0\x0c\x94\x34\0', 'a byte order alone'],
  ])('of machine code that begins with %j (%s) stays firmware', async (start) => {
    const bytes = bytesOf(start + '\x0c\x94\x34\0'.repeat(16))
    expect((await readImage(bytes, 'a.bin')).segments).toEqual([{ address: 0, bytes }])
  })

  it('of nothing, or of too much, is refused', async () => {
    expect(await refusal(new Uint8Array(), 'a.bin')).toMatchObject({ why: 'empty' })
    expect(await refusal(new Uint8Array(mostFileBytes + 1), 'a.bin')).toMatchObject({
      why: 'too-large',
      found: '65 MiB',
      expected: '64 MiB',
    })
  })

  it('with a base address outside 32 bits is refused', async () => {
    for (const base of [-1, 0.5, NaN, 0xffff_fff9])
      expect(await refusal(machineCode, 'a.bin', { base })).toMatchObject({ why: 'address-overflow' })
  })

  it('of any bytes and name gives an image or `bad-file`, nothing else', async () => {
    const name = fc.constantFrom('a.hex', 'a.bin', 'a')
    return fc.assert(
      fc.asyncProperty(fc.uint8Array(), name, async (bytes, called) => {
        await readImage(bytes, called).catch((error: unknown) => {
          expect(isFlashError(error, 'bad-file')).toBe(true)
        })
      }),
    )
  })
})

describe('the formats', () => {
  const image = {
    segments: [
      { address: 0x1000, bytes: Uint8Array.from({ length: 512 }, (_, i) => i * 3) },
      { address: 0x2000, bytes: Uint8Array.from({ length: 256 }, (_, i) => i * 5) },
    ],
    claims: { entry: 0x1000, chip: 'SAMD21', usb: { vendorId: 0x0483, productId: 0xdf11 }, name: 'test' },
  }
  const written = formats.flatMap((format) => {
    if (!('write' in format)) return []
    return [{ id: format.id, name: format.name, file: format.write(image) }]
  })

  it('are found, each with an id of its own', () => {
    const ids = formats.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toEqual(expect.arrayContaining(['intel-hex', 'binary', 's-record', 'uf2', 'dfuse', 'elf']))
    expect(written.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['intel-hex', 'binary', 's-record', 'uf2', 'dfuse']),
    )
  })

  for (const { id, name, file } of written.filter((one) => one.id !== 'binary'))
    it(`${id}: what is written is recognised under any name and is the same image`, async () => {
      for (const called of ['a.bin', 'a.hex', 'a']) {
        const { format, segments } = await readImage(file, called)
        expect(format).toBe(name)
        expect(segments).toEqual(image.segments)
      }
    })

  it('give an image or `bad-file` for whatever was done to a file of any of them', () => {
    return survivesReading(
      (bytes) => readImage(bytes, 'a.bin'),
      written.map(({ file }) => file),
      3000,
    )
  })
})

describe('SHA-256', () => {
  it('is that of FIPS 180-4', async () => {
    expect(await sha256(bytesOf('abc'))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
    expect(await sha256(bytesOf('xabc').subarray(1))).toBe(await sha256(bytesOf('abc')))
  })
})
