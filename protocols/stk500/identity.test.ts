import { expect, test } from 'vitest'
import type { SeenSerial } from '#core/programmer.ts'
import identity from './identity.ts'

const seen = (vendorId?: number, productId?: number): SeenSerial => ({ link: 'serial', vendorId, productId })

test.each([
  [0x2341, 0x0043],
  [0x2341, 0x0001],
  [0x2341, 0x0243],
  [0x2341, 0x006a],
  [0x2a03, 0x0043],
])('%x:%x is certainly an Arduino Uno', (vendorId, productId) => {
  expect(identity.recognise(seen(vendorId, productId))).toMatchObject({
    model: 'Arduino Uno',
    confidence: 'certain',
    usable: true,
    notices: [],
  })
})

test.each([
  [0x1a86, 0x7523, 'CH340'],
  [0x1a86, 0x55d4, 'CH9102'],
  [0x0403, 0x6001, 'FT232R'],
  [0x10c4, 0xea60, 'CP210x'],
])('a bridge %x:%x may have anything behind it, and that is said', (vendorId, productId, chip) => {
  expect(identity.recognise(seen(vendorId, productId))).toMatchObject({
    model: `Arduino (${chip})`,
    confidence: 'possible',
    usable: true,
    notices: [{ code: 'generic-serial' }],
  })
})

test.each([
  [0x2341, 0x0010],
  [0x2341, 0x0042],
  [0x2a03, 0x003f],
])('the Mega %x:%x is known to speak another protocol', (vendorId, productId) => {
  expect(identity.recognise(seen(vendorId, productId))).toMatchObject({
    confidence: 'certain',
    usable: false,
    notices: [{ code: 'other-protocol', values: { protocol: 'STK500v2' } }],
  })
})

test('a port that is not on USB is possible', () => {
  expect(identity.recognise(seen())).toMatchObject({ confidence: 'possible', usable: true })
})

test('an unknown USB device is left to others', () => {
  expect(identity.recognise(seen(0x1209, 0x0001))).toBeUndefined()
  expect(identity.recognise(seen(0x2341, 0x8036))).toBeUndefined() // Leonardo: AVR109
})

test('the chooser offers each known id', () => {
  for (const { vendorId, productId } of identity.filters)
    expect(identity.recognise(seen(vendorId, productId))).toBeDefined()
})
