import { expect, test } from 'vitest'
import { practiceImages } from '#bench/practice-images.ts'
import { recogniseImage } from './choose.ts'

test('firmware is recognised in a file of the size of a chip, and not looked for in a huge one', async () => {
  const [image] = await practiceImages('usbasp')
  const segments = image?.build() ?? []
  expect((await recogniseImage(segments))?.family).toBe('usbasp')
  const rest = { address: 0x8000, bytes: new Uint8Array(2 << 20) }
  expect(await recogniseImage([...segments, rest])).toBeUndefined()
})
