import { expect, test } from 'vitest'
import { catalogue } from './catalogue.ts'
import images from './published.json'
import { publishedAs } from './published.ts'

test('every published image has a hash, a name, a version and a chip, and none is in the catalogue too', async () => {
  const offered = new Set((await catalogue()).map(({ imageSha256 }) => imageSha256))
  expect(Object.keys(images).length).toBeGreaterThan(600)
  for (const [hash, said] of Object.entries(images)) {
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    expect(said.filter((one) => one !== '')).toHaveLength(3)
    expect(offered.has(hash), hash).toBe(false)
  }
})

test('one is found by its hash and by nothing else', async () => {
  const [hash, [name]] = Object.entries(images)[0] as [string, string[]]
  expect((await publishedAs(hash))?.name).toBe(name)
  expect(await publishedAs(hash.toUpperCase())).toBeUndefined()
  expect(await publishedAs('constructor')).toBeUndefined()
})
