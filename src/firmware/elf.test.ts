/** Files are made by hand after the TIS ELF specification 1.2, figures 1-3 (header) and 2-1 (program header). */
import { describe, expect, it } from 'vitest'
import { concat } from '#core/bytes.ts'
import type { BadFileDetail } from '#core/errors.ts'
import { parseElf } from './elf.format.ts'
import { readImage } from './formats.ts'
import { refusal, segment, survives } from './test-images.ts'

interface Load {
  type?: number
  physical: number
  bytes: readonly number[]
  memory?: number
}

function elf(loads: readonly Load[], { machine = 40, entry = 0, isLittle = true, headerBytes = 32 } = {}) {
  const file = new Uint8Array(
    52 + 32 * loads.length + loads.reduce((sum, { bytes }) => sum + bytes.length, 0),
  )
  const view = new DataView(file.buffer)
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, isLittle ? 1 : 2, 1])
  view.setUint16(16, 2, isLittle)
  view.setUint16(18, machine, isLittle)
  view.setUint32(24, entry, isLittle)
  view.setUint32(28, 52, isLittle)
  view.setUint16(42, headerBytes, isLittle)
  view.setUint16(44, loads.length, isLittle)
  let offset = 52 + 32 * loads.length
  loads.forEach(({ type = 1, physical, bytes, memory = bytes.length }, i) => {
    const words = [type, offset, 0x2000_0000, physical, bytes.length, memory, 5, 4]
    words.forEach((word, field) => {
      view.setUint32(52 + 32 * i + 4 * field, word, isLittle)
    })
    file.set(bytes, offset)
    offset += bytes.length
  })
  return file
}

describe('reading ELF', () => {
  it('takes what is to be loaded, by physical address, of either byte order', async () => {
    for (const isLittle of [true, false]) {
      const loads = [
        { physical: 0x0800_0100, bytes: [5, 6] },
        { physical: 0x0800_0000, bytes: [1, 2, 3, 4] },
        { type: 4, physical: 0, bytes: [9] },
      ]
      expect(await readImage(elf(loads, { isLittle, entry: 0x0800_0101 }), 'a.bin')).toEqual({
        format: 'ELF',
        segments: [segment(0x0800_0000, 1, 2, 3, 4), segment(0x0800_0100, 5, 6)],
        claims: { machine: 'ARM', entry: 0x0800_0101 },
        warnings: [],
      })
    }
  })

  it('leaves out what only memory has', () => {
    const loads = [
      { physical: 0x100, bytes: [1], memory: 400 },
      { physical: 0x2000, bytes: [], memory: 400 },
    ]
    expect(parseElf(elf(loads, { machine: 243 }))).toMatchObject({
      segments: [segment(0x100, 1)],
      claims: { machine: 'RISC-V' },
    })
  })

  it('names a processor that is new by its number', () => {
    expect(parseElf(elf([{ physical: 0, bytes: [1] }], { machine: 9999 })).claims).toEqual({
      machine: 'e_machine 9999',
    })
  })

  it('tells the memories of an AVR apart', () => {
    const flash = { physical: 0, bytes: [1, 2] }
    const eeprom = { physical: 0x81_0010, bytes: [3] }
    const fuses = { physical: 0x82_0000, bytes: [0xff, 0xd9] }
    const file = elf([flash, eeprom, fuses], { machine: 83 })
    expect(parseElf(file)).toMatchObject({
      segments: [segment(0, 1, 2)],
      warnings: [{ code: 'parts-left-out' }],
    })
    expect(parseElf(file, { part: 'eeprom' }).segments).toEqual([segment(0x10, 3)])
    expect(parseElf(file, { part: 'fuses' }).segments).toEqual([segment(0, 0xff, 0xd9)])
    expect(refusal(() => parseElf(file, { part: 'lock' }))).toMatchObject({ why: 'no-such-part' })
    expect(parseElf(elf([eeprom], { machine: 83 })).segments).toEqual([segment(0x10, 3)])
    expect(parseElf(elf([flash], { machine: 83 })).warnings).toEqual([])
  })

  const good = elf([{ physical: 0, bytes: [1, 2, 3, 4] }])
  const word = (at: number, value: number) => {
    const file = Uint8Array.from(good)
    new DataView(file.buffer).setUint32(at, value, true)
    return file
  }
  const cases: Record<string, [file: Uint8Array, expected: Partial<BadFileDetail>]> = {
    'cut off in its header': [good.subarray(0, 51), { why: 'truncated', offset: 51 }],
    'cut off in its program headers': [good.subarray(0, 70), { why: 'truncated', offset: 70 }],
    'cut off in its bytes': [good.subarray(0, 87), { why: 'truncated', offset: 68 }],
    'of 64 bits': [good.with(4, 2), { format: 'ELF64', why: 'unknown-format' }],
    'of no class': [good.with(4, 3), { why: 'bad-structure', offset: 4 }],
    'of no byte order': [good.with(5, 0), { why: 'bad-structure', offset: 5 }],
    'with other program headers': [
      elf([{ physical: 0, bytes: [1] }], { headerBytes: 56 }),
      { why: 'bad-structure', offset: 42 },
    ],
    'with more to load than memory for it': [word(52 + 20, 3), { why: 'bad-structure', offset: 68 }],
    'with a length of 4 GB': [word(52 + 16, 0xffff_ffff), { why: 'truncated', offset: 68 }],
    'with headers far behind its end': [word(28, 0xffff_fff0), { why: 'truncated' }],
    'beyond 32 bits': [word(52 + 12, 0xffff_fffe), { why: 'address-overflow' }],
    'of nothing to load': [elf([]), { why: 'no-bytes' }],
    'with two bytes for one place': [
      elf([
        { physical: 0x10, bytes: [1, 2] },
        { physical: 0x11, bytes: [3] },
      ]),
      { why: 'overlap', address: 0x11, firstOffset: 116, offset: 118 },
    ],
  }
  for (const [what, [file, expected]] of Object.entries(cases))
    it(`refuses a file ${what}, saying where`, () => {
      expect(refusal(() => parseElf(file))).toMatchObject({ format: 'ELF', ...expected })
    })

  it('loads no byte of a file twice: a small file is no large image', () => {
    const file = elf([
      { physical: 0, bytes: Array.from({ length: 200 }, () => 7) },
      { physical: 200, bytes: [] },
      { physical: 400, bytes: [] },
    ])
    const view = new DataView(file.buffer)
    for (const header of [84, 116]) {
      view.setUint32(header + 4, 148, true)
      view.setUint32(header + 16, 200, true)
      view.setUint32(header + 20, 200, true)
    }
    expect(refusal(() => parseElf(file))).toMatchObject({ why: 'bad-structure' })
  })

  it('gives nothing but `bad-file` for anything else', () => {
    survives(parseElf, [good, concat(elf([{ physical: 0x81_0000, bytes: [1, 2] }], { machine: 83 }), good)])
  })
})
