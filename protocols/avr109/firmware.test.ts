import { expect, test } from 'vitest'
import { blank, concat } from '#core/bytes.ts'
import recognise from './firmware.ts'
import { loaderImage, practiceSketch } from './images.ts'

const leonardo = { vendorId: 0x2341, productId: 0x0036 }
const sketchIds = { vendorId: 0x2341, productId: 0x8036 }

test('a sketch is known by the ids that it shows itself with, before the boot section', () => {
  expect(recognise([{ address: 0, bytes: practiceSketch(4800, 1, sketchIds) }], 'ATmega32U4')).toMatchObject({
    name: 'Arduino Leonardo sketch',
    evidence: ['USB descriptor 2341:8036 bcdDevice 1.00 at 0x0600'],
    appears: { link: 'serial', ...sketchIds, says: [{ name: 'usb-id', value: '2341:8036' }] },
  })
})

test('the loader alone is Caterina, and what it says is the evidence', () => {
  expect(recognise([{ address: 0x7000, bytes: loaderImage(leonardo) }], undefined)).toMatchObject({
    name: 'Caterina (Arduino Leonardo)',
    confidence: 'certain',
    evidence: ['USB descriptor 2341:0036 bcdDevice 0.01 at 0x70ac', '"CATERIN" at 0x70c0'],
  })
})

test('of a sketch that shows itself as something else nothing is said', () => {
  const sketch = practiceSketch(4800, 1)
  const bytes = concat(sketch, blank(0x7000 - sketch.length), loaderImage(leonardo))
  expect(recognise([{ address: 0, bytes }], 'ATmega32U4')).toBeUndefined()
  expect(recognise([], undefined)).toBeUndefined()
})
