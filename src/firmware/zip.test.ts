import { zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { mostFileBytes } from './file-format.ts'
import { readImage } from './formats.ts'
import { formatIntelHex } from './intel-hex.ts'
import { bytesOf, refused, segment, survivesReading } from './test-images.ts'
import { formatUf2 } from './uf2.format.ts'

const image = [segment(0x100, 1, 2, 3)]
const hexText = formatIntelHex(image)
const read = (bytes: Uint8Array, part?: string) =>
  readImage(bytes, 'a.zip', part === undefined ? {} : { part })
const notes = {
  'README.md': bytesOf('# Firmware\n'),
  LICENSE: bytesOf('MIT'),
  'a.hex.sha256': bytesOf(`${'0'.repeat(64)}  a.hex\n`),
  '__MACOSX/._a.hex': bytesOf('\0\x05\x16\x07\0\x02\0\0'),
  'setup.exe': bytesOf('MZ' + '\0'.repeat(58) + '\x40\0\0\0PE\0\0'),
  'logo.png': Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0xff),
}
const file = zipSync({ ...notes, 'build/a.hex': hexText })

describe('reading ZIP', () => {
  it('takes the one firmware in it without a question, by its content', async () => {
    expect(await read(file)).toMatchObject({
      format: 'Intel HEX',
      wrappers: ['ZIP'],
      segments: image,
      warnings: [],
    })
    expect((await read(zipSync({ a: hexText }, { level: 0 }))).segments).toEqual(image)
  })

  it('takes what nothing is known of only where nothing else can be meant', async () => {
    const unknown = Uint8Array.of(0xff, 1, 2)
    expect(await read(zipSync({ README: notes.LICENSE, firmware: unknown }))).toMatchObject({
      format: 'binary',
      segments: [{ address: 0, bytes: unknown }],
    })
    expect(await refused(read(zipSync({ README: notes.LICENSE })))).toMatchObject({ found: 'text' })
  })

  it('says that a file is damaged only to whom it matters', async () => {
    const damaged = (zip: Uint8Array, text: string) => {
      const at = Buffer.from(zip).indexOf(text)
      return zip.with(at, 0x7e)
    }
    const good = { 'notes.md': bytesOf('# Firmware'), 'a.hex': hexText }
    expect(await read(damaged(zipSync(good, { level: 0 }), '# Firm'))).toMatchObject({ segments: image })
    const other = formatIntelHex([segment(0x200, 7)])
    const two = damaged(zipSync({ 'a.hex': hexText, 'b.hex': other }, { level: 0 }), ':01020000')
    expect((await refused(read(two))).parts?.map(({ name }) => name)).toEqual(['a.hex', 'b.hex'])
    expect(await refused(read(two, '1'))).toMatchObject({ why: 'bad-compression' })
    expect(await read(two, '0')).toMatchObject({ segments: image })
  })

  it('asks which of several is meant, and which part of that', async () => {
    const both = new Uint8Array([
      ...formatUf2([segment(0x1000_0000, 4)], { family: 0xe48bff56 }),
      ...formatUf2([segment(0x1000_0000, 5)], { family: 0xe48bff59 }),
    ])
    const several = zipSync({ ...notes, 'a.hex': hexText, 'both.uf2': both })
    const question = await refused(read(several))
    expect(question).toMatchObject({ format: 'ZIP', why: 'several-parts' })
    expect(question.parts?.map(({ name }) => name)).toEqual(['a.hex', 'both.uf2'])
    const [hex, uf2] = question.parts?.map(({ id }) => id) ?? []
    expect(await read(several, hex)).toMatchObject({
      file: 'a.hex',
      segments: image,
      warnings: [{ code: 'parts-left-out' }],
    })

    const next = await refused(read(several, uf2))
    expect(next).toMatchObject({ format: 'UF2', why: 'several-parts' })
    expect(next.parts?.map(({ name }) => name)).toEqual(['RP2040', 'RP2350-ARM-S'])
    const chosen = await read(several, next.parts?.[1]?.id)
    expect(chosen.claims.chip).toBe('RP2350-ARM-S')
    expect(chosen.segments[0]?.bytes[0]).toBe(5)
    expect(chosen.warnings.map(({ code }) => code)).toEqual(['parts-left-out'])

    const only = zipSync({ ...notes, 'both.uf2': both })
    const part = (await refused(read(only))).parts?.[0]?.id
    expect((await read(only, part)).claims.chip).toBe('RP2040')
    expect(await refused(read(several, '77'))).toMatchObject({ why: 'no-such-part', expected: '77' })
  })

  it('refuses a bomb as soon as it is too large, whatever size it tells', async () => {
    const bomb = zipSync({ 'a.bin': new Uint8Array(mostFileBytes + 1) })
    expect(bomb.length).toBeLessThan(100_000)
    expect(await refused(read(bomb))).toMatchObject({ format: 'ZIP', why: 'too-large' })
    const lying = Uint8Array.from(bomb)
    const view = new DataView(lying.buffer)
    const directory = view.getUint32(lying.length - 6, true)
    for (const at of [22, directory + 24]) view.setUint32(at, 10, true)
    expect((await refused(read(lying))).why).toMatch(/too-large|bad-compression/)
  }, 30_000)

  it('refuses files without number', async () => {
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`${i}.txt`, notes.LICENSE]))
    expect(await refused(read(zipSync(many)))).toMatchObject({
      why: 'bad-structure',
      found: 'over 1000 files',
    })
    const parts = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${i}.hex`, hexText]))
    expect(await refused(read(zipSync(parts)))).toMatchObject({
      why: 'bad-structure',
      found: 'over 256 parts',
    })
  }, 30_000)

  it('refuses what is locked, damaged or empty', async () => {
    const locked = Uint8Array.from(zipSync({ 'a.hex': hexText }))
    const directory = new DataView(locked.buffer).getUint32(locked.length - 6, true)
    for (const at of [6, directory + 8]) locked[at] = 1
    expect(await refused(read(locked))).toMatchObject({ format: 'ZIP', why: 'encrypted' })
    const stored = zipSync({ 'a.hex': hexText }, { level: 0 })
    expect(await refused(read(stored.with(40, 0x39)))).toMatchObject({ why: 'bad-compression' })
    const cut = file.subarray(0, -30)
    expect(await refused(read(cut))).toMatchObject({ why: 'truncated', offset: cut.length })
    const entry = Buffer.from(file).indexOf('PK\x01\x02')
    expect(await refused(read(file.with(entry, 0)))).toMatchObject({ why: 'bad-structure' })
    expect(await refused(read(zipSync({})))).toMatchObject({ why: 'no-bytes' })
    const onlyNotes = zipSync({ 'README.md': notes.LICENSE, LICENSE: notes.LICENSE })
    expect(await refused(read(onlyNotes))).toMatchObject({ format: 'ZIP', why: 'no-firmware-inside' })
  })

  it('gives nothing but `bad-file` for anything else', () => survivesReading(read, [file], 300))
})
