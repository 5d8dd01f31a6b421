import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { blank } from '#core/bytes.ts'
import { catalogue, findFile, findImage, imagesFor } from './catalogue.ts'
import { catalogueFile } from './schema.ts'

describe('the catalogue', () => {
  it('has every image once and every file once', async () => {
    const entries = await catalogue()
    const files = entries.flatMap((entry) => [entry, ...(entry.others ?? [])])
    expect(entries.length).toBeGreaterThan(20)
    expect(new Set(entries.map(({ imageSha256 }) => imageSha256)).size).toBe(entries.length)
    expect(new Set(files.map(({ sha256 }) => sha256)).size).toBe(files.length)
  })

  it('says why an image is not simply offered', async () => {
    for (const { offer, reason, name } of await catalogue())
      expect(offer === 'yes' || reason, name).toBeTruthy()
  })

  it('finds what runs on a chip, newest first', async () => {
    const names = (await imagesFor('usbasp', 'ATmega88P')).map(({ version }) => version)
    expect(names.slice(0, 2)).toEqual(['1.11-pre', '1.10'])
    expect(names.at(-1)).toBe('1.04')
    expect((await imagesFor('usbasp', 'ATmega48')).map(({ version }) => version)).toEqual(['1.03', '1.02'])
    expect(await imagesFor('usbasp', 'ATmega2560')).toEqual([])
    expect(await imagesFor('nobody', 'ATmega8')).toEqual([])
  })

  it('finds what runs on a chip that nothing is known of: the newest of each family first', async () => {
    const all = await imagesFor(undefined, 'ATmega8')
    expect(new Set(all.slice(0, 2).map(({ family }) => family))).toEqual(new Set(['usbasp', 'stk500']))
    expect(all.length).toBe(
      (await imagesFor('usbasp', 'ATmega8')).length + (await imagesFor('stk500', 'ATmega8')).length,
    )
    expect(await imagesFor(undefined, 'ATtiny85')).toEqual([])
  })

  it('finds a published file by its hash, whatever its line ends', async () => {
    const published = (await imagesFor('usbasp', 'ATmega8')).find(({ name }) => name.includes('2011-05-28'))
    const [twin] = published?.others ?? []
    expect(published).toMatchObject({ family: 'usbasp', version: '1.04', chip: 'ATmega8' })
    expect(await findFile(published?.sha256 ?? '')).toBe(published)
    expect(await findFile(twin?.sha256 ?? '')).toBe(published)
    expect(await findFile('0'.repeat(64))).toBeUndefined()
  })
})

describe('an image in a flash', () => {
  // Real images may not be kept here, so the catalogue of these tests knows one that is made up.
  const image = Uint8Array.from({ length: 3748 }, (_, i) => i % 251)
  const flash = blank(8192)
  flash.set(image)
  const find = async (bytes: Uint8Array) => {
    const imageSha256 = createHash('sha256').update(image).digest('hex')
    const real = await catalogue()
    const madeUp = real.slice(0, 1).map((entry) => ({ ...entry, imageSha256, imageBytes: image.length }))
    return findImage([{ address: 0, bytes }], [...real, ...madeUp])
  }

  it('is found as it is in a file', async () => {
    expect((await find(image))?.imageBytes).toBe(3748)
  })
  it('is found when the flash is blank behind it', async () => {
    expect((await find(flash))?.imageBytes).toBe(3748)
  })
  it('is not found when something stands behind it, or a byte differs', async () => {
    expect(await find(flash.with(5000, 0))).toBeUndefined()
    expect(await find(flash.with(100, 0))).toBeUndefined()
  })
  it('is not found in a blank flash or in nothing', async () => {
    expect(await find(blank(8192))).toBeUndefined()
    expect(await findImage([])).toBeUndefined()
  })
})

describe('the schema', () => {
  const good = {
    name: 'x',
    version: '1.04',
    bcdDevice: '1.04',
    chip: 'ATmega8',
    sizeBytes: 1,
    sha256: 'a'.repeat(64),
    urls: [`https://raw.githubusercontent.com/a/b/${'0'.repeat(40)}/c.hex`],
    imageSha256: 'b'.repeat(64),
    imageBytes: 1,
    licence: 'GPL-2.0',
    offer: 'yes',
  }
  it('takes a plain entry', () => {
    expect(catalogueFile.safeParse([good]).success).toBe(true)
  })
  it.each([
    { urls: ['http://raw.githubusercontent.com/a/b/main/c.hex'] },
    { urls: ['javascript:alert(1)'] },
    { urls: [] },
    { sha256: 'A'.repeat(64) },
    { sizeBytes: 0 },
    { offer: 'perhaps' },
    { bcdDevice: '0104' },
  ])('refuses %o', (change) => {
    expect(catalogueFile.safeParse([{ ...good, ...change }]).success).toBe(false)
  })
})
