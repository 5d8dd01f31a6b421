/** The layout is the one of GNU tar, which `reference-tools.test.ts` asks. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { concat } from '#core/bytes.ts'
import type { BadFileDetail } from '#core/errors.ts'
import { readImage } from './formats.ts'
import { formatIntelHex } from './intel-hex.ts'
import { bytesOf, refused, segment, survivesReading } from './test-images.ts'

interface Entry {
  name: string
  content?: Uint8Array
  type?: string
  prefix?: string
}

function entry({ name, content = new Uint8Array(), type = '0', prefix = '' }: Entry): Uint8Array {
  const head = new Uint8Array(512)
  const put = (at: number, text: string) => {
    head.set(bytesOf(text), at)
  }
  put(0, name)
  put(124, `${content.length.toString(8).padStart(11, '0')} `)
  put(148, '        ')
  put(156, type)
  put(257, 'ustar\x0000')
  put(345, prefix)
  const sum = head.reduce((all, byte) => all + byte, 0)
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `)
  return concat(head, content, new Uint8Array(-content.length & 511))
}
const end = new Uint8Array(1024)
const tar = (...entries: Entry[]) => concat(...entries.map(entry), end)
const summed = (file: Uint8Array) =>
  concat(file, bytesOf(`${createHash('md5').update(file).digest('hex')}  a.tar\n`))

const hexText = formatIntelHex([segment(0x100, 1, 2, 3)])
const file = tar({ name: 'fw/', type: '5' }, { name: 'fw/a.hex', content: hexText })
const read = (bytes: Uint8Array, name = 'a.tar') => readImage(bytes, name)

describe('reading tar', () => {
  it('reads the one file in it, whatever the archive is called', async () => {
    for (const name of ['a.tar', 'a.bin', 'a'])
      expect(await read(file, name)).toMatchObject({
        format: 'Intel HEX',
        wrappers: ['tar'],
        segments: [segment(0x100, 1, 2, 3)],
      })
  })

  it('takes names from where each dialect has them', async () => {
    const content = Uint8Array.of(0xff, 1)
    const two = (...first: Entry[]) => tar(...first, { name: 'b.bin', content })
    const long = `${'x'.repeat(120)}/a.bin`
    const cases: [Uint8Array, string][] = [
      [two({ name: 'a.bin', content }), 'a.bin'],
      [two({ name: 'a.bin', prefix: 'deep/down', content }), 'deep/down/a.bin'],
      [
        two({ name: '././@LongLink', type: 'L', content: bytesOf(`${long}\0`) }, { name: 'x', content }),
        long,
      ],
      [two({ name: 'pax', type: 'x', content: bytesOf(`139 path=${long}\n`) }, { name: 'x', content }), long],
    ]
    for (const [bytes, name] of cases)
      expect(await refused(read(bytes))).toMatchObject({
        why: 'several-parts',
        parts: [{ name }, { name: 'b.bin' }],
      })
  })

  it('holds a .tar.md5 against its sum, and refuses one without', async () => {
    const whole = summed(file)
    expect(await read(whole, 'a.tar.md5')).toMatchObject({ wrappers: ['tar'], format: 'Intel HEX' })
    const changed = whole.with(1044, (whole[1044] as number) ^ 1)
    expect(await refused(read(changed, 'a.tar.md5'))).toMatchObject({
      format: 'tar',
      why: 'bad-hash',
      offset: file.length,
    })
    expect(await refused(read(changed, 'a.tar'))).toMatchObject({ why: 'bad-hash' })
    expect(await refused(read(file, 'a.tar.md5'))).toMatchObject({ why: 'truncated', offset: file.length })
  })

  const first = entry({ name: 'a.bin', content: hexText })
  const cases: Record<string, [file: Uint8Array, expected: Partial<BadFileDetail>]> = {
    'cut off in a file': [file.subarray(0, 1030), { why: 'truncated', offset: 1030 }],
    'cut off between files': [first, { why: 'truncated', offset: first.length }],
    'with a damaged header': [concat(first, first.with(3, 0), end), { why: 'bad-checksum', offset: 1172 }],
    'with a file of exabytes': [
      tar({ name: 'a', content: hexText }).with(124, 0xff),
      { why: 'bad-checksum', offset: 148 },
    ],
    'with another archive behind it': [concat(file, file), { why: 'bad-structure', offset: file.length }],
    'of nothing': [concat(entry({ name: 'a/', type: '5' }), end), { why: 'no-bytes' }],
  }
  for (const [what, [bytes, expected]] of Object.entries(cases))
    it(`refuses one ${what}, saying where`, async () => {
      expect(await refused(read(bytes))).toMatchObject({ format: 'tar', ...expected })
    })

  it('gives nothing but `bad-file` for anything else', () =>
    survivesReading(read, [file, summed(file)], 1000))
})
