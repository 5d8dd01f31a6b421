import { expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import { practiceUsbSerial } from './images.ts'
import recognise from './firmware.ts'

const uno = { vendorId: 0x2341, productId: 0x0043 }

test("the firmware of an Uno R3's USB chip says what it will appear as, in a file and in a dump with its loader", () => {
  const image = practiceUsbSerial(uno, 3900, 2)
  const dump = blank(16_384)
  dump.set(image)
  dump.set(practiceUsbSerial({ vendorId: 0x03eb, productId: 0x2fef }, 2048), 0x3000)
  for (const bytes of [image, dump])
    expect(recognise([{ address: 0, bytes }], 'ATmega16U2')).toMatchObject({
      family: 'dfu',
      name: 'Arduino Uno R3 USB serial practice image',
      version: '0.02',
      appears: { link: 'serial', ...uno, says: [{ name: 'usb-id', value: '2341:0043' }] },
    })
  expect(recognise([{ address: 0, bytes: image }], undefined)?.chips).toContain('ATmega16U2')
})

test('the same id with another maker, and another id of the same maker, are left to others', () => {
  const stranger = practiceUsbSerial(uno, 3900)
  const at = new TextDecoder('latin1').decode(stranger).indexOf('R\0e\0f\0l\0')
  stranger.fill(0x41, at, at + 1)
  expect(recognise([{ address: 0, bytes: stranger }], 'ATmega16U2')).toBeUndefined()
  const other = practiceUsbSerial({ vendorId: 0x2341, productId: 0x8036 }, 3900)
  expect(recognise([{ address: 0, bytes: other }], 'ATmega16U2')).toBeUndefined()
})
