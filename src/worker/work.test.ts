import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { cancelSource } from '#core/context.ts'
import { formatIntelHex } from '#firmware/intel-hex.ts'
import { parse } from './client.ts'

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
})
