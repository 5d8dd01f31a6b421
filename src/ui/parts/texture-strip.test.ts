import { describe, expect, test } from 'vitest'
import type { TextureCell, TextureKind } from '#inspector/texture.ts'
import { countKinds, grouped } from './texture-strip.ts'

const cell = (index: number, kind: TextureKind, entropy = 4, length = 256): TextureCell => ({
  ...{ address: index * 256, last: index * 256 + length - 1, length, kind, entropy, blankBytes: index },
  ...(kind === 'code' && { code: 'AVR' as const }),
})

describe('bars where there is less room', () => {
  const cells = [
    cell(0, 'code', 6),
    cell(1, 'code', 4),
    cell(2, 'blank', 0),
    cell(3, 'random', 8),
    cell(4, 'text'),
  ]

  test('stay as they are where there is enough', () => {
    expect(grouped(cells, 5)).toEqual(cells)
    expect(grouped([], 0)).toEqual([])
  })

  test('are joined from neighbours, from the first byte to the last', () => {
    expect(grouped(cells, 3)).toEqual([
      { ...cell(0, 'code', 5, 512), blankBytes: 1 },
      { ...cell(2, 'random', 4, 512), blankBytes: 5 },
      cell(4, 'text'),
    ])
  })

  test('are what most of their bytes are', () => {
    const mixed = [cell(0, 'blank', 0), cell(1, 'code'), cell(2, 'code'), cell(3, 'random')]
    expect(grouped(mixed, 1)).toMatchObject([{ kind: 'code', code: 'AVR', length: 1024 }])
  })
})

test('kinds are counted in one order', () => {
  expect(countKinds([cell(0, 'text'), cell(1, 'blank'), cell(2, 'text')])).toEqual([
    ['blank', 1],
    ['text', 2],
  ])
})
