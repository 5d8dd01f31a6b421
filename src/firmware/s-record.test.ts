/**
 * Vectors: M68000 Family Programmer's Reference Manual (M68000PM/AD), C.4 (the records of its figure C-4), and
 * what objcopy 2.40 writes for five bytes.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFlashError, type BadFileDetail } from '#core/errors.ts'
import { readImage } from './formats.ts'
import { formatSRecord, parseSRecord, type SRecordOptions } from './s-record.ts'
import { bytesOf, imagesUpTo, refusal, refused, segment, survives, textOf } from './test-images.ts'

const parse = (text: string) => parseSRecord(bytesOf(text))

/** One record with the right checksum. */
function record(type: number, address: string, ...payload: number[]): string {
  const bytes = [...(address.match(/../g) ?? []).map((digits) => parseInt(digits, 16)), ...payload]
  const all = [bytes.length + 1, ...bytes]
  const sum = all.reduce((a, b) => a + b, 0)
  const digits = [...all, ~sum & 0xff].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return `S${type}${digits.toUpperCase()}\n`
}
const end = 'S9030000FC\n'
const counting = (length: number) => Array.from({ length }, (_, i) => i * 5)

const manual = `S00600004844521B
S1130000285F245F2212226A000424290008237C2A
S11300100002000800082629001853812341001813
S113002041E900084E42234300182342000824A952
S107003000144ED492
S9030000FC
`

describe('reading S-records', () => {
  it('takes the example of the manual', () => {
    const { segments, claims, warnings } = parse(manual)
    expect(segments).toHaveLength(1)
    expect(segments[0]).toMatchObject({ address: 0 })
    expect(segments[0]?.bytes).toHaveLength(52)
    expect([...(segments[0]?.bytes.subarray(48) ?? [])]).toEqual([0x00, 0x14, 0x4e, 0xd4])
    expect(claims).toEqual({ name: 'HDR' })
    expect(warnings).toEqual([])
  })

  it('takes what objcopy writes, with the entry', () => {
    const { segments, claims } = parse(
      'S0090000682E73726563B3\r\nS30A0800000068656C6C6FD9\r\nS70508000000F2\r\n',
    )
    expect(segments).toEqual([segment(0x0800_0000, ...bytesOf('hello'))])
    expect(claims).toEqual({ name: 'h.srec', entry: 0x0800_0000 })
  })

  it('takes every width of address, and several as SRecord writes them, with a remark', () => {
    for (const address of ['0010', '000010', '00000010'])
      expect(parse(record(address.length / 2 - 1, address, 1) + end)).toMatchObject({
        segments: [segment(0x10, 1)],
        warnings: [],
      })
    // srec_cat 1.64: 40 bytes at 0xfff0, no entry
    const { segments, warnings } = parse(
      record(1, 'FFF0', ...counting(32)) + record(2, '010010', 1, 2, 3) + record(5, '0002'),
    )
    expect(segments).toEqual([segment(0xfff0, ...counting(32), 1, 2, 3)])
    expect(warnings).toEqual([{ code: 'mixed-addresses' }])
  })

  it('takes what tools really write', () => {
    const plain = record(1, '0010', 1, 2) + record(1, '0012', 3) + record(1, '0020', 4) + end
    const variants = {
      LF: plain,
      CRLF: plain.replaceAll('\n', '\r\n'),
      CR: plain.replaceAll('\n', '\r'),
      'lower case': plain.toLowerCase().replaceAll('s', 'S'),
      'blank lines and spaces': `\n  \n${plain.replaceAll('\n', ' \n\n\t')}`,
      'no last line end': plain.trimEnd(),
      'a byte order mark': `\xef\xbb\xbf${plain}`,
      'DOS end of file': `${plain}\x1a`,
      'an empty data record': record(1, '0040') + plain,
      'a count of 16 bits':
        record(1, '0010', 1, 2) + record(1, '0012', 3) + record(5, '0002') + record(1, '0020', 4) + end,
      'a count of 24 bits': plain.replace(end, record(6, '000003') + end),
    }
    for (const [name, text] of Object.entries(variants)) {
      const { segments, warnings } = parse(text)
      expect(segments, name).toEqual([segment(0x10, 1, 2, 3), segment(0x20, 4)])
      expect(warnings, name).toEqual([])
    }
  })

  it('reads the entry of each end record; 0 is none', () => {
    const entryOf = (endRecord: string) => parse(record(1, '0000', 1) + endRecord).claims
    expect(entryOf(record(9, '1234'))).toEqual({ entry: 0x1234 })
    expect(entryOf(record(8, '123456'))).toEqual({ entry: 0x12_3456 })
    expect(entryOf(record(7, '12345678'))).toEqual({ entry: 0x1234_5678 })
    expect(entryOf(end)).toEqual({})
  })

  it('keeps no header that is no text', () => {
    for (const [payload, claims] of [
      [[...bytesOf('boot v1.2\0\0')], { name: 'boot v1.2' }],
      [[0x20, 0x20], {}],
      [[0x41, 0x07], {}],
      [[], {}],
    ] as const)
      expect(parse(record(0, '0000', ...payload) + record(1, '0000', 1) + end).claims).toEqual(claims)
  })

  it('warns about what follows the end record', () => {
    const text = record(1, '0000', 1) + end
    expect(parse(`${text}made by hand\n`).warnings).toMatchObject([{ code: 'text-after-end', line: 3 }])
    expect(parse(text + text).warnings).toMatchObject([{ code: 'records-after-end', line: 3 }])
  })

  it('is recognised by its content, whatever its name, and by its name when it is damaged', async () => {
    for (const name of ['a.s19', 'a.bin', 'a.hex', 'a'])
      expect((await readImage(bytesOf(manual), name)).format).toBe('Motorola S-record')
    expect(await refused(readImage(bytesOf('nothing'), 'a.s37'))).toMatchObject({
      format: 'Motorola S-record',
      why: 'no-start-code',
    })
  })
})

describe('a wrong S-record file', () => {
  const first = record(1, '0000', 1, 2, 3, 4) // 19 characters with its line end
  const cases: Record<string, [text: string, expected: Partial<BadFileDetail>]> = {
    'of nothing': ['', { why: 'empty' }],
    'of spaces': [' \r\n\n', { why: 'empty' }],
    'of an end record alone': [end, { why: 'no-bytes' }],
    'with a letter that is no digit': [
      `${first}S104000000G0\n${end}`,
      { why: 'bad-digit', line: 2, offset: 29, found: 'G' },
    ],
    'with a letter after a record': [
      `${first.trimEnd()}x\n${end}`,
      { why: 'bad-digit', line: 1, offset: 18 },
    ],
    'with a wrong checksum': [
      `${first}S104000001FB\n${end}`,
      { why: 'bad-checksum', line: 2, offset: 29, found: '0xfb', expected: '0xfa' },
    ],
    'with a digit too few': [`${first}S104000001F\n${end}`, { why: 'bad-length', line: 2, offset: 21 }],
    'with a digit too many': [`${first}S104000001FA0\n${end}`, { why: 'bad-length', line: 2, offset: 21 }],
    'with a count too small for its address': [`${first}S10200FD\n${end}`, { why: 'bad-length', line: 2 }],
    'with an endless line': [`${first}S1FF${'0'.repeat(4_000_000)}`, { why: 'bad-length', line: 2 }],
    'with the reserved S4': [
      `${first}S4030000FC\n${end}`,
      { why: 'bad-record-type', line: 2, offset: 20, found: 'S4' },
    ],
    'with a letter as type': [`${first}SA030000FC\n${end}`, { why: 'bad-record-type', found: 'SA' }],
    'with an end record that holds bytes': [first + record(9, '0000', 1), { why: 'bad-length', line: 2 }],
    'with a count that is wrong': [
      first + record(5, '0002') + end,
      { why: 'bad-count', line: 2, offset: 23, found: '2', expected: '1' },
    ],
    'with a record turned from S1 into S2': [
      record(1, '1000', 1, 2) + record(1, '1002', 3, 4).replace('S1', 'S2') + record(1, '1004', 5) + end,
      { why: 'bad-record-type', line: 2, found: 'S2' },
    ],
    'with widths that fall again': [
      record(2, '010000', 1) + record(1, '8000', 2) + end,
      { why: 'bad-record-type', line: 2, found: 'S1' },
    ],
    'with a wide address without need': [
      record(1, '0000', 1) + record(2, '008000', 2) + end,
      { why: 'bad-record-type', line: 2, found: 'S2' },
    ],
    'with a header between its data': [
      first + record(0, '0004', 1) + end,
      { why: 'bad-record-type', line: 2, found: 'S0' },
    ],
    'with two ends': [first + record(9, '0001') + end, { why: 'bad-record-type', line: 3, found: 'S9' }],
    'cut off in a record': [`${first}S104000`, { why: 'truncated', line: 2, offset: 26 }],
    'cut off after its S': [`${first}S`, { why: 'truncated', line: 2, offset: 20 }],
    'cut off between records': [first, { why: 'no-end-record', line: 2, offset: 19 }],
    'with a comment': [`${first}; hello\n${end}`, { why: 'no-start-code', line: 2, offset: 19, found: ';' }],
    'with a small s': [first.replace('S', 's') + end, { why: 'no-start-code', line: 1, found: 's' }],
    'beyond 32 bits': [record(3, 'FFFFFFFF', 1, 2) + end, { why: 'address-overflow', line: 1 }],
    'with two bytes for one place': [
      `${record(1, '0100', 1, 2, 3)}\r\n${record(1, '0000', 7)}${record(1, '0102', 4)}${end}`,
      { why: 'overlap', address: 0x102, firstLine: 1, line: 4 },
    ],
    'that is a binary': ['\x0c\x94\x34\0', { why: 'not-text', offset: 0 }],
  }
  for (const [name, [text, expected]] of Object.entries(cases))
    it(`${name} is refused, saying where`, () => {
      expect(refusal(() => parse(text))).toMatchObject({ format: 'Motorola S-record', ...expected })
    })

  it('with any one character changed is refused with its line and reason', () => {
    const files: Record<string, Uint8Array> = {
      S1: formatSRecord([segment(0x7ff0, ...counting(20)), segment(0xfff0, 1, 2, 3, 4, 5)], {
        entry: 0x7ff0,
      }),
      S2: formatSRecord([segment(0x12_3456, ...counting(20))], { name: 'test', entry: 0x12_3456 }),
      S3: formatSRecord([segment(0x0800_0000, ...counting(20))], { name: 'test', recordBytes: 32 }),
    }
    const controls = [0, 9, 10, 13, 0x1a, 0x7f, 0x80, 0xff]
    const characters = [...controls, ...Array.from({ length: 95 }, (_, i) => 0x20 + i)]
    const fooled: string[] = []
    for (const [type, text] of Object.entries(files)) {
      const lines = textOf(text).trimEnd().split('\n').length
      const image = JSON.stringify(parseSRecord(text).segments)
      for (let at = 0; at < text.length; at++)
        for (const character of characters) {
          const old = String.fromCharCode(text[at] as number)
          const now = String.fromCharCode(character)
          if (old.toUpperCase() === now.toUpperCase() && now !== 's') continue // the same digit
          const place = `${type}: ${at} from ${old} to ${now}`
          try {
            const { segments, warnings } = parseSRecord(text.with(at, character))
            // Between records any space is as good. Text after the end, and a first or last record of another
            // width, are remarked. A count that became an empty record changes nothing.
            const isRemarked = warnings.length > 0 || /[\s5]/.test(old)
            const isSame = JSON.stringify(segments) === image
            if (!isRemarked || !(isSame || warnings.some(({ code }) => code === 'mixed-addresses')))
              fooled.push(place)
          } catch (error) {
            if (!isFlashError(error, 'bad-file')) throw error
            const { why, line = 0 } = error.detail
            const own = textOf(text.subarray(0, at)).split('\n').length
            // A record too many or too few shows at the count, another width at the end.
            if (why !== 'bad-count' && ![own, own + 1, lines].includes(line))
              fooled.push(`${place}, in line ${line}`)
          }
        }
    }
    expect(fooled).toEqual([])
  })

  it('of anything gives nothing but `bad-file`', () => {
    const noise = fc
      .string({ unit: fc.constantFrom(...Array.from('0123456789abcdefABCDEFSSS01239\r\n x\u00ff')) })
      .map(bytesOf)
    survives(parseSRecord, [bytesOf(manual), ...fc.sample(noise, 500)], 4000)
  })
})

describe('writing S-records', () => {
  it('gives the records of the manual', () => {
    expect(textOf(formatSRecord(parse(manual).segments, { name: 'HDR', counted: false }))).toBe(manual)
  })

  it('is read back as it was, in every manner of writing', () => {
    const manners = fc.record({
      recordBytes: fc.constantFrom(1, 16, 32, 250),
      lineEnd: fc.constantFrom('\n' as const, '\r\n' as const),
      entry: fc.option(fc.integer({ min: 1, max: 0xffff_ffff }), { nil: undefined }),
      name: fc.constantFrom(undefined, 'firmware.elf'),
      counted: fc.boolean(),
    }) satisfies fc.Arbitrary<SRecordOptions>
    const spans = fc.constantFrom(2 ** 16, 2 ** 24, 2 ** 31).chain((end) => imagesUpTo(end))
    fc.assert(
      fc.property(spans, manners, (segments, options) => {
        const image = parseSRecord(formatSRecord(segments, options))
        expect(image.segments).toEqual(segments)
        expect(image.claims).toEqual({
          ...(options.entry !== undefined && { entry: options.entry }),
          ...(options.name !== undefined && { name: options.name }),
        })
        expect(image.warnings).toEqual([])
      }),
    )
  })

  it('refuses an address that its width cannot reach', () => {
    expect(() => formatSRecord([segment(0x1_0000, 1)], { addressBytes: 2 })).toThrow('address-overflow')
  })
})
