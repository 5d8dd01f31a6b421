import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, it, test, vi } from 'vitest'
import { cancelSource } from '#core/context.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { compare, parse } from './client.ts'
import './work.ts' // the client asks for it, and it takes a while to be compiled

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

test('two contents are compared, with what most likely made the difference', async () => {
  const first = noise(100_000)
  const second = first.slice()
  second.fill(0xff, 40_000, 40_100)
  const { count, runs, cause } = await compare(first, second)
  expect({ count, runs, cause }).toEqual({
    count: first.subarray(40_000, 40_100).filter((byte) => byte !== 0xff).length,
    runs: [{ offset: 40_000, length: 100 }],
    cause: 'blank',
  })
  expect(await compare(first, first)).toMatchObject({ count: 0, runs: [], cause: 'equal' })
})

describe('parsing a file', () => {
  const code = noise(1000)
  const lines = {
    unix: formatIntelHex([{ address: 0, bytes: code }]),
    dos: formatIntelHex([{ address: 0, bytes: code }], { lineEnd: '\r\n' }),
  }

  it('gives the image and the hashes of the file and of its data', async () => {
    const unix = await parse(new File([lines.unix], 'a.hex'))
    const dos = await parse(new Blob([lines.dos]), { name: 'a.hex' })
    expect(unix.image.segments).toEqual([{ address: 0, bytes: code }])
    expect(unix).toMatchObject({ sizeBytes: lines.unix.length, sha256: hashOf(lines.unix) })
    expect(dos.sha256).toBe(hashOf(lines.dos))
    expect([unix.imageSha256, dos.imageSha256]).toEqual([hashOf(code), hashOf(code)])
    expect([unix.crc32, dos.crc32]).toEqual([crc32(code), crc32(code)])
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

  describe('that is large and comes in pieces', () => {
    const large = noise(900_000)
    const text = formatIntelHex([
      { address: 0, bytes: large.subarray(0, 500_000) },
      { address: 0x10_0000, bytes: large.subarray(500_000) },
    ])
    const lineEnd = text.indexOf(10) + 1
    const bad = lineEnd * 20_000 + 12

    it('gives the same', async () => {
      const parsed = await parse(new File([text], 'a.hex'))
      expect(parsed).toMatchObject({ sizeBytes: text.length, sha256: hashOf(text), crc32: crc32(large) })
      expect(parsed.imageSha256).toBe(hashOf(large))
      const { segments } = parsed.image
      expect(segments.map(({ address }) => address)).toEqual([0, 0x10_0000])
      expect(hashOf(Buffer.concat(segments.map(({ bytes }) => bytes)))).toBe(hashOf(large))
    })

    it('gives the hashes of the data in their order, whatever the order of the file', async () => {
      const [first, rest] = [text.subarray(0, lineEnd), text.subarray(lineEnd)]
      const end = rest.lastIndexOf(0x3a)
      const back = new File([rest.subarray(0, end), ':020000040000FA\n', first, rest.subarray(end)], 'a.hex')
      const { crc32: crc, imageSha256 } = await parse(back)
      expect([crc, imageSha256]).toEqual([crc32(large), hashOf(large)])
    })

    it('is refused at the line that is wrong, and told of what is behind its end', async () => {
      const wrong = text.slice()
      wrong[bad] = 0x5a
      const line = Buffer.from(text.subarray(0, bad)).toString().split('\n').length
      const detail = { why: 'bad-digit', line, offset: bad, found: 'Z' }
      await expect(parse(new File([wrong], 'a.hex'))).rejects.toMatchObject({ code: 'bad-file', detail })
      const { image, sha256 } = await parse(new File([text, '; made by hand'], 'a.hex'))
      expect(image.warnings).toMatchObject([{ code: 'text-after-end' }])
      expect(sha256).not.toBe(hashOf(text))
    })

    it('can be cancelled between two of them', async () => {
      const { signal, cancel } = cancelSource()
      let pieces = 0
      class Slow extends File {
        override stream() {
          return new ReadableStream<Uint8Array<ArrayBuffer>>({
            pull: async (controller) => {
              const from = pieces++ << 16
              if (pieces === 3) cancel()
              controller.enqueue(new Uint8Array(await this.slice(from, from + (1 << 16)).arrayBuffer()))
            },
          })
        }
      }
      const parsed = parse(new Slow([text], 'a.hex'), {}, signal)
      await expect(parsed).rejects.toMatchObject({ code: 'cancelled' })
      expect(pieces).toBeLessThan(10)
    })
  })

  it('may be larger when it is text', { timeout: 30_000 }, async () => {
    const spaces = new Uint8Array(65 << 20).fill(0x20)
    const end = lines.unix.lastIndexOf(0x3a)
    const text = new File([lines.unix.subarray(0, end), spaces, lines.unix.subarray(end)], 'a.hex')
    expect((await parse(text)).image.segments).toEqual([{ address: 0, bytes: code }])
    await expect(parse(new File([spaces.fill(0)], 'a.bin'))).rejects.toMatchObject({
      detail: { why: 'too-large', found: '65 MiB', expected: '64 MiB' },
    })
  })

  // the last: it loads everything anew
  describe('where WebAssembly is missing or forbidden', () => {
    afterEach(() => {
      vi.unstubAllGlobals()
    })
    const forbidden = Object.assign(Object.create(WebAssembly) as typeof WebAssembly, {
      compile: () => Promise.reject(new WebAssembly.CompileError('by a policy')),
    })

    it.each([undefined, forbidden])('gives the same', async (instead) => {
      const large = formatIntelHex([{ address: 0x100, bytes: noise(500_000) }])
      const expected = await parse(new File([large], 'a.hex'))
      vi.resetModules()
      vi.stubGlobal('WebAssembly', instead)
      const { parse: plain } = await import('./work.ts')
      const { image, sha256, imageSha256, crc32: crc } = await plain(new File([large], 'a.hex'), 'a.hex')
      expect([sha256, imageSha256, crc]).toEqual([expected.sha256, expected.imageSha256, expected.crc32])
      expect(hashOf(image.segments[0]?.bytes ?? new Uint8Array())).toBe(imageSha256)
    })
  })
})
