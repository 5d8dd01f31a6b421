/** Vector: the example of SLAU101, A.2 (also in srec_ti_txt(5) of SRecord). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hexBytes } from '#core/bytes.ts'
import type { BadFileDetail } from '#core/errors.ts'
import { readImage } from './formats.ts'
import { bytesOf, imagesUpTo, refusal, survives } from './test-images.ts'
import { parseTiTxt } from './ti-txt.format.ts'

const parse = (text: string) => parseTiTxt(bytesOf(text))
const example = `@F000
31 40 00 03 B2 40 80 5A 20 01 D2 D3 22 00 D2 E3
21 00 3F 40 E8 FD 1F 83 FE 23 F9 3F
@FFFE
00 F0
q
`

describe('reading TI-TXT', () => {
  it('takes the example of the document', async () => {
    const { format, segments, warnings } = await readImage(bytesOf(example), 'a.txt')
    expect(format).toBe('TI-TXT')
    expect(segments.map(({ address, bytes }) => [address, bytes.length])).toEqual([
      [0xf000, 28],
      [0xfffe, 2],
    ])
    expect(hexBytes(segments[0]?.bytes.subarray(24) ?? new Uint8Array())).toBe('fe 23 f9 3f')
    expect(warnings).toEqual([])
  })

  it('takes any line end, either case, a capital Q, and sections in any order', () => {
    const expected = parse(example).segments
    for (const text of [
      example.replaceAll('\n', '\r\n'),
      example.toLowerCase(),
      example.replace('q', 'Q'),
      example.trimEnd(),
      `${example}\x1a`,
      `\xef\xbb\xbf\n${example}`,
      `@fffe 00 F0\n${example.replace('@FFFE\n00 F0\n', '')}`,
    ])
      expect(parse(text)).toMatchObject({ segments: expected, warnings: [] })
  })

  it('warns about what follows the end', () => {
    expect(parse(`${example}@0\n00\nq\n`).warnings).toMatchObject([{ code: 'records-after-end', line: 7 }])
  })

  it('gives back any image', () => {
    fc.assert(
      fc.property(imagesUpTo(2 ** 31), (segments) => {
        const sections = segments.map(
          ({ address, bytes }) => `@${address.toString(16)}\n${hexBytes(bytes)}\n`,
        )
        expect(parse(`${sections.join('')}q\n`).segments).toEqual(segments)
      }),
    )
  })

  const cases: Record<string, [text: string, expected: Partial<BadFileDetail>]> = {
    'of nothing': [' \n', { why: 'empty' }],
    'of an end alone': ['@0\nq', { why: 'no-bytes' }],
    'with bytes before an address': ['00 11\nq', { why: 'bad-structure', line: 1, offset: 0 }],
    'with an odd digit': ['@0\n00 1\n22\nq', { why: 'bad-length', line: 2, offset: 6 }],
    'with three digits': ['@0\n00 111\nq', { why: 'bad-length', line: 2, offset: 6 }],
    'with a letter that is no digit': ['@0\n00 1g\nq', { why: 'bad-digit', line: 2, offset: 7, found: 'g' }],
    'with an address of nine digits': ['@123456789\n00\nq', { why: 'bad-length', line: 1, offset: 1 }],
    'with an address of no digits': ['@\n00\nq', { why: 'bad-length', line: 1, offset: 1 }],
    'without its end': ['@0\n00\n', { why: 'no-end-record', line: 3, offset: 6 }],
    'cut off in a byte': ['@0\n00 1', { why: 'truncated', line: 2, offset: 7 }],
    'beyond 32 bits': ['@ffffffff\n00 11\nq', { why: 'address-overflow', line: 2, offset: 13 }],
    'with two bytes for one place': [
      '@10\n00 11\n@11\n11\n@11\n12\nq',
      { why: 'overlap', address: 0x11, firstLine: 2, line: 6 },
    ],
    'that is a binary': ['\x0c\x94\x34\0', { why: 'not-text', offset: 0 }],
  }
  for (const [what, [text, expected]] of Object.entries(cases))
    it(`refuses a text ${what}, saying where`, () => {
      expect(refusal(() => parse(text))).toMatchObject({ format: 'TI-TXT', ...expected })
    })

  it('gives nothing but `bad-file` for anything else', () => {
    survives(parseTiTxt, [bytesOf(example)])
  })
})
