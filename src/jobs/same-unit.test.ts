import { describe, expect, test } from 'vitest'
import type { MemoryId } from '#core/programmer.ts'
import type { Memories } from './plan.ts'
import { refuseStranger } from './same-unit.ts'

const memory = (id: MemoryId, ...bytes: number[]): Memories => new Map([[id, Uint8Array.from(bytes)]])
const refusal = (...given: Parameters<typeof refuseStranger>): string | undefined => {
  try {
    return refuseStranger(...given) ? 'new EEPROM' : undefined
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('what was read back instead of what was written', () => {
  const [kept, expected] = [memory('eeprom', 0xaa, 0xaa), memory('eeprom', 0xbb, 0xaa)]

  test('makes it the same unit', () => {
    const worn = memory('eeprom', 0x11, 0xaa)
    expect(refusal(worn, [kept, expected])).toBe('target-changed')
    expect(refusal(worn, [kept, expected], worn)).toBeUndefined()
  })

  test('counts as just that, so a dead cable does not let another unit in', () => {
    const dead = memory('eeprom', 0, 0)
    expect(refusal(memory('eeprom', 0x55, 0x33), [kept, expected], dead)).toBe('target-changed')
    expect(refusal(dead, [kept, expected], dead)).toBeUndefined()
  })
})

test("an EEPROM that nobody knows is its program's own once that runs, and a stranger's before", () => {
  const of = (flash: number, eeprom: number): Memories =>
    new Map([...memory('flash', flash), ...memory('eeprom', eeprom)])
  const [kept, expected] = [of(0x12, 0x0f), of(0x56, 0x0f)]
  const written = expected.get('flash')
  expect(refusal(of(0x56, 0x10), [kept, expected], new Map(), written)).toBe('new EEPROM')
  expect(refusal(of(0x56, 0x0f), [kept, expected], new Map(), written)).toBeUndefined()
  expect(refusal(of(0x12, 0x10), [kept, expected], new Map(), written)).toBe('target-changed')
  expect(refusal(of(0xff, 0x10), [kept, expected], new Map(), written)).toBe('target-changed')
})

test('a flash on its way from the old to the new is the same unit, another one is not', () => {
  const [kept, expected] = [memory('flash', 0x12, 0x34), memory('flash', 0x56, 0x78)]
  expect(refusal(memory('flash', 0xff, 0x34), [kept, expected])).toBeUndefined()
  expect(refusal(memory('flash', 0x00, 0x00), [kept, expected])).toBe('target-changed')
})
