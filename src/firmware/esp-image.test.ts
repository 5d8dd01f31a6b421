/** Vector: the image that esptool 5 makes of one segment of 16 bytes 0xaa at 0x3ffb0000, and accepts. */
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ByteWriter, concat, fromHex, hexBytes } from '#core/bytes.ts'
import type { BadFileDetail } from '#core/errors.ts'
import espImage from './esp-image.format.ts'
import { readImage } from './formats.ts'
import { sha256 } from './hash.ts'
import { bytesOf, refused, survivesReading } from './test-images.ts'

const header = fromHex('e901022000000840ee0000000000000000ffff0000000001')
const body = concat(
  fromHex('0000fb3f 10000000'),
  new Uint8Array(16).fill(0xaa),
  new Uint8Array(15),
  Uint8Array.of(0xef),
)

/** Segments of a file with the given header, and a right checksum, without a hash. */
function image(head: Uint8Array, ...segments: Uint8Array[]): Uint8Array {
  const parts = segments.map((bytes) => {
    const start = new Uint8Array(8)
    new DataView(start.buffer).setUint32(0, 0x3f40_0020, true)
    new DataView(start.buffer).setUint32(4, bytes.length, true)
    return concat(start, bytes)
  })
  const whole = concat(head, ...parts)
  const end = new Uint8Array(16 - (whole.length % 16))
  end[end.length - 1] = segments.reduce((sum, bytes) => bytes.reduce((xor, byte) => xor ^ byte, sum), 0xef)
  return concat(whole, end)
}

const plain = header.with(23, 0)
const field = (text: string, length: number) => concat(bytesOf(text), new Uint8Array(length - text.length))
const descriptor = concat(
  ...[fromHex('3254cdab'), new Uint8Array(12), field('1.2.3', 32), field('blink', 32)],
  ...[field('12:34:56', 16), field('Jan  2 2026', 16), field('v5.1.2', 32), new Uint8Array(112)],
)
const app = image(plain.with(12, 9), descriptor, Uint8Array.of(1, 2, 3))

describe('reading an ESP image', () => {
  it('takes the image of esptool as it is, with its hash', async () => {
    const file = concat(header, body, fromHex(await sha256(concat(header, body))))
    expect(file).toHaveLength(96)
    expect(hexBytes(file.subarray(64, 68))).toBe('86 e9 3c d8')
    expect(await readImage(file, 'a.bin')).toEqual({
      format: 'ESP image',
      segments: [{ address: 0, bytes: file }],
      isRaw: true,
      claims: { chip: 'ESP32', entry: 0x4008_0000 },
      warnings: [{ code: 'base-assumed', address: 0 }],
    })
    expect((await readImage(file, 'a', { base: 0x1_0000 })).segments).toMatchObject([{ address: 0x1_0000 }])
    expect(await refused(readImage(file.with(70, 0), 'a'))).toMatchObject({
      format: 'ESP image',
      why: 'bad-hash',
      offset: 64,
    })
  })

  it('says what the application says of itself', async () => {
    expect((await readImage(app, 'a.bin')).claims).toEqual({
      chip: 'ESP32-S3',
      entry: 0x4008_0000,
      name: 'blink',
      version: '1.2.3',
      built: 'Jan  2 2026 12:34:56',
      framework: 'ESP-IDF v5.1.2',
    })
    expect((await readImage(image(plain.with(12, 0x77), Uint8Array.of(1)), 'a')).claims.chip).toBe('ESP 0x77')
  })

  it('knows ESP8266, which has no extended header', async () => {
    const file = image(fromHex('e9010020 00001040'), Uint8Array.of(1, 2, 3, 4))
    expect((await readImage(file, 'a.bin')).claims).toEqual({ chip: 'ESP8266', entry: 0x4010_0000 })
  })

  it('knows ESP8266 images of the second form, with their CRC', async () => {
    const irom = fromHex(`ea04 0020 00001040 00000000 10000000 ${'5a'.repeat(16)}`)
    const inner = image(fromHex('e9010020 00001040'), Uint8Array.of(1, 2, 3, 4))
    const whole = concat(irom, inner)
    const crc = crc32(whole)
    const sum = new ByteWriter().u32le(crc >= 2 ** 31 ? ~crc >>> 0 : crc + 1).done()
    const v2 = concat(whole, sum)
    expect(await readImage(v2, 'a')).toMatchObject({
      format: 'ESP image',
      isRaw: true,
      claims: { chip: 'ESP8266', entry: 0x4010_0000 },
    })
    for (const at of [8, 20, 42, 60, v2.length - 1])
      expect(
        await refused(readImage(v2.with(at, (v2[at] as number) ^ 1), 'a.bin')),
        `byte ${at}`,
      ).toMatchObject({
        format: 'ESP image',
      })
  })

  it('takes what follows, as a signature or the other parts of a merged image', async () => {
    const file = concat(app, new Uint8Array(4096).fill(0xff))
    expect((await readImage(file, 'a.bin')).segments).toEqual([{ address: 0, bytes: file }])
  })

  const file = image(plain, Uint8Array.of(1, 2, 3, 4))
  const cases: Record<string, [file: Uint8Array, expected: Partial<BadFileDetail>]> = {
    'cut off in its header': [file.subarray(0, 20), { why: 'truncated', offset: 20 }],
    'cut off before its checksum': [file.subarray(0, -1), { why: 'truncated' }],
    'cut off before its hash': [concat(header, body), { why: 'truncated', offset: 64 }],
    'with a byte changed': [
      file.with(33, 0),
      { why: 'bad-checksum', offset: 47, found: '0xeb', expected: '0xe9' },
    ],
    'with a segment of 4 GB': [file.with(31, 0xff), { why: 'truncated', offset: 48 }],
    'with a strange hash flag': [file.with(23, 2), { why: 'bad-structure', offset: 23, found: '2' }],
  }
  for (const [what, [wrong, expected]] of Object.entries(cases))
    it(`refuses a file ${what}, saying where`, async () => {
      expect(await refused(readImage(wrong, 'a.bin'))).toMatchObject({ format: 'ESP image', ...expected })
    })

  it('gives nothing but `bad-file` for anything else', () => {
    return survivesReading((bytes) => espImage.parse(bytes, {}), [file, app])
  })
})
