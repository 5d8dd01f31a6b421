import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cancelSource } from '#core/context.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { compare, giveUp, parse, sha256 } from './client.ts'

const noise = (length: number, seed = 1) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 16) & 0xff)
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A file that says how large it is and must not be read. */
class UnreadableFile extends File {
  override readonly size: number
  constructor(size: number) {
    super([], 'huge.bin')
    this.size = size
  }
  override arrayBuffer(): Promise<ArrayBuffer> {
    return Promise.reject(new DOMException('it was read', 'NotReadableError'))
  }
}

describe('parsing a file', () => {
  const code = noise(1000)
  const lines = {
    unix: formatIntelHex([{ address: 0, bytes: code }]),
    dos: formatIntelHex([{ address: 0, bytes: code }], { lineEnd: '\r\n' }),
  }

  it('gives the image and the hashes of the file and of its data', async () => {
    const unix = await parse(new File([lines.unix], 'a.hex'))
    const dos = await parse(giveUp(lines.dos), { name: 'a.hex' })
    expect(unix.image.segments).toEqual([{ address: 0, bytes: code }])
    expect(unix).toMatchObject({ sizeBytes: lines.unix.length, sha256: hashOf(lines.unix) })
    expect(dos.sha256).toBe(hashOf(lines.dos))
    expect([unix.imageSha256, dos.imageSha256]).toEqual([hashOf(code), hashOf(code)])
  })

  it('says what is in it', async () => {
    const text = new TextEncoder().encode('\0\0USBasp by somebody\0')
    const { inspection } = await parse(new File([text], 'a.bin'))
    expect(inspection).toMatchObject({
      totalBytes: text.length,
      ranges: [{ address: 0, length: text.length }],
      strings: [{ address: 2, text: 'USBasp by somebody' }],
    })
  })

  it('refuses a file of a gigabyte before reading it', async () => {
    await expect(parse(new UnreadableFile(2 ** 30))).rejects.toMatchObject({
      code: 'bad-file',
      detail: { why: 'too-large', found: '1024 MiB' },
    })
  })

  it('says that a file cannot be read any more', async () => {
    await expect(parse(new UnreadableFile(100))).rejects.toMatchObject({ code: 'storage-failed' })
  })

  it('refuses an empty file', async () => {
    await expect(parse(new File([], 'a.hex'))).rejects.toMatchObject({
      code: 'bad-file',
      detail: { why: 'empty' },
    })
  })

  it('can be cancelled', async () => {
    const { signal, cancel } = cancelSource()
    const parsed = parse(new File([lines.unix], 'a.hex'), {}, signal)
    cancel()
    await expect(parsed).rejects.toMatchObject({ code: 'cancelled' })
  })
})

describe('hashing', () => {
  it('of bytes leaves them with their owner', async () => {
    const bytes = noise(5000)
    expect(await sha256(bytes)).toBe(hashOf(bytes))
    expect(bytes.length).toBe(5000)
  })

  it('of a big Blob goes piece by piece and gives the same', async () => {
    const part = noise(8 << 20)
    const parts = Array.from({ length: 9 }, () => part)
    const hash = createHash('sha256')
    for (const bytes of parts) hash.update(bytes)
    expect(await sha256(new Blob(parts))).toBe(hash.digest('hex'))
  })
})

describe('comparing', () => {
  it('of equal bytes finds nothing, also over a slice and at an odd offset', async () => {
    const bytes = noise((9 << 20) + 13)
    expect(await compare(bytes.subarray(3), bytes.slice(3))).toEqual({ count: 0, first: [], ranges: [] })
    const other = bytes.slice()
    other[bytes.length - 1] = ~(bytes.at(-1) ?? 0)
    expect(await compare(bytes, other)).toMatchObject({
      count: 1,
      ranges: [{ address: bytes.length - 1, length: 1 }],
    })
  })

  it('counts every difference and says where it is', async () => {
    const differences = fc.uniqueArray(fc.nat(299), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(differences, fc.nat(3), async (offsets, shift) => {
        const a = noise(300)
        const b = Uint8Array.from([...noise(shift), ...a]).subarray(shift)
        for (const offset of offsets) b[offset] = (a[offset] ?? 0) ^ 0x10
        const sorted = offsets.toSorted((x, y) => x - y)
        const { count, first, ranges } = await compare(a, b)
        expect(count).toBe(offsets.length)
        expect(first.map(({ offset }) => offset)).toEqual(sorted.slice(0, 16))
        for (const { offset, a: left, b: right } of first)
          expect([left, right]).toEqual([a[offset], b[offset]])
        expect(
          ranges.flatMap(({ address, length }) => Array.from({ length }, (_, i) => address + i)),
        ).toEqual(sorted)
      }),
    )
  })

  it('of two different contents stays bounded and loses no difference', async () => {
    const a = new Uint8Array(100_000)
    const b = a.map((_, i) => i & 1)
    const { count, ranges } = await compare(a, b)
    expect(count).toBe(50_000)
    expect(ranges).toHaveLength(4096)
    expect(ranges.at(-1)).toEqual({ address: 8191, length: 100_000 - 8191 })
  })

  it('refuses two lengths and can be cancelled', async () => {
    await expect(compare(noise(3), noise(4))).rejects.toMatchObject({ code: 'size-mismatch' })
    const { signal, cancel } = cancelSource()
    const big = new Uint8Array(12 << 20)
    const compared = compare(big, big.slice(), signal)
    cancel()
    await expect(compared).rejects.toMatchObject({ code: 'cancelled' })
  })
})
