import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFlashError } from '#core/errors.ts'
import { fileOf, formatFirmwareLink, parseFirmwareLink, type FirmwareLink } from './link.ts'

const sha256 = 'c7'.repeat(32)
const required = `size=100&sha256=${sha256}`

function refusal(hash: string) {
  try {
    parseFirmwareLink(hash)
  } catch (error) {
    if (isFlashError(error, 'bad-link')) return `${error.detail.field}: ${error.detail.why}`
    throw error
  }
  return 'accepted'
}

const usbasp: FirmwareLink = {
  device: 'usbasp',
  patient: 'itself',
  chip: 'ATmega8',
  name: 'usbasp.atmega8.2011-05-28.hex',
  version: '1.4 & more',
  format: 'intel-hex',
  size: 13_022,
  sha256,
  urls: ['https://raw.githubusercontent.com/a/b/c/d%20e.hex?x=1', 'http://localhost:8080/a.hex'],
}

describe('a firmware link', () => {
  it('is written in one order, readable, and read back as it was', () => {
    const hash = formatFirmwareLink(usbasp)
    expect(hash).toBe(
      '#/flash?device=usbasp&patient=itself&chip=ATmega8&name=usbasp.atmega8.2011-05-28.hex' +
        `&version=1.4%20%26%20more&format=intel-hex&size=13022&sha256=${sha256}` +
        '&url=https://raw.githubusercontent.com/a/b/c/d%2520e.hex?x=1&url=http://localhost:8080/a.hex',
    )
    expect(parseFirmwareLink(hash)).toEqual(usbasp)
  })

  it('needs no more than size and hash', () => {
    expect(parseFirmwareLink(`#/flash?${required}`)).toEqual({ size: 100, sha256, urls: [] })
  })

  it('reads a hash in upper case and a base in either notation', () => {
    const link = parseFirmwareLink(
      `#/flash?size=1&sha256=${sha256.toUpperCase()}&format=binary&base=0x0800ABCD`,
    )
    expect(link).toMatchObject({ sha256, base: 0x0800_abcd })
    expect(parseFirmwareLink(`#/flash?${required}&format=binary&base=2048`).base).toBe(2048)
  })

  it('takes the same names of a host for the same, so that none can be imitated', () => {
    const { urls } = parseFirmwareLink(
      `#/flash?${required}&url=${encodeURIComponent('https://gіthub.com/x.hex')}`,
    )
    expect(urls).toEqual(['https://xn--gthub-n2e.com/x.hex']) // the i was Cyrillic
  })

  it('says how its file is to be read', () => {
    expect(fileOf(usbasp)).toEqual({ name: 'usbasp.atmega8.2011-05-28.hex' })
    const bare = parseFirmwareLink(`#/flash?${required}&format=binary&base=16&url=https://a.org/b/fw?x=y`)
    expect(fileOf(bare)).toEqual({ name: 'fw.bin', base: 16 })
    expect(fileOf(parseFirmwareLink(`#/flash?${required}`))).toEqual({ name: 'firmware' })
  })
})

describe('a hostile or damaged link', () => {
  const url = (text: string) => `${required}&url=${encodeURIComponent(text)}`
  const cases: Record<string, [query: string, expected: string]> = {
    'javascript:': [url('javascript:alert(1)'), 'url: not-https'],
    'data:': [url('data:text/plain,:00000001FF'), 'url: not-https'],
    'file:': [url('file:///etc/passwd'), 'url: not-https'],
    'blob:': [url('blob:https://a.org/1'), 'url: not-https'],
    'plain http elsewhere': [url('http://a.org/x.hex'), 'url: not-https'],
    'http to a host that only begins like this one': [url('http://localhost.a.org/'), 'url: not-https'],
    'a password in a URL': [url('https://me:secret@a.org/x.hex'), 'url: credentials'],
    'a relative URL': [url('/x.hex'), 'url: not-a-url'],
    'no URL at all': [url('https://'), 'url: not-a-url'],
    'an empty URL': [`${required}&url=`, 'url: empty'],
    'nine URLs': [required + '&url=https://a.org/'.repeat(9), 'url: too-many'],
    'one bad URL among good ones': [`${required}&url=https://a.org/&url=ftp://a.org/`, 'url: not-https'],
    'a huge size': [`size=99999999999&sha256=${sha256}`, 'size: too-large'],
    'a size of nothing': [`size=0&sha256=${sha256}`, 'size: not-a-number'],
    'a size that is no number': [`size=1e3&sha256=${sha256}`, 'size: not-a-number'],
    'no size': [`sha256=${sha256}`, 'size: missing'],
    'no hash': ['size=1', 'sha256: missing'],
    'a short hash': [`size=1&sha256=${sha256.slice(1)}`, 'sha256: not-a-hash'],
    'a hash with another letter': [`size=1&sha256=${sha256.replace('c', 'g')}`, 'sha256: not-a-hash'],
    'a field given twice': [`${required}&size=101`, 'size: given-twice'],
    'an unknown field': [`${required}&evil=1`, 'evil: unknown-field'],
    'a field of the language': [`${required}&__proto__=1`, 'link: unknown-field'],
    nothing: ['', 'link: unknown-field'],
    'a wrong percent sign': [`${required}&name=100%`, 'name: bad-encoding'],
    'bytes that are no UTF-8': [`${required}&name=%ff`, 'name: bad-encoding'],
    'a name that turns the direction of text': [
      `${required}&name=${encodeURIComponent('\u202egpj.exe')}`,
      'name: hidden-characters',
    ],
    'a control character in a version': [`${required}&version=1%00`, 'version: hidden-characters'],
    'a line break in a name': [`${required}&name=a%0ab`, 'name: hidden-characters'],
    'a line break in a URL': [url('https://a.org/\nx'), 'url: hidden-characters'],
    'a name of spaces': [`${required}&name=%20%20`, 'name: empty'],
    'an endless name': [`${required}&name=${'a'.repeat(121)}`, 'name: too-long'],
    'a device that is a path': [`${required}&device=../x`, 'device: not-allowed'],
    'a device that nobody knows': [`${required}&device=usbasp2`, 'device: unknown-device'],
    'markup as a chip': [`${required}&chip=<b>`, 'chip: not-allowed'],
    'a patient of no kind': [`${required}&patient=dog`, 'patient: not-allowed'],
    'a format of another kind': [`${required}&format=elf`, 'format: not-allowed'],
    'a base for a file that has addresses': [
      `${required}&format=intel-hex&base=0x10`,
      'base: needs-raw-binary',
    ],
    'a base beyond 32 bits': [`${required}&format=binary&base=4294967296`, 'base: too-large'],
    'two sources': [`${required}&url=https://a.org/&inline=AAAA`, 'inline: two-sources'],
    'an inline image that says it is large': [`size=16385&sha256=${sha256}&inline=AAAA`, 'size: too-large'],
    'an inline image of other characters': [`${required}&inline=a+b`, 'inline: not-allowed'],
    'an endless inline image': [`${required}&inline=${'A'.repeat(25_000)}`, 'inline: too-long'],
    endless: [`${required}&name=${'a'.repeat(40_000)}`, 'link: too-long'],
  }
  for (const [name, [query, expected]] of Object.entries(cases))
    it(`is refused: ${name}`, () => {
      expect(refusal(`#/flash?${query}`)).toBe(expected)
    })

  it('is refused when it is another route', () => {
    for (const hash of ['', '#', '#/', '#/flash', `#/other?${required}`, `?${required}`])
      expect(refusal(hash)).toBe('link: not-a-firmware-link')
  })

  it('cannot be written either', () => {
    const wrong: Partial<FirmwareLink>[] = [
      { name: '\u202e' },
      { name: '\ud800' },
      { size: 1.5 },
      { base: -1 },
      { urls: ['javascript:1'] },
    ]
    for (const change of wrong)
      expect(() => formatFirmwareLink({ ...usbasp, ...change })).toThrow(
        expect.objectContaining({ code: 'bad-link' }),
      )
  })
})

const text = (most: number) =>
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: most / 4 }).filter((value) => {
    return value === value.trim() && value.length <= most && !/[\p{C}\p{Zl}\p{Zp}]/u.test(value)
  })
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const links: fc.Arbitrary<FirmwareLink> = fc
  .record({
    device: maybe(fc.constantFrom('usbasp', 'stk500', 'usbtiny')),
    patient: maybe(fc.constantFrom('itself', 'target')),
    chip: maybe(fc.stringMatching(/^[A-Za-z0-9][\w./-]{0,39}$/)),
    name: maybe(text(120)),
    version: maybe(text(60)),
    raw: maybe(maybe(fc.nat(0xffff_ffff))),
    size: fc.integer({ min: 1, max: 16_384 }),
    sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
    urls: fc.array(fc.webUrl({ validSchemes: ['https'], withQueryParameters: true }), { maxLength: 8 }),
    inline: maybe(fc.stringMatching(/^[\w-]{1,100}$/)),
  })
  .map(({ raw, urls, inline, ...rest }) => ({
    ...rest,
    format: raw === undefined ? ('intel-hex' as const) : ('binary' as const),
    base: raw,
    urls: inline === undefined ? urls.map((url) => new URL(url).href) : [],
    inline,
  }))

describe('any link', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(links, (link) => {
        expect(parseFirmwareLink(formatFirmwareLink(link))).toEqual(link)
      }),
    )
  })

  it('that was damaged is read or refused, and never gives anything that cannot be written', () => {
    const damage = fc.array(
      fc.tuple(fc.nat(), fc.constantFrom('', '%', '&', '=', 'url=', '%00', 'x', '\u202e', '%zz')),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    fc.assert(
      fc.property(links, damage, (link, cuts) => {
        let hash = formatFirmwareLink(link)
        for (const [place, put] of cuts) {
          const at = place % (hash.length + 1)
          hash = hash.slice(0, at) + put + hash.slice(at + 1)
        }
        if (refusal(hash) !== 'accepted') return
        const read = parseFirmwareLink(hash)
        expect(parseFirmwareLink(formatFirmwareLink(read))).toEqual(read)
      }),
      { numRuns: 1000 },
    )
  })

  it('of any text gives `bad-link` or a link', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (noise) => {
        refusal(noise)
        refusal(`#/flash?${noise}`)
        refusal(`#/flash?${required}&${noise}`)
      }),
    )
  })
})
