import { describe, expect, test } from 'vitest'
import { avrPartByName, avrParts, findAvrPart } from './avr-parts.ts'

const powerOfTwo = (value: number) => value > 0 && (value & (value - 1)) === 0

describe.each(avrParts)('$name', (part) => {
  test('is found by its signature and by its names', () => {
    expect(findAvrPart(part.signature)).toBe(part)
    for (const name of [part.name, ...(part.aliases ?? [])])
      expect(avrPartByName(name.toUpperCase())).toBe(part)
  })

  test('has memories of whole pages', () => {
    for (const { bytes, pageBytes, ms } of [part.flash, part.eeprom]) {
      expect(powerOfTwo(bytes) && powerOfTwo(pageBytes)).toBe(true)
      expect(bytes % pageBytes).toBe(0)
      expect(ms).toBeGreaterThan(0)
    }
    expect(part.flash.pageBytes).toBeLessThanOrEqual(256)
  })

  test('has boot sections that double and fit, exactly when it has boot lock bits', () => {
    expect(part.bootBytes !== undefined).toBe(part.lockMask === 0x3f)
    const sizes = part.bootBytes ?? []
    for (const [i, size] of sizes.entries()) {
      expect(size % part.flash.pageBytes).toBe(0)
      if (i > 0) expect(size).toBe((sizes[i - 1] ?? 0) * 2)
    }
    expect(Math.max(0, ...sizes)).toBeLessThan(part.flash.bytes)
  })

  test('leaves ISP possible as it comes from the factory', () => {
    const { low, high } = part.fuses
    const spien = part.fuseLayout === 'tiny13' ? low & 0x80 : high & 0x20
    expect(spien).toBe(0)
  })

  test('has two-word vectors when one word could not reach all of its flash', () => {
    if (part.flash.bytes > 8192) expect(part.vectors.bytes).toBe(4)
    expect(part.vectors.count * part.vectors.bytes).toBeLessThan(part.flash.bytes)
  })
})

test.each([
  ['ATmega8', 4],
  ['ATmega328P', 1],
  ['ATtiny13', 2],
  ['ATtiny25', 2],
  ['ATtiny45', 2],
  ['ATtiny85', 2],
  ['ATtiny84', 1],
  ['ATtiny2313', 2],
  ['ATtiny88', 1],
  ['ATtiny167', 1],
])('%s has %i calibration bytes', (name, bytes) => {
  expect(avrPartByName(name)?.calibrationBytes).toBe(bytes)
})

test('signatures and names are unique', () => {
  const signatures = avrParts.map(({ signature }) => signature.join())
  expect(new Set(signatures).size).toBe(signatures.length)
  const names = avrParts.flatMap(({ name, aliases = [] }) => [name, ...aliases])
  expect(new Set(names).size).toBe(names.length)
})

test('an unknown signature or name is not guessed at', () => {
  expect(findAvrPart([0x1e, 0x95, 0x00])).toBeUndefined()
  expect(findAvrPart([])).toBeUndefined()
  expect(avrPartByName('ATmega')).toBeUndefined()
})
