import { describe, expect, test } from 'vitest'
import { blank, fromHex } from '#core/bytes.ts'
import type { Contents } from '#core/programmer.ts'
import { parseUf2 } from '#firmware/uf2.format.ts'
import { checkRp2 } from '#chips/rp2-check.ts'
import { boot2Crc, chips, flashAddress, hasBoot2, type Chip } from '#chips/rp2-chips.ts'
import { Play, practiceProgram } from './images.ts'

const flash = { address: flashAddress, length: 2 << 20 }
const chipNamed = (name: Chip['name']) => chips.find((chip) => chip.name === name) as Chip
const rp2040 = practiceProgram({ chip: 'RP2040', plays: Play.stdio, version: 0x0100, length: 20_000 })
const rp2350 = practiceProgram({ chip: 'RP2350', plays: Play.stdio2350, version: 0x0100, length: 20_000 })
const at = (address: number, bytes: Uint8Array): Contents => new Map([['flash', [{ address, bytes }]]])

function told(name: Chip['name'], wanted: Contents, present: Uint8Array = blank(8192), claimedChip?: string) {
  const checks = checkRp2({
    ...{ chip: chipNamed(name), flash, wanted, present: at(flashAddress, present), claimedChip },
  })
  return checks.map(({ code, result, values: { why = '' } }) => `${code} ${result} ${why}`.trim())
}

test('the checksum of a second stage is that of the ROM: CRC-32/MPEG-2 over 252 bytes', () => {
  const page = new Uint8Array(256)
  page.set(fromHex('313233343536373839'), 243)
  // leading zeros change a sum that begins with ones; so the value is held against bits, shifted one by one
  let crc = 0xffff_ffffn
  for (const byte of page.subarray(0, 252))
    for (let bit = 7; bit >= 0; bit--) {
      const isSet = ((crc >> 31n) ^ BigInt((byte >> bit) & 1)) & 1n
      crc = ((crc << 1n) & 0xffff_ffffn) ^ (isSet ? 0x04c1_1db7n : 0n)
    }
  expect(boot2Crc(page)).toBe(Number(crc))
  expect(hasBoot2(rp2040)).toBe(true)
  expect(hasBoot2(rp2040.map((byte, i) => (i === 100 ? byte ^ 1 : byte)))).toBe(false)
})

describe('an image is', () => {
  test.each([
    ['RP2040', at(flashAddress, rp2040), ['size-fits passed', 'vector-table passed jump']],
    ['RP2350', at(flashAddress, rp2350), ['size-fits passed', 'vector-table passed image-block']],
    ['RP2040', at(flashAddress, rp2350), ['size-fits passed', 'vector-table warning no-boot2']],
    ['RP2350', at(flashAddress, rp2040), ['size-fits passed', 'vector-table warning no-image-block']],
    ['RP2040', at(flashAddress, blank(512)), ['size-fits passed', 'vector-table warning blank']],
    ['RP2040', at(flashAddress + 0x1_0000, rp2040), ['size-fits passed', 'vector-table warning missing']],
    ['RP2040', at(0x2000_0000, rp2040), ['size-fits refused for-ram', 'vector-table warning missing']],
    ['RP2040', at(0, rp2040), ['size-fits refused', 'vector-table warning missing']],
    [
      'RP2040',
      at(flashAddress + flash.length - 10, rp2040),
      ['size-fits refused', 'vector-table warning missing'],
    ],
  ] as const)('%s, checked for what it is', (name, wanted, expected) => {
    expect(told(name, wanted)).toEqual(expected)
  })

  test('for further on, where the start of the flash stays', () => {
    expect(told('RP2040', at(flashAddress + 0x1_0000, rp2040), rp2040)).toEqual([
      ...['size-fits passed', 'vector-table passed stays'],
    ])
  })

  test('a part of the first sector, which is looked at with what stays of it', () => {
    expect(told('RP2040', at(flashAddress + 0x800, new Uint8Array(16)), rp2040)).toEqual([
      ...['size-fits passed', 'vector-table passed jump'],
    ])
    expect(told('RP2040', at(flashAddress + 0x80, new Uint8Array(16)), rp2040)).toContain(
      'vector-table warning no-boot2',
    )
  })
})

test('where a partition table divides the flash, only a whole one, or one for just these addresses, is taken as it is', () => {
  const why = (bytes: Uint8Array, claimedChip?: string) =>
    checkRp2({
      ...{ chip: chipNamed('RP2350'), flash, hasTable: true, present: new Map(), claimedChip },
      wanted: at(flashAddress, bytes),
    }).flatMap(({ values }) => (values['why'] === 'partitioned' ? 'partitioned' : []))
  const whole = blank(flash.length)
  whole.set(rp2350)
  expect(why(rp2350)).toEqual(['partitioned'])
  expect(why(rp2350, 'RP2350-ARM-S')).toEqual(['partitioned'])
  expect([why(whole), why(rp2350, 'RP2XXX-ABSOLUTE')]).toEqual([[], []])
})

describe('a family', () => {
  test.each([
    ['RP2040', 'RP2040', 'passed'],
    ['RP2040', 'RP2350-ARM-S', 'refused'],
    ['RP2040', 'RP2XXX-ABSOLUTE', 'refused'],
    ['RP2040', 'SAMD21', 'refused'],
    ['RP2350', 'RP2350-ARM-S', 'passed'],
    ['RP2350', 'RP2350-RISCV', 'passed'],
    ['RP2350', 'RP2XXX-ABSOLUTE', 'passed'],
    ['RP2350', 'RP2350', 'passed'],
    ['RP2350', 'RP2040', 'refused'],
  ] as const)('%s takes %s: %s', (name, claimed, result) => {
    const image = name === 'RP2040' ? rp2040 : rp2350
    expect(told(name, at(flashAddress, image), undefined, claimed)[0]).toBe(`chip-matches ${result}`)
  })

  test('comes from the UF2 file, in its own spelling', () => {
    const block = new Uint8Array(512)
    const words = [0x0a32_4655, 0x9e5d_5157, 0x2000, flashAddress, 256, 0, 1, 0xe48b_ff56]
    const view = new DataView(block.buffer)
    words.forEach((word, i) => view.setUint32(i * 4, word, true))
    view.setUint32(508, 0x0ab1_6f30, true)
    block.set(rp2040.subarray(0, 256), 32)
    const { claims, segments } = parseUf2(block)
    expect(told('RP2040', new Map([['flash', segments]]), undefined, claims.chip)).toEqual([
      ...['chip-matches passed', 'size-fits passed', 'vector-table passed boot2'],
    ])
  })
})
