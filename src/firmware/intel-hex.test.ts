import fc from 'fast-check'
import MemoryMap from 'nrf-intel-hex'
import { describe, expect, it } from 'vitest'
import { isFlashError, type BadFileDetail } from '#core/errors.ts'
import type { Segment } from '#core/programmer.ts'
import { formatIntelHex, parseIntelHex, type IntelHexOptions } from './intel-hex.ts'
import { imagesUpTo } from './test-images.ts'

const encode = (text: string) => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const parse = (text: string) => parseIntelHex(encode(text))
const segment = (address: number, ...bytes: number[]) => ({ address, bytes: Uint8Array.from(bytes) })
const end = ':00000001FF\n'

/** One record with the right checksum. */
function record(type: number, offset: number, ...payload: number[]): string {
  const bytes = [payload.length, offset >> 8, offset & 0xff, type, ...payload]
  const sum = bytes.reduce((a, b) => a + b, 0)
  return `:${[...bytes, -sum & 0xff].map((byte) => byte.toString(16).padStart(2, '0')).join('')}\n`.toUpperCase()
}

function refusal(text: string | Uint8Array): BadFileDetail {
  try {
    parseIntelHex(typeof text === 'string' ? encode(text) : text)
  } catch (error) {
    if (isFlashError(error, 'bad-file')) return error.detail
    throw error
  }
  throw new Error('it was accepted')
}

describe('reading Intel HEX', () => {
  it('takes what tools really write', () => {
    const plain = record(0, 0x10, 1, 2) + record(0, 0x12, 3) + record(0, 0x20, 0xab, 0xcd) + end
    const expected = [segment(0x10, 1, 2, 3), segment(0x20, 0xab, 0xcd)]
    const variants = {
      LF: plain,
      CRLF: plain.replaceAll('\n', '\r\n'),
      CR: plain.replaceAll('\n', '\r'),
      'lower case': plain.toLowerCase(),
      'blank lines and spaces': `\n  \n${plain.replaceAll('\n', ' \n\n\t')}`,
      'no last line end': plain.trimEnd(),
      'a byte order mark': `\ufeff${plain}`,
      'DOS end of file': `${plain}\x1a`,
      'records in another order':
        record(0, 0x20, 0xab, 0xcd) + record(0, 0x12, 3) + record(0, 0x10, 1, 2) + end,
      'an empty data record': record(0, 0x40) + plain,
    }
    for (const [name, text] of Object.entries(variants)) {
      const { segments, warnings } = parse(text)
      expect(segments, name).toEqual(expected)
      expect(warnings, name).toEqual([])
    }
  })

  it('follows segment and linear bases and reads both kinds of start address', () => {
    const segmented = parse(record(2, 0, 0x12, 0x00) + record(0, 0x34, 7) + record(3, 0, 0, 0, 0x30, 0) + end)
    expect(segmented.segments).toEqual([segment(0x1_2034, 7)])
    expect(segmented.claims).toEqual({ entry: 0x3000 })
    const linear = parse(record(4, 0, 0x08, 0x00) + record(0, 0, 7) + record(5, 0, 8, 0, 1, 0x45) + end)
    expect(linear.segments).toEqual([segment(0x0800_0000, 7)])
    expect(linear.claims).toEqual({ entry: 0x0800_0145 })
    expect(parse(record(4, 0, 0xff, 0xff) + record(0, 0xffff, 1) + end).segments).toEqual([
      segment(0xffff_ffff, 1),
    ])
  })

  it('goes on over a 64 KiB boundary, as the document says for linear addresses', () => {
    expect(parse(record(0, 0xffff, 1, 2) + end).segments).toEqual([segment(0xffff, 1, 2)])
  })

  it('warns about what follows the end record', () => {
    expect(parse(`${record(0, 0, 1)}${end}; made by hand\n`).warnings).toEqual([
      { code: 'text-after-end', line: 3, offset: 26 },
    ])
    expect(parse(record(0, 0, 1) + end + record(0, 8, 1) + end).warnings).toEqual([
      { code: 'records-after-end', line: 3, offset: 26 },
    ])
  })

  it('takes a byte that is given twice, if it is the same', () => {
    const { segments, warnings } = parse(record(0, 0, 1, 2) + record(0, 1, 2, 3) + end)
    expect(segments).toEqual([segment(0, 1, 2, 3)])
    expect(warnings).toEqual([{ code: 'repeated-bytes', address: 1 }])
  })
})

describe('a wrong Intel HEX file', () => {
  const first = record(0, 0, 1, 2, 3, 4) // 20 characters with its line end
  const cases: Record<string, [text: string, expected: Partial<BadFileDetail>]> = {
    'of nothing': ['', { why: 'empty' }],
    'of spaces': [' \r\n\n', { why: 'empty' }],
    'of an end record alone': [end, { why: 'no-bytes' }],
    'with a letter that is no digit': [
      `${first}:0100000G\n`,
      { why: 'bad-digit', line: 2, offset: 28, found: 'G' },
    ],
    'with a wrong checksum': [
      `${first}${record(0, 4, 9).replace('F2', 'F3')}${end}`,
      { why: 'bad-checksum', line: 2, offset: 31, found: '0xf3', expected: '0xf2' },
    ],
    'with a missing digit': [`${first}:0100040009F\n${end}`, { why: 'bad-length', line: 2, offset: 21 }],
    'with a digit too many': [`${first}:0100040009F20\n${end}`, { why: 'bad-length', line: 2, offset: 21 }],
    'with two digits too many': [
      `${first}:0100040009F200\n${end}`,
      { why: 'bad-length', line: 2, offset: 21 },
    ],
    'with one endless line': [
      `${first}:${'0'.repeat(4_000_000)}`,
      { why: 'bad-length', line: 2, offset: 21 },
    ],
    'with the longest record and a digit too many': [
      `${record(0, 0, ...new Uint8Array(255)).trimEnd()}0\n`,
      { why: 'bad-length', line: 1, offset: 1 },
    ],
    'with a record type 06': [
      first + record(6, 0) + end,
      { why: 'bad-record-type', line: 2, offset: 27, found: '0x06' },
    ],
    'with a base of three bytes': [
      first + record(4, 0, 0, 0, 0) + end,
      { why: 'bad-length', line: 2, offset: 21 },
    ],
    'with an end record that holds bytes': [
      first + record(1, 0, 5),
      { why: 'bad-length', line: 2, offset: 21 },
    ],
    'cut off in a record': [`${first}:010000`, { why: 'truncated', line: 2, offset: 27 }],
    'cut off after a colon': [`${first}:`, { why: 'truncated', line: 2, offset: 21 }],
    'cut off between records': [first, { why: 'no-end-record', line: 2, offset: 20 }],
    'with a comment': [`${first}; hello\n${end}`, { why: 'no-start-code', line: 2, offset: 20, found: ';' }],
    'of another text': ['<!DOCTYPE html>', { why: 'no-start-code', line: 1, offset: 0, found: '<' }],
    'beyond 32 bits': [
      record(4, 0, 0xff, 0xff) + record(0, 0xffff, 1, 2) + end,
      { why: 'address-overflow', line: 2, offset: 19 },
    ],
    'that wraps in its segment': [
      record(2, 0, 0x10, 0) + record(0, 0xffff, 1, 2) + end,
      { why: 'address-overflow', line: 2 },
    ],
    'with both kinds of base': [
      record(2, 0, 0x10, 0) + record(4, 0, 0, 1) + record(0, 0, 1) + end,
      { why: 'bad-structure', line: 2 },
    ],
    'with two bytes for one place': [
      `${record(0, 0x100, 1, 2, 3)}\r\n${record(0, 0, 7)}${record(0, 0x102, 4)}${end}`,
      { why: 'overlap', address: 0x102, firstLine: 1, line: 4 },
    ],
  }
  for (const [name, [text, expected]] of Object.entries(cases))
    it(`${name} is refused, saying where`, () => {
      expect(refusal(text)).toMatchObject({ format: 'Intel HEX', ...expected })
    })

  it('counts lines whatever ends them', () => {
    for (const lineEnd of ['\n', '\r', '\r\n'])
      expect(refusal(`${first}${first}:zz`.replaceAll('\n', lineEnd)).line, JSON.stringify(lineEnd)).toBe(3)
  })

  it('that is a binary is not taken for text', () => {
    expect(refusal(Uint8Array.of(0x0c, 0x94, 0x34, 0x00))).toMatchObject({
      why: 'not-text',
      offset: 0,
      found: '0x0c',
    })
  })

  it('with one character changed is never read as something else', () => {
    const text = formatIntelHex([segment(0x7ff0, ...Array.from({ length: 64 }, (_, i) => i * 5))])
    const expected = parseIntelHex(text).segments
    for (let at = 0; at < text.length; at++)
      for (const character of Uint8Array.of(0x30, 0x46, 0x66, 0x3a, 0x47, 0x20, 0)) {
        const changed = text.map((old, i) => (i === at ? character : old))
        const refusedOrSame = () => {
          try {
            return parseIntelHex(changed).segments
          } catch (error) {
            return isFlashError(error, 'bad-file') ? expected : error
          }
        }
        // A digit that became its own lower case changes nothing.
        expect(refusedOrSame(), `offset ${at}`).toEqual(expected)
      }
  })

  it('of any bytes or of any records gives nothing but `bad-file`', () => {
    const lines = fc
      .array(fc.tuple(fc.nat(7), fc.nat(0xffff), fc.uint8Array({ maxLength: 5 })), { maxLength: 20 })
      .map((records) => encode(records.map(([type, at, payload]) => record(type, at, ...payload)).join('')))
    const noise = fc
      .string({ unit: fc.constantFrom(...Array.from('0123456789abcdefABCDEF:\r\n x\u00ff')) })
      .map(encode)
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), lines, noise), (text) => {
        try {
          parseIntelHex(text)
        } catch (error) {
          expect(isFlashError(error, 'bad-file')).toBe(true)
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('of many crumbs is refused without filling the memory', () => {
    const crumbs = Array.from(
      { length: 70_000 },
      (_, i) => (i % 0x4000 === 0 ? record(4, 0, 0, i / 0x4000) : '') + record(0, (i % 0x4000) * 4, 1),
    )
    expect(refusal(crumbs.join('') + end)).toMatchObject({ why: 'bad-structure' })
  })
})

const images = imagesUpTo(0x10_0000)

describe('writing Intel HEX', () => {
  it('gives the records that objcopy gives', () => {
    const text = formatIntelHex([
      segment(0x0, ...Array.from({ length: 17 }, (_, i) => i)),
      segment(0x1_0000, 0xff),
    ])
    expect(decode(text)).toBe(
      ':10000000000102030405060708090A0B0C0D0E0F78\n:0100100010DF\n:020000040001F9\n:01000000FF00\n:00000001FF\n',
    )
  })

  it('is read back as it was, in every manner of writing', () => {
    const manners = fc.record({
      recordBytes: fc.constantFrom(1, 16, 32, 255),
      addressing: fc.constantFrom('linear' as const, 'segment' as const),
      lineEnd: fc.constantFrom('\n' as const, '\r\n' as const),
      entry: fc.option(fc.nat(0xf_ffff), { nil: undefined }),
    }) satisfies fc.Arbitrary<IntelHexOptions>
    fc.assert(
      fc.property(images, manners, (segments, options) => {
        const image = parseIntelHex(formatIntelHex(segments, options))
        expect(image.segments).toEqual(segments)
        expect(image.claims).toEqual(options.entry === undefined ? {} : { entry: options.entry })
        expect(image.warnings).toEqual([])
      }),
    )
  })

  it('refuses an address that segments cannot reach', () => {
    expect(() => formatIntelHex([segment(0x10_0000, 1)], { addressing: 'segment' })).toThrow(
      'address-overflow',
    )
  })
})

describe('against nrf-intel-hex', () => {
  const entriesOf = (segments: readonly Segment[]) =>
    segments.map(({ address, bytes }) => [address, [...bytes]])
  const mapEntries = (map: Iterable<[number, Uint8Array]>) =>
    [...map].map(([address, bytes]) => [address, [...bytes]])

  it('both read the other’s text alike', () => {
    fc.assert(
      fc.property(images, (segments) => {
        const theirs = new MemoryMap(
          segments.map(({ address, bytes }): [number, Uint8Array] => [address, bytes]),
        )
        expect(entriesOf(parse(theirs.asHexString()).segments)).toEqual(entriesOf(segments))
        const text = decode(formatIntelHex(segments)).trimEnd()
        expect(mapEntries(MemoryMap.fromHex(text))).toEqual(entriesOf(segments))
      }),
    )
  })

  it('whatever both accept is the same image', () => {
    const records = fc.array(
      fc.oneof(
        fc.tuple(fc.constant(0), fc.nat(200), fc.uint8Array({ minLength: 1, maxLength: 20 })),
        fc.tuple(fc.constant(4), fc.constant(0), fc.constant(Uint8Array.of(0, 1))),
        fc.tuple(fc.constant(5), fc.constant(0), fc.constant(Uint8Array.of(0, 1, 2, 3))),
      ),
      { minLength: 1, maxLength: 8 },
    )
    let compared = 0
    fc.assert(
      fc.property(records, (list) => {
        const text = `${list.map(([type, at, payload]) => record(type, at, ...payload)).join('')}:00000001FF`
        let theirs: unknown
        try {
          theirs = mapEntries(MemoryMap.fromHex(text))
        } catch {
          return // it refuses any overlap, even of equal bytes
        }
        if (Array.isArray(theirs) && theirs.length === 0) return // no bytes: refused here
        compared++
        expect(entriesOf(parse(text).segments)).toEqual(theirs)
      }),
      { numRuns: 1000 },
    )
    expect(compared).toBeGreaterThan(50)
  })
})
