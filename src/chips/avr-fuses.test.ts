import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import de from '#ui/text/de/fuses.json'
import en from '#ui/text/en/fuses.json'
import {
  bootSection,
  describeFuses,
  fuseBytes,
  fuseChanges,
  fuseMask,
  isProgrammed,
  type FuseBit,
  type FuseMeaning,
} from './avr-fuses.ts'
import { avrPartByName, avrParts, type AvrPart } from './avr-parts.ts'

function partOf(name: string): AvrPart {
  const part = avrPartByName(name)
  if (!part) throw new Error(`no ${name}`)
  return part
}

const factory = ({ fuses: { low, high, extended = 0xff } }: AvrPart) => Uint8Array.of(low, high, extended)

const meaning = (name: string, fuses: readonly number[], bit: FuseBit): FuseMeaning | undefined =>
  describeFuses(partOf(name), Uint8Array.from(fuses)).find((reading) => reading.bit === bit)?.meaning

describe('what fuses mean', () => {
  test.each<[string, number[], string]>([
    ['ATmega8', [0xe1, 0xd9], 'internal-rc-1mhz'],
    ['ATmega8', [0xef, 0xc9], 'crystal'],
    ['ATmega8', [0xe0, 0xd9], 'external-clock'],
    ['ATmega8', [0xe5, 0xd9], 'external-rc'],
    ['ATmega328P', [0x62, 0xd9, 0xff], 'internal-rc-8mhz'],
    ['ATmega328P', [0xff, 0xde, 0xfd], 'crystal'],
    ['ATmega328P', [0xf7, 0xde, 0xfd], 'full-swing-crystal'],
    ['ATmega328P', [0xe1, 0xde, 0xfd], 'reserved'],
    ['ATmega2560', [0x63, 0x99, 0xff], 'internal-128khz'],
    ['ATmega32U4', [0x5e, 0x99, 0xfb], 'crystal'],
    ['ATtiny13', [0x6a, 0xff], 'internal-rc-9-6mhz'],
    ['ATtiny85', [0xe1, 0xdd, 0xfe], 'internal-pll-16mhz'],
    ['ATtiny84', [0xe4, 0xdf, 0xff], 'internal-128khz'],
    ['ATtiny2313', [0x64, 0xdf, 0xff], 'internal-rc-8mhz'],
    ['ATtiny88', [0x6e, 0xdf, 0xff], 'internal-rc-8mhz'],
  ])('%s with %j takes its clock from: %s', (name, fuses, source) => {
    expect(meaning(name, fuses, 'CKSEL')?.id).toBe(source)
  })

  test.each<[string, number[], string]>([
    ['ATmega328P', [0xff, 0xde, 0xfd], '2.7'],
    ['ATmega328P', [0xff, 0xde, 0xfc], '4.3'],
    ['ATmega8', [0x9f, 0xc9], '2.7'],
    ['ATmega8', [0x1f, 0xc9], '4.0'],
    ['ATmega16U2', [0x5e, 0xd9, 0xf4], '3.0'],
    ['ATmega32U4', [0x5e, 0x99, 0xfb], '2.6'],
  ])('%s with %j resets below %s V', (name, fuses, volts) => {
    expect(meaning(name, fuses, 'BODLEVEL')).toEqual({ id: 'bod-level', values: { volts } })
  })

  test.each<[string, number[], number, number]>([
    ['ATmega8', [0xe1, 0xd9], 0x1800, 2048],
    ['ATmega8', [0xe1, 0xdb], 0x1c00, 1024],
    ['ATmega328P', [0xff, 0xde, 0xfd], 0x7e00, 512],
    ['ATmega328P', [0xff, 0xda, 0xfd], 0x7800, 2048],
    ['ATmega168', [0xff, 0xdd, 0xf8], 0x3800, 2048],
    ['ATmega2560', [0xff, 0xd8, 0xfd], 0x3_e000, 8192],
    ['ATmega16U2', [0xef, 0xd9, 0xf4], 0x3000, 4096],
  ])('%s with %j has its boot section at %i', (name, fuses, address, length) => {
    expect(bootSection(partOf(name), Uint8Array.from(fuses))).toEqual({ address, length })
  })

  test('a chip without boot section has none', () => {
    expect(bootSection(partOf('ATtiny85'), factory(partOf('ATtiny85')))).toBeUndefined()
  })

  test('an Uno starts in its boot loader, a factory-new chip does not', () => {
    const part = partOf('ATmega328P')
    expect(isProgrammed(part, Uint8Array.of(0xff, 0xde, 0xfd), 'BOOTRST')).toBe(true)
    expect(isProgrammed(part, factory(part), 'BOOTRST')).toBe(false)
    expect(isProgrammed(part, factory(part), 'JTAGEN')).toBe(false) // it has none
  })
})

describe('changes', () => {
  const change = (name: string, from: readonly number[], to: readonly number[]) =>
    fuseChanges(partOf(name), Uint8Array.from(from), Uint8Array.from(to)).map(
      ({ bit, from, to, danger }) => `${bit} ${from.id} → ${to.id}: ${danger ?? 'harmless'}`,
    )

  test.each<[string, number[], number[], string[]]>([
    ['ATmega328P', [0x62, 0xd9, 0xff], [0x62, 0x59, 0xff], ['RSTDISBL off → on: lost']],
    ['ATmega328P', [0x62, 0xd9, 0xff], [0x62, 0x99, 0xff], ['DWEN off → on: lost']],
    ['ATmega328P', [0x62, 0xd9, 0xff], [0x62, 0xf9, 0xff], ['SPIEN on → off: fixed']],
    ['ATtiny13', [0x6a, 0xff], [0xea, 0xfe], ['SPIEN on → off: fixed', 'RSTDISBL off → on: lost']],
    ['ATmega8', [0xe1, 0xd9], [0xe0, 0xd9], ['CKSEL internal-rc-1mhz → external-clock: clock']],
    [
      'ATmega328P',
      [0xff, 0xd9, 0xff],
      [0xe2, 0xd9, 0xff],
      ['SUT start-up → start-up: harmless', 'CKSEL crystal → internal-rc-8mhz: caution'],
    ],
    ['ATmega328P', [0xff, 0xd9, 0xff], [0xf9, 0xd9, 0xff], ['CKSEL crystal → crystal: caution']],
    ['ATmega328P', [0xe2, 0xd9, 0xff], [0xe1, 0xd9, 0xff], ['CKSEL internal-rc-8mhz → reserved: clock']],
    [
      'ATmega328P',
      [0xe2, 0xd9, 0xff],
      [0xe3, 0xd9, 0xff],
      ['CKSEL internal-rc-8mhz → internal-128khz: slow'],
    ],
    ['ATmega328P', [0xe3, 0xd9, 0xff], [0x63, 0xd9, 0xff], ['CKDIV8 off → on: slow']],
    ['ATmega328P', [0xe2, 0xd9, 0xff], [0x62, 0xd9, 0xff], ['CKDIV8 off → on: caution']],
    ['ATmega328P', [0x63, 0xd9, 0xff], [0xe3, 0xd9, 0xff], ['CKDIV8 on → off: caution']],
    ['ATmega328P', [0x62, 0xd9, 0xff], [0x62, 0xd1, 0xff], ['EESAVE off → on: harmless']],
    ['ATmega328P', [0x62, 0xd9, 0xff], [0x62, 0xd9, 0xfe], ['BODLEVEL bod-off → bod-level: supply']],
    ['ATmega328P', [0x62, 0xd9, 0xfd], [0x62, 0xd9, 0xfc], ['BODLEVEL bod-level → bod-level: supply']],
    ['ATmega328P', [0x62, 0xd9, 0xfc], [0x62, 0xd9, 0xfd], ['BODLEVEL bod-level → bod-level: caution']],
    ['ATmega328P', [0x62, 0xd9, 0xfc], [0x62, 0xd9, 0xff], ['BODLEVEL bod-level → bod-off: caution']],
    ['ATmega8', [0xe1, 0xd9], [0xa1, 0xd9], ['BODEN off → on: supply']],
    ['ATmega8', [0xef, 0xc9], [0xef, 0xd9], ['CKOPT on → off: clock']],
    ['ATmega8', [0xe1, 0xc9], [0xe1, 0xd9], ['CKOPT on → off: caution']],
    [
      'ATmega2560',
      [0x62, 0x99, 0xff],
      [0x62, 0xd8, 0xff],
      ['JTAGEN on → off: caution', 'BOOTRST off → on: caution'],
    ],
  ])('%s from %j to %j', (name, from, to, expected) => {
    expect(change(name, from, to)).toEqual(expected)
  })

  test('bits that do not exist are no change', () => {
    expect(change('ATmega328P', [0xff, 0xde, 0xfd], [0xff, 0xde, 0x05])).toEqual([])
  })
})

describe.each(avrParts)('$name', (part) => {
  const fuses = fc.uint8Array({ minLength: 3, maxLength: 3 })

  test('every change of an existing bit is named, and nothing else', () => {
    const mask = fuseMask(part)
    fc.assert(
      fc.property(fuses, fuses, (from, to) => {
        const changes = fuseChanges(part, from, to)
        for (const [i, byte] of fuseBytes.slice(0, mask.length).entries()) {
          const named = changes
            .filter((change) => change.byte === byte)
            .reduce((all, { mask }) => all | mask, 0)
          const changed = ((from[i] ?? 0) ^ (to[i] ?? 0)) & (mask[i] ?? 0)
          expect(changed & ~named).toBe(0)
          if (changed === 0) expect(named).toBe(0)
        }
      }),
    )
  })

  test('bits do not overlap, and its factory fuses are known values', () => {
    const readings = describeFuses(part, factory(part))
    for (const byte of ['low', 'high', 'extended'] as const) {
      const masks = readings.filter((reading) => reading.byte === byte).map(({ mask }) => mask)
      expect(masks.reduce((sum, mask) => sum + mask, 0)).toBe(masks.reduce((all, mask) => all | mask, 0))
    }
    expect(readings.find(({ meaning }) => meaning.id === 'reserved')).toBeUndefined()
  })

  test('every bit and meaning has its texts in both languages', () => {
    const key = (id: string) => id.replaceAll('-', '_').toLowerCase()
    fc.assert(
      fc.property(fuses, (bytes) => {
        for (const { bit, byte, meaning } of describeFuses(part, bytes))
          for (const texts of [en, de] as Record<string, string>[])
            expect(texts).toMatchObject({
              [`fuse_byte_${byte}`]: expect.any(String) as string,
              [`fuse_${key(bit)}_name`]: expect.any(String) as string,
              [`fuse_${key(bit)}_meaning`]: expect.any(String) as string,
              [`fuse_is_${key(meaning.id)}`]: expect.any(String) as string,
            })
      }),
    )
  })
})

test('both languages have the same texts, with the same gaps', () => {
  const gaps = (text: string) => text.match(/\{\w+\}/g)?.sort() ?? []
  expect(Object.keys(de)).toEqual(Object.keys(en))
  for (const [key, text] of Object.entries(en))
    expect(gaps((de as Record<string, string>)[key] ?? '')).toEqual(gaps(text))
})
