import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromHex } from '#core/bytes.ts'
import { textOf } from '#transport/usb-descriptors.ts'
import { findDfuInterface } from './descriptors.ts'

/** Of an Uno's 16U2, as its published firmware answered: one setting, 3 KiB a block. */
const uno = fromHex('09 02 1b 00 01 01 00 80 32  09 04 00 00 00 fe 01 02 00  09 21 03 00 00 00 0c 00 01')

test('the functional descriptor and all settings are found', () => {
  expect(findDfuInterface(uno)).toEqual({
    number: 0,
    alternates: [{ setting: 0, protocol: 2, name: 0 }],
    functional: {
      ...{ canDownload: true, canUpload: true, isManifestationTolerant: false, willDetach: false },
      ...{ detachTimeoutMs: 0, transferBytes: 0x0c00, version: 0x0100 },
    },
  })
})

test('DFU 1.0 ends before the version, and Atmel\u2019s loaders have no functional descriptor', () => {
  const short = Uint8Array.from([...uno.subarray(0, 18), 7, 0x21, 3, 0, 0, 0, 0x0c])
  expect(findDfuInterface(short)?.functional).toMatchObject({ version: 0x0100, transferBytes: 0x0c00 })
  expect(findDfuInterface(uno.subarray(0, 18))?.functional).toBeUndefined()
})

test('lengths that are none end the walk, and another class is no DFU', () => {
  expect(findDfuInterface(Uint8Array.of(9, 2, 0, 0, 0, 0, 0, 0, 0, 0, 4))).toBeUndefined()
  expect(findDfuInterface(Uint8Array.of(9, 4, 0, 0, 0, 3, 1, 2, 0))).toBeUndefined()
  expect(findDfuInterface(Uint8Array.of(200, 4, 0))).toBeUndefined()
})

test('a text is what came of it, whatever its length says', () => {
  expect(textOf(Uint8Array.of(6, 3, 0x41, 0, 0x42, 0))).toBe('AB')
  expect(textOf(Uint8Array.of(20, 3, 0x41, 0, 0x42))).toBe('A')
  expect(textOf(Uint8Array.of(4, 3, 0x41, 0, 0x42, 0))).toBe('A')
  expect(textOf(new Uint8Array())).toBe('')
})

test('whatever a device says of itself, the walk ends, and what it finds is in what was said', () => {
  const mutated = fc
    .array(fc.tuple(fc.nat(uno.length - 1), fc.nat(255)), { maxLength: 6 })
    .map((changes) => changes.reduce((bytes, [at, byte]) => bytes.with(at, byte), uno))
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      const found = findDfuInterface(bytes)
      if (!found) return
      expect(found.alternates.length).toBeGreaterThan(0)
      expect(found.alternates.length).toBeLessThanOrEqual(bytes.length / 9)
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(textOf(bytes).length).toBeLessThanOrEqual(bytes.length / 2)
    }),
  )
})
