import { expect, test } from 'vitest'
import { filters } from './boards.ts'
import identity from './identity.ts'

const seen = (vendorId?: number, productId?: number) => ({ link: 'serial', vendorId, productId }) as const

test.each([
  [0x2341, 0x8036, 'Arduino Leonardo', 'application'],
  [0x2341, 0x0036, 'Arduino Leonardo', 'bootloader'],
  [0x2a03, 0x0037, 'Arduino Micro', 'bootloader'],
  [0x2341, 0x8237, 'Arduino Micro', 'application'],
  [0x1b4f, 0x9206, 'SparkFun Pro Micro (5 V, 16 MHz)', 'application'],
  [0x1b4f, 0x9203, 'SparkFun Pro Micro (3.3 V, 8 MHz)', 'bootloader'],
])('%x:%x is %s, %s', (vendorId, productId, model, mode) => {
  const found = identity.recognise(seen(vendorId, productId))
  expect(found).toMatchObject({ model, mode, confidence: 'certain', usable: true })
})

test('other ports are not its', () => {
  for (const other of [seen(), seen(0x2341, 0x0043), seen(0x1a86, 0x7523), seen(0x2a03, 0x0001)])
    expect(identity.recognise(other)).toBeUndefined()
})

test('each id is one board', () => {
  expect(new Set(filters.map((filter) => JSON.stringify(filter))).size).toBe(filters.length)
})
