import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { blank } from '#core/bytes.ts'
import { catalogue } from './catalogue.ts'
import images from './published.json'
import { findPublished, publishedAs } from './published.ts'

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

test('one is found in a dump of a chip that is blank behind it, and not behind other bytes', async () => {
  const image = Uint8Array.of(1, 2, 0xff, 3)
  const among = { [createHash('sha256').update(image).digest('hex')]: ['USBasp', '1.4', 'ATmega8'] }
  const dump = blank(64)
  dump.set(image)
  expect(await findPublished([{ address: 0, bytes: dump }], among)).toMatchObject({ name: 'USBasp' })
  dump[63] = 0
  expect(await findPublished([{ address: 0, bytes: dump }], among)).toBeUndefined()
})
