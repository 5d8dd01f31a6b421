/** Vector: the block and the tags described in microsoft/uf2, README.md, "File format" and "Extension tags". */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blank, ByteWriter, concat, equal, fromHex } from '#core/bytes.ts'
import { isFlashError, type BadFileDetail } from '#core/errors.ts'
import type { Segment } from '#core/programmer.ts'
import { readImage } from './formats.ts'
import { flatten, type Image } from './image.ts'
import { imagesUpTo, refusal, segment, survives } from './test-images.ts'
import { formatUf2, imageOfBlocks, parseUf2 } from './uf2.format.ts'

const rp2040 = 0xe48bff56
const samd51 = 0x55114460

interface Fields {
  flags?: number
  address?: number
  number?: number
  total?: number
  family?: number
  payload?: Uint8Array
  /** After the payload. */
  tail?: Uint8Array
}

function block({
  flags = 0x2000,
  address = 0x1000_0000,
  number = 0,
  total = 1,
  family = rp2040,
  ...of
}: Fields) {
  const { payload = blank(256), tail = new Uint8Array() } = of
  const bytes = new Uint8Array(512)
  const view = new DataView(bytes.buffer)
  const words = [0x0a324655, 0x9e5d5157, flags, address, payload.length, number, total, family]
  words.forEach((word, i) => {
    view.setUint32(i * 4, word, true)
  })
  bytes.set(payload, 32)
  bytes.set(tail, 32 + payload.length)
  view.setUint32(508, 0x0ab16f30, true)
  return bytes
}
/** What virtual_disk.c of pico-bootrom-rp2040 does with the blocks of a file, in the flash that it is given. */
function rp2040Rom(file: Uint8Array, flash: Uint8Array): Uint8Array {
  const erased = new Set<number>()
  for (let at = 0; at < file.length; at += 512) {
    const view = new DataView(file.buffer, file.byteOffset + at)
    const [address, number] = [view.getUint32(12, true) - 0x1000_0000, view.getUint32(20, true)]
    const group = number >> 4
    if (!erased.has(group)) flash.fill(0xff, address & ~4095, (address & ~4095) + 4096)
    erased.add(group)
    for (let i = 0; i < 256; i++)
      flash[address + i] = (flash[address + i] as number) & (file[at + 32 + i] as number)
  }
  return flash
}
const blocks = (...all: Fields[]) =>
  concat(...all.map((one, number) => block({ number, total: all.length, ...one })))

/** Version 0.1.2 for an "ACME Toaster mk3", as the document encodes them. */
const tags = fromHex(`
  09 bc c7 9f 30 2e 31 2e 32 00 00 00
  14 9d 0d 65 41 43 4d 45 20 54 6f 61 73 74 65 72 20 6d 6b 33
  ff ff ff ff`)
/** What picotool puts before a file for RP2350. */
const ignored: Fields = {
  ...{ flags: 0xa000, address: 0x10ff_ff00, number: 0, total: 2, family: 0xe48bff57 },
  payload: new Uint8Array(256).fill(0xef),
  tail: fromHex('04 e3 57 99'),
}

describe('reading UF2', () => {
  it('takes blocks in any order, and twice', async () => {
    const [first, second] = [
      block({ total: 2, payload: Uint8Array.of(1, 2, 3, 4) }),
      block({ total: 2, number: 1, address: 0x1000_0004, payload: Uint8Array.of(5, 6, 7, 8) }),
    ]
    for (const file of [concat(first, second), concat(second, first), concat(first, second, first)]) {
      const { segments, claims } = await readImage(file, 'a.bin')
      expect(segments).toEqual([segment(0x1000_0000, 1, 2, 3, 4, 5, 6, 7, 8)])
      expect(claims).toEqual({ chip: 'RP2040' })
    }
  })

  it('names the family, by its number if it is new, or none', () => {
    expect(parseUf2(block({ family: 0x1234_5678 })).claims).toEqual({ chip: '0x1234_5678' })
    expect(parseUf2(block({ flags: 0, family: 0 })).claims).toEqual({})
  })

  it('reads the extension tags, wherever they stand', () => {
    const claims = { chip: 'RP2040', version: '0.1.2', device: 'ACME Toaster mk3' }
    expect(parseUf2(block({ flags: 0xa000, tail: tags })).claims).toEqual(claims)
    const late = blocks(
      { payload: blank(8) },
      { flags: 0xa000, address: 0x1000_0100, payload: blank(253), tail: concat(new Uint8Array(3), tags) },
    )
    expect(parseUf2(late).claims).toEqual(claims)
  })

  it('leaves out what is not for the main flash, and says so', () => {
    const file = blocks({}, { flags: 0x2001, address: 0 }, { flags: 0x1000, address: 0, family: 512 })
    expect(parseUf2(file)).toMatchObject({
      segments: [{ address: 0x1000_0000 }],
      warnings: [{ code: 'parts-left-out' }],
    })
    expect(refusal(() => parseUf2(block({ flags: 0x1000 })))).toMatchObject({ why: 'no-bytes' })
  })

  it('takes no notice of the block that is there for an erratum of RP2350', () => {
    const file = concat(
      block(ignored),
      blocks({ family: 0xe48bff59 }, { family: 0xe48bff59, address: 0x1000_0100 }),
    )
    expect(parseUf2(file)).toMatchObject({
      segments: [{ address: 0x1000_0000, bytes: blank(512) }],
      claims: { chip: 'RP2350-ARM-S' },
      warnings: [],
    })
  })

  it('of several families takes the one that is chosen', () => {
    const file = concat(
      block({}),
      blocks({ family: samd51, address: 0x4000 }, { family: samd51, address: 0x4100 }),
    )
    const parts = [
      { id: '0xe48b_ff56', name: 'RP2040', sizeBytes: 256 },
      { id: '0x5511_4460', name: 'SAMD51', sizeBytes: 512 },
    ]
    expect(refusal(() => parseUf2(file))).toEqual({ format: 'UF2', why: 'several-parts', parts })
    expect(parseUf2(file, { part: '0x5511_4460' })).toMatchObject({
      segments: [{ address: 0x4000 }],
      claims: { chip: 'SAMD51' },
      warnings: [{ code: 'parts-left-out' }],
    })
    expect(refusal(() => parseUf2(file, { part: 'x' }))).toMatchObject({ why: 'no-such-part', parts })
    // Numbered as a whole, as some tools do.
    expect(refusal(() => parseUf2(blocks({}, { family: samd51 })))).toMatchObject({ why: 'several-parts' })
  })

  const payload = Uint8Array.from({ length: 256 }, (_, i) => i)
  const hashed = (hash: string, length = 256) => {
    const file = block({ flags: 0x6000, payload })
    file.set(new ByteWriter().u32le(0x1000_0000).u32le(length).bytes(fromHex(hash)).done(), 484)
    return file
  }

  it('checks the MD5 of a region, if all of it is here', () => {
    const right = 'e2c865db4162bed963bfaa9ef6ac18f0' // md5sum 9.1 of the bytes 00 to ff
    expect(parseUf2(hashed(right)).segments).toEqual([{ address: 0x1000_0000, bytes: payload }])
    expect(refusal(() => parseUf2(hashed(`${right.slice(0, -1)}1`)))).toMatchObject({
      format: 'UF2',
      why: 'bad-hash',
      offset: 492,
      address: 0x1000_0000,
      expected: right,
    })
    expect(parseUf2(hashed(`${right.slice(0, -1)}1`, 4096)).segments).toHaveLength(1)
  })

  it('does not hash the same bytes for ever', () => {
    const bytes = 100 * 256
    const file = concat(
      ...Array.from({ length: 100 }, (_, number) => {
        const one = block({ flags: 0x6000, address: number * 256, number, total: 100 })
        const from = number // each from another address, so no region is known
        const hash = createHash('md5')
          .update(blank(bytes - from))
          .digest('hex')
        one.set(
          new ByteWriter()
            .u32le(from)
            .u32le(bytes - from)
            .bytes(fromHex(hash))
            .done(),
          484,
        )
        return one
      }),
    )
    expect(refusal(() => parseUf2(file))).toMatchObject({ why: 'bad-structure' })
  })

  const good = block({ total: 2 })
  const cases: Record<string, [file: Uint8Array, expected: Partial<BadFileDetail>]> = {
    'cut off': [concat(good, good.subarray(0, 100)), { why: 'truncated', offset: 612 }],
    'with a wrong first word': [concat(good, good.with(0, 0)), { why: 'bad-magic', offset: 512 }],
    'with a wrong second word': [good.with(4, 0), { why: 'bad-magic', offset: 0 }],
    'with a wrong last word': [good.with(510, 0), { why: 'bad-magic', offset: 508 }],
    'with too long a payload': [
      good.with(17, 2),
      { why: 'bad-length', offset: 16, found: '512', expected: 'up to 476' },
    ],
    'with a payload over its MD5': [
      block({ flags: 0x6000, payload: blank(453) }),
      { why: 'bad-length', expected: 'up to 452' },
    ],
    'with a number beyond its total': [block({ number: 1 }), { why: 'bad-structure', offset: 20 }],
    'with a block missing': [good, { why: 'missing-block', expected: '1 of 2' }],
    'with another total': [
      concat(good, block({ number: 1, total: 3 })),
      { why: 'bad-structure', offset: 536, found: '3', expected: '2' },
    ],
    'with one number for two places': [
      concat(good, block({ total: 2, address: 0x1000_0100 })),
      { why: 'bad-structure', offset: 532, firstOffset: 20, found: '0' },
    ],
    'with two bytes for one place': [
      blocks({ payload: Uint8Array.of(1, 2) }, { address: 0x1000_0001, payload: Uint8Array.of(3) }),
      { why: 'overlap', offset: 512, firstOffset: 0, address: 0x1000_0001 },
    ],
    'beyond 32 bits': [block({ address: 0xffff_ff80 }), { why: 'address-overflow' }],
  }
  for (const [what, [file, expected]] of Object.entries(cases))
    it(`refuses a file ${what}, saying where`, () => {
      expect(refusal(() => parseUf2(file))).toMatchObject({ format: 'UF2', ...expected })
    })

  it('is not held up by as many families or regions as a file can hold', () => {
    const families = concat(...Array.from({ length: 2000 }, (_, family) => block({ family })))
    expect(refusal(() => parseUf2(families))).toMatchObject({ why: 'bad-structure', found: 'over 256 parts' })
    const total = 20_000
    const regions = concat(
      ...Array.from({ length: total }, (_, number) => {
        const file = block({ flags: 0x6000, address: number * 512, number, total })
        file.set(
          new ByteWriter()
            .u32le(number * 512 + 256)
            .u32le(1)
            .done(),
          484,
        ) // in a gap
        return file
      }),
    )
    expect(parseUf2(regions).segments).toHaveLength(total)
  })

  it('does not believe a total of four thousand million', () => {
    expect(refusal(() => parseUf2(block({ total: 0xffff_ffff })))).toMatchObject({ why: 'missing-block' })
  })

  it('gives nothing but `bad-file` for anything else', () => {
    survives(parseUf2, [
      blocks({ flags: 0xa000, tail: tags }, { address: 0x1000_0100 }),
      concat(block(ignored), block({ family: samd51 })),
      block({ flags: 0x7000, payload: blank(100) }),
    ])
  })
})

describe('writing UF2', () => {
  it('gives the block of the document', () => {
    const payload = Uint8Array.from({ length: 256 }, (_, i) => i)
    const family = 0x68ed2b88
    expect(formatUf2([{ address: 0x1000_0000, bytes: payload }], { family })).toEqual(
      block({ payload, family }),
    )
  })

  it('leaves on an RP2040 what was written, however its ROM erases', () => {
    const images = imagesUpTo(0x8000).map((segments) =>
      segments.map(({ address, bytes }) => ({ address: 0x1000_0000 + address, bytes })),
    )
    fc.assert(
      fc.property(images, (segments) => {
        const range = { address: 0x1000_0000, length: 0x1_0000 }
        const left = rp2040Rom(formatUf2(segments, { family: rp2040 }), new Uint8Array(range.length))
        const touched = new Set<number>()
        for (const { address, bytes } of segments)
          bytes.forEach((_, i) => touched.add((address + i - range.address) >> 12))
        const expected = flatten(segments, range)
        for (let sector = 0; sector < 16; sector++) {
          const [from, to] = [sector << 12, (sector + 1) << 12]
          const wanted = touched.has(sector) ? expected.subarray(from, to) : new Uint8Array(4096)
          expect(equal(left.subarray(from, to), wanted)).toBe(true)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('refuses for an RP2040 what its ROM would not take', () => {
    const write = (...addresses: number[]) =>
      formatUf2(
        addresses.map((address) => segment(address, 1)),
        { family: rp2040 },
      )
    expect(write(0x1000_0000)).toHaveLength(16 * 512)
    expect(write(0x1500_0000, 0x2000_0000)).toHaveLength(2 * 512)
    for (const wrong of [[0], [0x1100_0000], [0x2004_2000], [0x1000_0000, 0x2000_0000]])
      expect(refusal(() => write(...wrong))).toMatchObject({
        why: 'address-overflow',
        address: wrong.at(-1),
      })
  })

  it('is read back as it was, in whole pages', () => {
    const inPages = (segments: readonly Segment[]) =>
      new Map(
        segments.flatMap(({ address, bytes }) => [...bytes].map((byte, i) => [address + i, byte] as const)),
      )
    fc.assert(
      fc.property(imagesUpTo(2 ** 31), (segments) => {
        const written = inPages(segments)
        const read = inPages(parseUf2(formatUf2(segments)).segments)
        for (const [address, byte] of read) expect(byte).toBe(written.get(address) ?? 0xff)
        for (const address of written.keys()) expect(read.has(address)).toBe(true)
        expect([...read.keys()].every((address) => read.has(address - (address % 256)))).toBe(true)
      }),
      { numRuns: 50 },
    )
  })
})

it('is the same image, or refused for the same reason, whether it is plain or not', () => {
  const blocks = fc.record({
    segments: imagesUpTo(0x4000),
    family: fc.constantFrom(undefined, samd51),
    edits: fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 2 }),
    twice: fc.boolean(),
    offset: fc.constantFrom(0, 3),
  })
  const outcome = (read: (file: Uint8Array) => Image, file: Uint8Array): unknown => {
    try {
      return read(file)
    } catch (error) {
      if (isFlashError(error, 'bad-file')) return error.detail
      throw error
    }
  }
  fc.assert(
    fc.property(blocks, ({ segments, family, edits, twice, offset }) => {
      const file = formatUf2(segments, { family })
      for (const { at, byte } of edits) file[at % file.length] = byte
      const space = new Uint8Array(offset + file.length * (twice ? 2 : 1))
      space.set(file, offset)
      if (twice) space.set(file, offset + file.length)
      expect(outcome(parseUf2, space.subarray(offset))).toEqual(
        outcome(imageOfBlocks, space.subarray(offset)),
      )
    }),
    { numRuns: 500 },
  )
})
