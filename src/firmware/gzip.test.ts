import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat } from '#core/bytes.ts'
import { mostFileBytes } from './file-format.ts'
import { readImage } from './formats.ts'
import { formatIntelHex } from './intel-hex.ts'
import { bytesOf, refused, segment, survivesReading } from './test-images.ts'

const hexText = formatIntelHex([segment(0x100, 1, 2, 3)])
const file = Uint8Array.from(gzipSync(hexText))
const read = (bytes: Uint8Array, name = 'a.hex.gz') => readImage(bytes, name)
/** With the name in it, as gzip(1) writes it, behind an extra field. */
const named = (name: string, content: Uint8Array) => {
  const bytes = Uint8Array.from(gzipSync(content))
  const more = concat(bytesOf('\x04\0EXTR'), bytesOf(`${name}\0`))
  return concat(bytes.subarray(0, 3), Uint8Array.of(0x0c), bytes.subarray(4, 10), more, bytes.subarray(10))
}

describe('reading gzip', () => {
  it('reads what is packed, whatever the file is called', async () => {
    for (const name of ['a.hex.gz', 'a.bin', 'a'])
      expect(await read(file, name)).toMatchObject({
        format: 'Intel HEX',
        wrappers: ['gzip'],
        segments: [segment(0x100, 1, 2, 3)],
      })
  })

  it('knows what is packed by the name in it, else by its own', async () => {
    const letters = bytesOf('nothing known')
    expect(await refused(read(named('a.hex', letters), 'a'))).toMatchObject({ format: 'Intel HEX' })
    expect(await refused(read(gzipSync(letters), 'a.hex.gz'))).toMatchObject({ format: 'Intel HEX' })
    expect(await refused(read(gzipSync(letters), 'README.gz'))).toMatchObject({ found: 'text' })
    expect(await read(gzipSync(Uint8Array.of(1, 0xff)), 'firmware.gz')).toMatchObject({ format: 'binary' })
  })

  it('with any byte changed is refused or gives the same, and cut off is refused', async () => {
    let refusals = 0
    for (let at = 10; at < file.length; at++) {
      const changed = file.with(at, (file[at] as number) ^ 0x10)
      const segments = await read(changed).then(
        (image) => image.segments,
        () => {
          refusals++
          return undefined
        },
      )
      expect(segments ?? [segment(0x100, 1, 2, 3)], `byte ${at}`).toEqual([segment(0x100, 1, 2, 3)])
      expect(await refused(read(file.subarray(0, at)))).toMatchObject({ why: 'bad-compression' })
    }
    expect(refusals).toBeGreaterThan(file.length - 10 - 3) // the last bits of packed data mean nothing
    const changedSum = file.with(-8 + file.length, 0)
    expect(await refused(read(changedSum))).toMatchObject({ format: 'gzip', why: 'bad-compression' })
    expect(await refused(read(file.subarray(0, 6)))).toMatchObject({ why: 'truncated', offset: 6 })
  })

  it('refuses a bomb as soon as it is too large', async () => {
    const bomb = gzipSync(new Uint8Array(mostFileBytes + 1))
    expect(bomb.length).toBeLessThan(100_000)
    expect(await refused(read(bomb))).toEqual({ format: 'gzip', why: 'too-large', expected: 'up to 64 MiB' })
    expect(await refused(read(gzipSync(bomb)))).toMatchObject({ why: 'too-large' })
  }, 30_000)

  it('opens two wrappers, and no third', async () => {
    expect((await read(gzipSync(file))).wrappers).toEqual(['gzip', 'gzip'])
    expect(await refused(read(gzipSync(gzipSync(file))))).toMatchObject({
      format: 'gzip',
      why: 'too-deep',
    })
  })

  it('gives any image that was packed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1 }), async (bytes) => {
        const { segments } = await readImage(gzipSync(Uint8Array.of(0xff, ...bytes)), 'a.bin.gz')
        expect(segments).toEqual([segment(0, 0xff, ...bytes)])
      }),
    )
  })

  it('gives nothing but `bad-file` for anything else', () =>
    survivesReading(read, [file, named('a', hexText)], 500))
})
