import { expect, test } from 'vitest'
import { dfuseKind, sizesText } from './flash-sectors.ts'
import { findStm32Part, flashStart, sectorsOf } from './stm32-parts.ts'

const sectors = (id: number, kib: number) => {
  const part = findStm32Part(id)
  if (!part) throw new Error('no such part')
  return sectorsOf(part, kib)
}

test.each([
  [0x410, 64, '64×1 KiB'],
  [0x448, 128, '64×2 KiB'],
  [0x413, 1024, '4×16 + 1×64 + 7×128 KiB'],
  [0x423, 256, '4×16 + 1×64 + 1×128 KiB'],
  [0x449, 1024, '4×32 + 1×128 + 3×256 KiB'],
])('id %i with %i KiB has sectors that cover it: %s', (id, kib, sizes) => {
  const all = sectors(id, kib)
  expect(sizesText(all)).toBe(sizes)
  const last = all.at(-1)
  expect((last?.address ?? 0) + (last?.length ?? 0)).toBe(flashStart + kib * 1024)
})

test('chips whose pages are not known for sure have none', () => {
  for (const id of [0x419, 0x415, 0x450, 0x417]) expect(sectors(id, 1024)).toEqual([])
})

test('a chip is what DfuSe calls it', () => {
  expect(dfuseKind('cortex-m', '0483:df11', sectors(0x448, 128))).toBe('cortex-m:dfu:0483:df11:64×2 KiB')
})
