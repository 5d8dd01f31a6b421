/** Built from the layout of ESP-IDF's partition tables; the MD5 and the CRC-32 are of other implementations. */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { blank, ByteWriter, concat, fromHex } from '#core/bytes.ts'
import type { BadFileDetail } from '#core/errors.ts'
import { readImage } from './formats.ts'
import { bytesOf, refused, survivesReading } from './test-images.ts'

const field = (text: string, length: number) => concat(bytesOf(text), new Uint8Array(length - text.length))

/** One segment for ESP32-S3, without a hash. */
function image(content: Uint8Array): Uint8Array {
  const head = fromHex('e901022000000840ee0000000900000000ffff0000000000')
  const whole = concat(head, new ByteWriter().u32le(0x3f40_0020).u32le(content.length).done(), content)
  const end = new Uint8Array(16 - (whole.length % 16))
  end[end.length - 1] = content.reduce((xor, byte) => xor ^ byte, 0xef)
  return concat(whole, end)
}
const app = (name: string, version: string) =>
  image(
    concat(fromHex('3254cdab'), new Uint8Array(12), field(version, 32), field(name, 32), new Uint8Array(176)),
  )

const partition = (type: number, subtype: number, address: number, length: number, label: string) =>
  concat(
    Uint8Array.of(0xaa, 0x50, type, subtype),
    new ByteWriter().u32le(address).u32le(length).done(),
    field(label, 20),
  )
const entries = concat(
  partition(1, 2, 0x9000, 0x5000, 'nvs'),
  partition(1, 0, 0xe000, 0x2000, 'otadata'),
  partition(0, 0x10, 0x1_0000, 0x1_0000, 'app0'),
  partition(0, 0x11, 0x2_0000, 0x1_0000, 'app1'),
  partition(1, 0x82, 0x3_0000, 0x1_0000, 'spiffs'),
)
const sum = concat(fromHex(`ebeb${'ff'.repeat(14)}`), createHash('md5').update(entries).digest())

function flash(length: number, loaderAt: number, table: Uint8Array): Uint8Array {
  const bytes = blank(length)
  bytes.set(image(Uint8Array.of(1, 2, 3)), loaderAt)
  bytes.set(table, 0x8000)
  bytes.set(app('blink', '1.2.3'), 0x1_0000)
  return bytes
}
const file = flash(0x2_0000, 0, concat(entries, sum))
const read = (bytes: Uint8Array) => readImage(bytes, 'merged.bin')

describe('reading the flash of an Espressif chip', () => {
  it('takes all of it from 0 on, says what is where, and which application it is', async () => {
    const found = await read(file)
    expect(found).toMatchObject({
      format: 'ESP flash image',
      segments: [{ address: 0, bytes: { length: 0x2_0000 } }],
      claims: { chip: 'ESP32-S3', name: 'blink', version: '1.2.3' },
      warnings: [],
      parts: [
        { name: 'bootloader', address: 0, length: 0x8000 },
        { name: 'partition-table', address: 0x8000, length: 0xc0 },
        { name: 'nvs', address: 0x9000, length: 0x5000 },
        { name: 'otadata', address: 0xe000 },
        { name: 'app0', address: 0x1_0000, claims: { name: 'blink', version: '1.2.3' } },
      ],
    })
    expect(found.isRaw).toBeUndefined()
  })

  it('finds the boot loader where other chips have it, and more than one application', async () => {
    const two = flash(0x4_0000, 0x1000, concat(entries, sum))
    two.set(app('blink', '2.0.0'), 0x2_0000)
    const { parts } = await read(two)
    expect(parts?.map(({ name, claims }) => [name, claims?.version])).toEqual([
      ...[
        ['bootloader', undefined],
        ['partition-table', undefined],
        ['nvs', undefined],
        ['otadata', undefined],
      ],
      ...[
        ['app0', '1.2.3'],
        ['app1', '2.0.0'],
        ['spiffs', undefined],
      ],
    ])
  })

  describe('with several applications', () => {
    const State = { New: 0, Pending: 1, Valid: 2, Invalid: 3, Aborted: 4, Undefined: 0xffff_ffff } as const
    const u32 = (value: number) => new ByteWriter().u32le(value).done()
    const select = (sequence: number, state: number, crc = crc32(u32(sequence), 0xffff_ffff)) =>
      concat(u32(sequence), blank(20), u32(state), u32(crc))
    const withFactory = concat(
      partition(1, 0, 0xe000, 0x2000, 'otadata'),
      partition(0, 0, 0x1_0000, 0x1_0000, 'factory'),
      partition(0, 0x10, 0x2_0000, 0x1_0000, 'ota_0'),
      partition(0, 0x11, 0x3_0000, 0x1_0000, 'ota_1'),
    )
    const full = flash(0x4_0000, 0, withFactory)
    full.set(app('blink', '2.0.0'), 0x2_0000)
    full.set(app('blink', '3.0.0'), 0x3_0000)
    const started = async (bytes: Uint8Array, first = blank(32), second = blank(32)) => {
      const whole = Uint8Array.from(bytes)
      whole.set(first, 0xe000)
      whole.set(second, 0xf000)
      const { parts = [], claims } = await read(whole)
      const names = parts.flatMap(({ name, isStarted }) => (isStarted ? [name] : []))
      return [...names, claims.version]
    }
    const [factory, slot0, slot1] = [
      ['factory', '1.2.3'],
      ['ota_0', '2.0.0'],
      ['ota_1', '3.0.0'],
    ]

    it('names that of the later choice as the one that starts', async () => {
      expect(crc32(u32(1), 0xffff_ffff), 'as Espressif has it').toBe(0x4743_989a)
      expect(await started(full, select(1, State.Undefined))).toEqual(slot0)
      expect(await started(full, select(1, State.Valid), select(2, State.New))).toEqual(slot1)
      expect(await started(full, select(7, State.Valid), select(6, State.Valid))).toEqual(slot0)
      expect(await started(full, blank(32), select(0, State.Undefined))).toEqual(slot1)
    })

    it('leaves out a choice that is damaged, or that did not prove itself', async () => {
      const kept = select(1, State.Valid)
      expect(await started(full, kept, select(2, State.Valid, 0x1234_5678))).toEqual(slot0)
      for (const state of [State.Pending, State.Invalid, State.Aborted])
        expect(await started(full, kept, select(2, state))).toEqual(slot0)
    })

    it('names the one from the factory where nothing is chosen, or else the first', async () => {
      expect(await started(full)).toEqual(factory)
      expect(await started(full, select(2, State.Invalid))).toEqual(factory)
      expect(await started(flash(0x4_0000, 0, entries))).toEqual(['app0', '1.2.3'])
    })

    it('names the next that the boot loader tries where the chosen one is missing', async () => {
      const without = (...places: number[]) => {
        const bytes = Uint8Array.from(full)
        for (const place of places) bytes.fill(0xff, place, place + 0x1_0000)
        return bytes
      }
      expect(await started(without(0x3_0000), select(2, State.Valid))).toEqual(slot0)
      expect(await started(without(0x2_0000, 0x3_0000), select(2, State.Valid))).toEqual(factory)
      expect(await started(without(0x1_0000, 0x2_0000), select(1, State.Valid))).toEqual(slot1)
      expect(await started(without(0x1_0000, 0x2_0000, 0x3_0000))).toEqual([undefined])
    })
  })

  it('takes a table without an MD5, as older ones are', async () => {
    expect((await read(flash(0x2_0000, 0, entries))).parts).toHaveLength(5)
  })

  it('leaves an application alone to the format of one', async () => {
    expect(await read(concat(app('blink', '1'), blank(0x1_0000)))).toMatchObject({ format: 'ESP image' })
  })

  const cases: Record<string, [file: Uint8Array, expected: Partial<BadFileDetail>]> = {
    'with a damaged table': [file.with(0x8030, 0), { why: 'bad-hash', offset: 0x80b0 }],
    'with a damaged boot loader': [
      file.with(0x21, 0),
      { format: 'ESP image', why: 'bad-checksum', offset: 0x2f },
    ],
    'with a damaged application': [
      file.with(0x1_0040, 0x99),
      { format: 'ESP image', why: 'bad-checksum', offset: 0x1_012f },
    ],
    'cut off in an application': [file.subarray(0, 0x1_0040), { format: 'ESP image', why: 'truncated' }],
    'cut off in its table': [file.subarray(0, 0x8030), { why: 'truncated', offset: 0x8030 }],
    'with partitions over each other': [
      flash(0x2_0000, 0, concat(entries, partition(0, 0x12, 0x1_f000, 0x1000, 'app2'))),
      { why: 'overlap', address: 0x1_f000 },
    ],
    'with something else in its table': [
      flash(0x2_0000, 0, concat(entries, field('?', 32))),
      { why: 'bad-magic', offset: 0x80a0 },
    ],
  }
  for (const [what, [bytes, expected]] of Object.entries(cases))
    it(`refuses one ${what}, saying where`, async () => {
      expect(await refused(read(bytes))).toMatchObject({ format: 'ESP flash image', ...expected })
    })

  it('gives nothing but `bad-file` for anything else', () => {
    const beginning = file.subarray(0, 0x1_0200)
    return survivesReading(read, [beginning], 200)
  })
})
