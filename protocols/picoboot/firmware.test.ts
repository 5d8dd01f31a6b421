import { expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import { flashAddress } from '#chips/rp2-chips.ts'
import recognise from './firmware.ts'
import { Play, practiceProgram } from './images.ts'
import images from './practice-firmware.ts'

/** In a flash that is longer. */
const inFlash = (bytes: Uint8Array) => {
  const whole = blank(256 * 1024)
  whole.set(bytes)
  return [{ address: flashAddress, bytes: whole }]
}
const probe = (version: number) =>
  practiceProgram({ chip: 'RP2040', plays: Play.probe, version, length: 20_000 })
/** The same without the words that say that it is none. */
const unmarked = (version: number) => {
  const bytes = probe(version)
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0x52) bytes[i] = 0x72
  return bytes
}

test('a debugprobe is known by its descriptor and its product name, and how it will appear', () => {
  expect(recognise(inFlash(probe(0x0231)), 'RP2040')).toEqual({
    family: 'picoboot',
    name: 'debugprobe (practice image)',
    version: '2.3.1',
    confidence: 'certain',
    evidence: [
      'USB descriptor 2e8a:000c bcdDevice 2.31 at 0x1000_0200',
      '"Debugprobe on Pico (CMSIS-DAP)" at 0x1000_022d',
    ],
    appears: {
      ...{ link: 'usb', vendorId: 0x2e8a, productId: 0x000c },
      says: [
        { name: 'firmware-version', value: '2.3.1' },
        { name: 'product', value: 'Debugprobe on Pico (CMSIS-DAP)' },
      ],
    },
    chips: ['RP2040'],
  })
})

test.each([
  [0x0103, 'picoprobe', '1.0.3'],
  [0x0201, 'debugprobe', '2.0.1'],
  [0x0223, 'debugprobe', '2.2.3'],
  [0x0100, 'picoprobe', undefined],
])('bcdDevice %i is %s %s', (version, name, expected) => {
  const found = recognise(inFlash(unmarked(version)), 'RP2040')
  expect([found?.name, found?.version]).toEqual([name, expected])
})

test('other programs are not known', () => {
  const program = practiceProgram({ chip: 'RP2040', plays: Play.stdio, version: 0x0100, length: 20_000 })
  expect(recognise(inFlash(program), 'RP2040')).toBeUndefined()
  expect(recognise([{ address: flashAddress, bytes: blank(4096) }], 'RP2040')).toBeUndefined()
  expect(recognise([{ address: 0x0800_0000, bytes: probe(0x0231) }], undefined)).toBeUndefined()
})

test('each practice image is one of this family, or a program', () => {
  expect(images.map((image) => recognise(image.build(), image.chip)?.version)).toEqual([
    ...['2.3.1', '2.2.3', undefined, undefined],
  ])
})
