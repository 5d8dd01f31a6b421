/** The layout of chunks is the one that `reference-tools.test.ts` holds against img2simg. */
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteWriter, concat } from '#core/bytes.ts'
import type { BadFileDetail } from '#core/errors.ts'
import { parseAndroidSparse } from './android-sparse.format.ts'
import { readImage } from './formats.ts'
import { flatten } from './image.ts'
import { refusal, segment, survives } from './test-images.ts'

const block = 8
interface Part {
  readonly type: number
  readonly blocks: number
  readonly content?: Uint8Array
}
const raw = (...content: number[]): Part => {
  const bytes = new Uint8Array(Math.ceil(content.length / block) * block)
  bytes.set(content)
  return { type: 0xcac1, blocks: bytes.length / block, content: bytes }
}
const fill = (blocks: number, ...content: number[]): Part => ({
  type: 0xcac2,
  blocks,
  content: Uint8Array.from(content),
})
const gap = (blocks: number): Part => ({ type: 0xcac3, blocks })
const sum = (value: number): Part => ({
  type: 0xcac4,
  blocks: 0,
  content: new ByteWriter().u32le(value).done(),
})

function sparse(
  parts: readonly Part[],
  total = parts.reduce((all, { blocks }) => all + blocks, 0),
): Uint8Array {
  const file = new ByteWriter().u32le(0xed26ff3a).u16le(1).u16le(0).u16le(28).u16le(12)
  file.u32le(block).u32le(total).u32le(parts.length).u32le(0)
  for (const { type, blocks, content = new Uint8Array() } of parts)
    file
      .u16le(type)
      .u16le(0)
      .u32le(blocks)
      .u32le(12 + content.length)
      .bytes(content)
  return file.done()
}

describe('reading an Android sparse image', () => {
  it('takes raw and filled blocks, and leaves out those that do not matter', async () => {
    const file = sparse([raw(1, 2, 3), gap(2), fill(1, 9, 8, 7, 6), raw(5)])
    expect(await readImage(file, 'a.img')).toEqual({
      format: 'Android sparse',
      segments: [
        segment(0, 1, 2, 3, 0, 0, 0, 0, 0),
        segment(24, 9, 8, 7, 6, 9, 8, 7, 6, 5, 0, 0, 0, 0, 0, 0, 0),
      ],
      claims: {},
      warnings: [],
    })
  })

  it('keeps a gap a gap, however long it is', () => {
    const file = sparse([raw(1), gap(0xffff_fff0)])
    expect(parseAndroidSparse(file).segments).toEqual([segment(0, 1, 0, 0, 0, 0, 0, 0, 0)])
  })

  it('is the partition again, and its CRC is that of the whole, gaps as zeros', () => {
    const part = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => raw(...bytes)),
      fc
        .record({ blocks: fc.nat(20), content: fc.uint8Array({ minLength: 4, maxLength: 4 }) })
        .map((one) => ({
          type: 0xcac2,
          ...one,
        })),
      fc.nat(20).map(gap),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.nat(12), (parts, at) => {
        const whole = concat(raw(7).content as Uint8Array, ...parts.map(unsparse))
        const before = concat(raw(7).content as Uint8Array, ...parts.slice(0, at).map(unsparse))
        const first = [raw(7), ...parts.slice(0, at), sum(crc32(before))]
        const all = [...first, ...parts.slice(at), sum(crc32(whole))]
        const { segments } = parseAndroidSparse(sparse(all))
        expect(flatten(segments, { address: 0, length: whole.length }, 0)).toEqual(whole)
      }),
    )
  })

  const good = sparse([raw(1, 2, 3), gap(1), fill(1, 1, 2, 3, 4)])
  const at = (offset: number, ...bytes: number[]) => {
    const file = Uint8Array.from(good)
    file.set(bytes, offset)
    return file
  }
  const cases: Record<string, [file: Uint8Array, expected: Partial<BadFileDetail>]> = {
    'cut off in its header': [good.subarray(0, 20), { why: 'truncated', offset: 20 }],
    'cut off in a chunk': [good.subarray(0, -1), { why: 'truncated' }],
    'of another version': [at(4, 2), { why: 'bad-structure', offset: 4, found: '2', expected: '1' }],
    'with blocks of no bytes': [at(12, 0), { why: 'bad-structure', offset: 12 }],
    'with chunks of an unknown type': [at(28, 0xc5), { why: 'bad-record-type', offset: 28, found: '0xcac5' }],
    'with a raw chunk that is shorter than its blocks': [at(32, 2), { why: 'bad-length', offset: 36 }],
    'with other blocks than it says': [
      at(16, 4),
      { why: 'bad-count', offset: 16, found: '4', expected: '3' },
    ],
    'with more chunks than anybody reads': [at(20, 1, 0, 2), { why: 'bad-structure', offset: 20 }],
    'with something behind it': [concat(good, Uint8Array.of(0)), { why: 'bad-length', offset: good.length }],
    'with fills of gigabytes': [sparse([fill(0x2000_0000, 1, 2, 3, 4)]), { why: 'too-large', offset: 32 }],
    'with a wrong CRC': [sparse([raw(1), sum(1)]), { why: 'bad-checksum', offset: 60, found: '0x0000_0001' }],
    'with bytes beyond 32 bits': [
      sparse([gap(0x2000_0000), raw(1)], 0x2000_0001),
      { why: 'address-overflow', address: 2 ** 32 + 7 },
    ],
    'of nothing': [sparse([gap(4)]), { why: 'no-bytes' }],
  }
  for (const [what, [file, expected]] of Object.entries(cases))
    it(`refuses a file ${what}, saying where`, () => {
      expect(refusal(() => parseAndroidSparse(file))).toMatchObject({ format: 'Android sparse', ...expected })
    })

  it('gives nothing but `bad-file` for anything else', () => {
    survives(parseAndroidSparse, [good, sparse([raw(1), gap(3), sum(1)])])
  })
})

function unsparse({ type, blocks, content = new Uint8Array() }: Part): Uint8Array {
  if (type === 0xcac1) return content
  const bytes = new Uint8Array(blocks * block)
  if (type === 0xcac2) bytes.forEach((_, i) => (bytes[i] = content[i % 4] as number))
  return bytes
}
