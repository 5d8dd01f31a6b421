/** The readers of pieces are held against the parsers of whole texts, with and without the kernel. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { isFlashError } from '#core/errors.ts'
import type { Segment } from '#core/programmer.ts'
import { RecordVectors } from '#kernels/kernels.ts'
import type { Image } from './image.ts'
import { IntelHexReader } from './intel-hex-reader.ts'
import { formatIntelHex, parseIntelHex } from './intel-hex.ts'
import type { FastRecords, RecordReader } from './record-reader.ts'
import { SRecordReader } from './s-record-reader.ts'
import { formatSRecord, parseSRecord } from './s-record.ts'
import { bytesOf, imagesUpTo, refusal } from './test-images.ts'

interface Form {
  readonly parse: (text: Uint8Array, fast?: FastRecords) => Image
  readonly reader: (sizeBytes: number, fast?: FastRecords) => RecordReader
  readonly texts: fc.Arbitrary<Uint8Array>
}

const recordBytes = fc.constantFrom(1, 7, 16, 32, 250)
const lineEnd = fc.constantFrom('\n' as const, '\r\n' as const)
const entry = fc.option(fc.nat(0xffff), { nil: undefined })
const after = fc.constantFrom('', '\n\r\n', '\x1a', '\x1a\x1a\n', '; text', ':00000001FF', 'S9030000FC')
const before = fc.constantFrom('', '\ufeff', '\n \n')

/** What tools write, in any order of its lines and with an edit at times. */
const madeOf = (text: fc.Arbitrary<Uint8Array>) =>
  fc
    .record({ text, before, after, edits: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 1 }) })
    .map(({ text: inner, before: head, after: tail, edits }) => {
      const bytes = Uint8Array.from([...new TextEncoder().encode(head), ...inner, ...bytesOf(tail)])
      for (const [at, byte] of edits) if (at % 3 === 0) bytes[at % bytes.length] = byte
      return bytes
    })

/** What another, with wider addresses, may follow. */
const withoutEnd = (segments: readonly Segment[]) => {
  const text = formatSRecord(segments, { counted: false, addressBytes: 2 })
  return text.subarray(text.indexOf(0x53, 1), text.lastIndexOf(0x53))
}

const forms: Record<string, Form> = {
  'Intel HEX': {
    parse: parseIntelHex,
    reader: (sizeBytes, fast) => new IntelHexReader(sizeBytes, fast),
    texts: madeOf(
      fc
        .record({ recordBytes, lineEnd, entry, addressing: fc.constantFrom('linear', 'segment') })
        .chain((how) => imagesUpTo(2 ** 20, 12).map((segments) => formatIntelHex(segments, how))),
    ),
  },
  'S-record': {
    parse: parseSRecord,
    reader: (sizeBytes, fast) => new SRecordReader(sizeBytes, fast),
    texts: madeOf(
      fc
        .record({
          ...{ recordBytes, lineEnd, entry, name: fc.constantFrom('', 'a.elf') },
          ...{ counted: fc.boolean(), end: fc.constantFrom(2 ** 16, 2 ** 24, 2 ** 32), isCut: fc.boolean() },
          mixed: fc.array(imagesUpTo(2 ** 15, 3), { maxLength: 1 }),
        })
        .chain(({ end, isCut, mixed, ...how }) =>
          imagesUpTo(end / 2, 12).map((segments) => {
            const text = formatSRecord(segments, how)
            const all = Uint8Array.from([...mixed.flatMap((one) => [...withoutEnd(one)]), ...text])
            return isCut ? all.subarray(0, all.lastIndexOf(0x53)) : all // SRecord ends some by their count
          }),
        ),
    ),
  },
}

/** With what is to be said of it, or the whole refusal. */
const outcome = (parse: () => Image): unknown => {
  try {
    return parse()
  } catch (error) {
    if (isFlashError(error, 'bad-file')) return error.detail
    throw error
  }
}

/** Undefined: only the whole text can tell. */
function inPieces(reader: RecordReader, text: Uint8Array, lengths: readonly number[]): Image | undefined {
  for (let at = 0, i = 0; at < text.length; i++) {
    const length = lengths[i % lengths.length] ?? text.length
    reader.push(text.slice(at, at + length))
    if (reader.isWrong) return undefined
    at += length
  }
  try {
    return reader.image()
  } catch (error) {
    if (isFlashError(error, 'bad-file')) return undefined
    throw error
  }
}

describe.each(Object.entries(forms))('a text of %s', (_, { parse, reader, texts }) => {
  let kernel: FastRecords
  beforeAll(async () => {
    kernel = await RecordVectors.load()
  })
  const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 700 })), {
    minLength: 1,
    maxLength: 8,
  })

  it('is the same with the kernel, down to the refusal', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(outcome(() => parse(text, kernel))).toEqual(outcome(() => parse(text)))
      }),
      { numRuns: 400 },
    )
  })

  it('is the same in any pieces, or is left to who has the whole', () => {
    let [read, left] = [0, 0]
    fc.assert(
      fc.property(texts, pieces, fc.boolean(), (text, lengths, isFast) => {
        const fast = isFast ? kernel : undefined
        const expected = outcome(() => parse(text)) as Image
        const image = inPieces(reader(text.length, fast), text, lengths)
        const isRight =
          'segments' in expected && !expected.warnings.some(({ code }) => /after-end/.test(code))
        if (isRight) {
          read++
          expect(image).toEqual(expected)
        } else {
          left++
          expect(image).toBeUndefined()
        }
      }),
      { numRuns: 1000 },
    )
    expect(Math.min(read, left)).toBeGreaterThan(100)
  })

  it('is the same however it is cut in two', () => {
    for (const text of fc.sample(texts, { numRuns: 12, seed: 3 })) {
      const whole = inPieces(reader(text.length, kernel), text, [text.length])
      const cut = Math.max(1, Math.floor(text.length / 150))
      for (let at = 1; at < text.length; at += cut)
        expect(inPieces(reader(text.length, kernel), text, [at, text.length])).toEqual(whole)
    }
  })

  it('that is long is read in parts', () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (__, i) => Math.imul(i + 1, 2654435761) >>> 24)
    for (const length of [3, 16, 250]) {
      const format = parse === parseIntelHex ? formatIntelHex : formatSRecord
      const text = format([{ address: 0x0800_0000, bytes }], { recordBytes: length })
      for (const image of [parse(text, kernel), inPieces(reader(text.length, kernel), text, [65_536])]) {
        expect(image?.segments.map(({ address }) => address)).toEqual([0x0800_0000])
        expect(Buffer.compare(image?.segments[0]?.bytes ?? new Uint8Array(), bytes)).toBe(0)
      }
    }
  })

  it('that is wrong is known to be before it is all there', () => {
    const text = bytesOf(`${'\n'.repeat(5000)}hello\n${'\n'.repeat(5000)}`)
    const one = reader(text.length, kernel)
    one.push(text.subarray(0, 6000))
    expect(one.isWrong).toBe(true)
    expect(refusal(() => parse(text, kernel))).toMatchObject({ line: 5001, why: 'no-start-code' })
  })
})

it('an S-record text that goes on at 0 behind the last address is the same with the kernel', async () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => i)
  const text = formatSRecord([
    { address: 2 ** 32 - 64, bytes },
    { address: 0, bytes },
  ])
  const { segments } = parseSRecord(text, await RecordVectors.load())
  expect(segments).toEqual([
    { address: 0, bytes },
    { address: 2 ** 32 - 64, bytes },
  ])
})
