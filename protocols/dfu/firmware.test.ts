import { expect, test } from 'vitest'
import { blank, ByteWriter } from '#core/bytes.ts'
import { practiceProgram } from '#chips/cortex-m-program.ts'
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

/** A program with this device descriptor and these texts. */
function adapter(vendorId: number, productId: number, bcdDevice: number, texts: readonly string[]) {
  const program = practiceProgram(0x0800_0000, 4096)
  const descriptor = new ByteWriter()
    .bytes([18, 1, 0x00, 0x02, 0, 0, 0, 64])
    .u16le(vendorId)
    .u16le(productId)
    .u16le(bcdDevice)
    .bytes([1, 2, 3, 1])
    .done()
  program.set(descriptor, 0x400)
  program.set(new TextEncoder().encode(`\0${texts.join('\0')}\0`), 0x500)
  return recognise([{ address: 0x0800_0000, bytes: program }], undefined)
}

test('adapters are known by their USB id and a name that goes with it, with where they are published', () => {
  const texts = [
    'fw_a12f70a_2023-01-14',
    'budgetcan',
    'budgetcan gs_usb',
    'budgetcan firmware upgrade interface',
  ]
  expect(adapter(0x1d50, 0x606f, 0, texts)).toMatchObject({
    ...{ family: 'dfu', name: 'candleLight', version: 'a12f70a_2023-01-14' },
    homes: ['https://github.com/candle-usb/candleLight_fw/releases'],
  })
  expect(adapter(0x1209, 0xc0ca, 0x0110, ['DirtyJTAG', 'Jean THOMAS'])).toMatchObject({
    ...{ name: 'DirtyJTAG', version: '1.10' },
  })
  expect(adapter(0x1209, 0xc0ca, 0x0110, ['another'])).toBeUndefined()
  expect(adapter(0x1209, 0xc0cb, 0x0110, ['DirtyJTAG'])).toBeUndefined()
})

test('the same id with another maker, and another id of the same maker, are left to others', () => {
  const stranger = practiceUsbSerial(uno, 3900)
  const at = new TextDecoder('latin1').decode(stranger).indexOf('R\0e\0f\0l\0')
  stranger.fill(0x41, at, at + 1)
  expect(recognise([{ address: 0, bytes: stranger }], 'ATmega16U2')).toBeUndefined()
  const other = practiceUsbSerial({ vendorId: 0x2341, productId: 0x8036 }, 3900)
  expect(recognise([{ address: 0, bytes: other }], 'ATmega16U2')).toBeUndefined()
})
