import { expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import recognise from './firmware.ts'

const [loaderKey, interfaceKey] = [0x9b93_9d93, 0x9b93_9e8f]

function flashWith(
  ...parts: readonly (readonly [at: number, key: number, hicId: number, version: number])[]
) {
  const bytes = blank(128 * 1024)
  const view = new DataView(bytes.buffer)
  for (const [at, ...words] of parts)
    for (const [i, word] of words.entries()) view.setUint32(at + 0x20 + i * 4, word, true)
  return [{ address: 0x0800_0000, bytes }]
}

test('a whole DAPLink is its interface firmware, with the version that its drive shows', () => {
  const flash = flashWith([0, loaderKey, 0x9796_9908, 244], [0xc000, interfaceKey, 0x9796_9908, 257])
  expect(recognise(flash, undefined)).toMatchObject({
    ...{ family: 'cmsis-dap', name: 'DAPLink', version: '0257' },
    chips: ['STM32F103xB', 'STM32F10x medium-density'],
    appears: { link: 'usb', vendorId: 0x0d28, productId: 0x0204 },
    evidence: ['build key 0x9b93_9e8f, HIC id 0x9796_9908 at 0x0800_c020'],
  })
})

test('a boot loader alone is that, and appears as nothing that could prove it', () => {
  const known = recognise(flashWith([0, loaderKey, 0x6e05_2820, 257]), undefined)
  expect(known).toMatchObject({ name: 'DAPLink boot loader', version: '0257', chips: ['nRF52820'] })
  expect(known?.appears).toBeUndefined()
})

test('anything else is none', () => {
  expect(recognise(flashWith(), undefined)).toBeUndefined()
  expect(recognise(flashWith([0x10, interfaceKey, 0x9796_9908, 257]), undefined)).toBeUndefined()
})
