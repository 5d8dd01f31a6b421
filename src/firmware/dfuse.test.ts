/** Vector: one element of four bytes in the layout of UM0391, section 2, whose suffix dfu-suffix 0.11 accepts. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteWriter, concat, fromHex } from '#core/bytes.ts'
import type { BadFileDetail } from '#core/errors.ts'
import { withDfuSuffix } from './dfu-suffix.ts'
import { formatDfuSe, parseDfuSe } from './dfuse.format.ts'
import { readImage } from './formats.ts'
import { bytesOf, imagesUpTo, refusal, segment, survives } from './test-images.ts'

const usb = { vendorId: 0x0483, productId: 0xdf11, deviceVersion: 0 }

interface TargetOf {
  alternate?: number
  title?: string
  elements: readonly [address: number, bytes: readonly number[]][]
}

function target({ alternate = 0, title = '', elements }: TargetOf): Uint8Array {
  const body = new ByteWriter()
  for (const [address, bytes] of elements) body.u32le(address).u32le(bytes.length).bytes(bytes)
  const names = new Uint8Array(255)
  names.set(bytesOf(title))
  const head = new ByteWriter()
    .bytes(bytesOf('Target'))
    .u8(alternate)
    .u32le(title === '' ? 0 : 1)
    .bytes(names)
  return concat(head.u32le(body.done().length).u32le(elements.length).done(), body.done())
}

function dfuSe(targets: readonly Uint8Array[], count = targets.length): Uint8Array {
  const body = concat(...targets)
  const head = new ByteWriter()
    .bytes(bytesOf('DfuSe'))
    .u8(1)
    .u32le(11 + body.length)
    .u8(count)
  return withDfuSuffix(concat(head.done(), body), 0x011a, usb)
}
/** The same with some bytes of the content changed, and a CRC that is right. */
function changed(file: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  const content = Uint8Array.from(file.subarray(0, -16))
  content.set(bytes, at)
  return withDfuSuffix(content, 0x011a, usb)
}

const one = dfuSe([target({ elements: [[0x0800_0000, [0x11, 0x22, 0x33, 0x44]]] })])

describe('reading DfuSe', () => {
  it('takes elements, the name, and for which device it is', async () => {
    expect([...one.subarray(0, 11)]).toEqual([...fromHex('4466755365 01 29010000 01')])
    expect(one).toHaveLength(313)
    expect(await readImage(one, 'a.dfu')).toEqual({
      format: 'DfuSe',
      segments: [segment(0x0800_0000, 0x11, 0x22, 0x33, 0x44)],
      claims: { usb },
      warnings: [],
    })
    const two = target({
      title: 'ST...',
      elements: [
        [0x0800_0004, [5]],
        [0x0800_0000, [1, 2, 3, 4]],
      ],
    })
    expect(parseDfuSe(dfuSe([two]))).toMatchObject({
      segments: [segment(0x0800_0000, 1, 2, 3, 4, 5)],
      claims: { name: 'ST...' },
    })
  })

  it('of several alternate settings takes the one that is chosen', () => {
    const file = dfuSe([
      target({ title: 'Internal Flash', elements: [[0x0800_0000, [1]]] }),
      target({ alternate: 1, elements: [[0x9000_0000, [2]]] }),
      target({ alternate: 0, elements: [[0x0800_0010, [3]]] }),
    ])
    const parts = [
      { id: '0', name: '0 (Internal Flash)' },
      { id: '1', name: '1' },
    ]
    expect(refusal(() => parseDfuSe(file))).toMatchObject({ why: 'several-parts', parts })
    expect(parseDfuSe(file, { part: '1' })).toMatchObject({
      segments: [segment(0x9000_0000, 2)],
      warnings: [{ code: 'parts-left-out' }],
    })
    expect(parseDfuSe(file, { part: '0' }).segments).toEqual([
      segment(0x0800_0000, 1),
      segment(0x0800_0010, 3),
    ])
  })

  const overlapping = target({
    elements: [
      [0x100, [1, 2]],
      [0x101, [3]],
    ],
  })
  const cases: Record<string, [file: Uint8Array, expected: Partial<BadFileDetail>]> = {
    'without a suffix': [one.subarray(0, -16), { why: 'bad-magic', offset: 289 }],
    'with a byte changed': [one.with(300, 0), { why: 'bad-checksum', offset: 309 }],
    'of another revision': [
      changed(one, 5, 2),
      { why: 'bad-structure', offset: 5, found: '2', expected: '1' },
    ],
    'with a wrong size': [
      changed(one, 6, 0),
      { why: 'bad-length', offset: 6, found: '256', expected: '297' },
    ],
    'without targets': [dfuSe([]), { why: 'no-bytes' }],
    'with more targets than it holds': [
      dfuSe([target({ elements: [] })], 2),
      { why: 'truncated', offset: 285 },
    ],
    'with something else than a target': [changed(one, 11, 0), { why: 'bad-magic', offset: 11 }],
    'with an element over its end': [changed(one, 289, 5), { why: 'truncated', offset: 293 }],
    'with an element of 4 GB': [changed(one, 289, 255, 255, 255, 255), { why: 'truncated', offset: 293 }],
    'with elements without number': [
      changed(one, 281, 255, 255, 255, 255),
      { why: 'truncated', offset: 297 },
    ],
    'with a wrong size of a target': [changed(one, 277, 13), { why: 'bad-length', offset: 277, found: '13' }],
    'with something left over': [
      dfuSe([target({ elements: [] }), Uint8Array.of(0)], 1),
      { why: 'bad-length' },
    ],
    'with two bytes for one place': [
      dfuSe([overlapping]),
      { why: 'overlap', address: 0x101, firstOffset: 293, offset: 303 },
    ],
    'beyond 32 bits': [dfuSe([target({ elements: [[0xffff_ffff, [1, 2]]] })]), { why: 'address-overflow' }],
  }
  for (const [what, [file, expected]] of Object.entries(cases))
    it(`refuses a file ${what}, saying where`, () => {
      expect(refusal(() => parseDfuSe(file))).toMatchObject({ format: 'DfuSe', ...expected })
    })

  it('gives nothing but `bad-file` for anything else, whatever the CRC', () => {
    survives(parseDfuSe, [one])
    survives(
      (bytes) => parseDfuSe(withDfuSuffix(bytes, 0x011a)),
      [one.subarray(0, -16), dfuSe([overlapping])],
    )
  })
})

describe('writing DfuSe', () => {
  it('gives the vector, with its CRC', () => {
    const file = formatDfuSe([segment(0x0800_0000, 0x11, 0x22, 0x33, 0x44)], { usb })
    expect(file).toEqual(one)
  })

  it('is read back as it was', () => {
    fc.assert(
      fc.property(
        imagesUpTo(2 ** 31),
        fc.nat(255),
        fc.constantFrom('', 'Flash'),
        (segments, alternate, name) => {
          const { segments: read, claims } = parseDfuSe(formatDfuSe(segments, { alternate, name, usb }))
          expect(read).toEqual(segments)
          expect(claims).toEqual({ usb, ...(name !== '' && { name }) })
        },
      ),
    )
  })
})
