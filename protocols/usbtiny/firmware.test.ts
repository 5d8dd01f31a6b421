import { describe, expect, it } from 'vitest'
import { blank, concat, fromHex } from '#core/bytes.ts'
import type { Segment } from '#core/programmer.ts'
import recognise from './firmware.ts'

/** Jumps, string, configuration and device descriptor in the order in which USBtiny has them, then code. */
function flashOf({ product = '', ids = '81 17 9f 0c', vectors = 19, bytes = 2048 } = {}): Segment[] {
  const flash = blank(bytes)
  const text = Uint8Array.from(product, (char) => char.charCodeAt(0)).reduce<number[]>(
    (all, unit) => [...all, unit, 0],
    [],
  )
  const table = Array.from({ length: vectors }, (_, i) => [0x42 - i, 0xc0]).flat()
  const device = fromHex(`12 01 01 01 ff 00 00 08 ${ids} 05 01 00 02 00 01`)
  flash.set(
    concat(
      Uint8Array.from([...table, 2 + text.length, 3, ...text]),
      fromHex('09 02 12 00 01 01 00 80 32 09 04 00 00 00 ff 00 00 00'),
      device,
      new Uint8Array(1600).fill(0x55),
    ),
  )
  return [{ address: 0, bytes: flash }]
}

describe('a USBtinyISP in flash', () => {
  it('is certain when the product string says so', () => {
    expect(recognise(flashOf({ product: 'USBtinyISP' }), 'ATtiny2313')).toEqual({
      family: 'usbtiny',
      name: 'USBtinyISP',
      version: '1.05',
      confidence: 'certain',
      evidence: [
        'USB descriptor 1781:0c9f bcdDevice 1.05 at 0x004e',
        '"USBtinyISP" at 0x0028',
        'vector table of ATmega8, ATtiny2313',
      ],
      appears: {
        ...{ link: 'usb', vendorId: 0x1781, productId: 0x0c9f },
        says: [{ name: 'firmware-version', value: '1.05' }],
      },
      chips: ['ATmega8', 'ATtiny2313'], // both have 19 vectors of one word
    })
  })
  it('is likely when there is no string, as in the Pocket AVR Programmer', () => {
    expect(recognise(flashOf(), undefined)).toMatchObject({ name: 'USBtinyISP', confidence: 'likely' })
  })
  it('keeps the name of a variant', () => {
    expect(recognise(flashOf({ product: 'USBtiny SPI' }), undefined)?.name).toBe('USBtiny SPI')
  })
  it('is told from the boot loader that borrows its id', () => {
    expect(recognise(flashOf({ product: 'Trinket' }), undefined)?.name).toBe('Trinket boot loader')
  })
  it('names no chip when the vector table fits none', () => {
    expect(recognise(flashOf({ vectors: 7 }), undefined)?.chips).toBeUndefined()
  })
  it('is not seen under another id, nor in a blank flash', () => {
    expect(recognise(flashOf({ product: 'USBtinyISP', ids: 'c0 16 dc 05' }), undefined)).toBeUndefined()
    expect(recognise([{ address: 0, bytes: blank(2048) }], undefined)).toBeUndefined()
    expect(recognise([], undefined)).toBeUndefined()
  })
})
