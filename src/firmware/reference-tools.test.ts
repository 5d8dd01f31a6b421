/**
 * Our formats against the tools of the field: binutils (objcopy, ld), SRecord (srec_cat), dfu-util (dfu-suffix,
 * dfu-prefix), gzip, zip, tar, md5sum and Android's img2simg, which `npm test` installs. Some images have
 * hundreds of segments; with most of them, thousands of files go through the tools.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { equal } from '#core/bytes.ts'
import type { Segment } from '#core/programmer.ts'
import { parseAndroidSparse } from './android-sparse.format.ts'
import { withDfuSuffix } from './dfu-suffix.ts'
import { formatDfuSe } from './dfuse.format.ts'
import { parseElf } from './elf.format.ts'
import { readImage } from './formats.ts'
import { flatten, spanOf, totalBytes } from './image.ts'
import { formatIntelHex, parseIntelHex } from './intel-hex.ts'
import { formatSRecord, parseSRecord } from './s-record.ts'
import { parseTiTxt } from './ti-txt.format.ts'
import { imagesUpTo, refused } from './test-images.ts'

const folder = mkdtempSync(join(tmpdir(), 'reflasher-formats-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Runs a tool on files of the folder; `files` are written before it. */
function run(tool: string, args: readonly string[], files: Record<string, Uint8Array | string> = {}): string {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  const { error, status, stdout, stderr } = spawnSync(tool, args, { cwd: folder, encoding: 'utf8' })
  if (error) throw new Error(`${tool} is missing; npm test installs it`, { cause: error })
  if (status !== 0) throw new Error(`${tool} ${args.join(' ')}: ${stderr || stdout}`)
  return stdout + stderr
}
const made = (name: string) => new Uint8Array(readFileSync(join(folder, name)))

/** Up to what an address of 2, 3 and 4 bytes reaches. */
const imagesOf = (mostSegments: number, numRuns: number, scale: number): Segment[][] =>
  [2 ** 16, 2 ** 24, 2 ** 31].flatMap((end) =>
    fc
      .sample(imagesUpTo(end / scale, mostSegments), { numRuns, seed: 1 })
      .map((segments) => segments.filter(({ address, bytes }) => address + bytes.length <= end)),
  )
const large = imagesOf(200, 3, 32)
const images = [...large, ...imagesOf(6, 150, 8)]
const [low, high] = [large[0], large.at(-1)] as [Segment[], Segment[]]
/** A process for each of them takes a while. */
vi.setConfig({ testTimeout: 120_000 })
const entry = 0x1234

it('is given enough', () => {
  expect(images.length).toBeGreaterThan(450)
  expect(images.flat().length).toBeGreaterThan(1500)
})

describe('objcopy', () => {
  it('reads our S-records, of every width, as we wrote them', () => {
    for (const segments of images) {
      const text = formatSRecord(segments, { entry, recordBytes: 32 })
      run('objcopy', ['-I', 'srec', '-O', 'ihex', 'ours.srec', 'theirs.hex'], { 'ours.srec': text })
      const { segments: read, claims } = parseIntelHex(made('theirs.hex'))
      expect(read).toEqual(segments)
      expect(claims).toEqual({ entry })
    }
  })

  it('writes S-records that we read as they were meant', () => {
    for (const segments of images) {
      const text = formatIntelHex(segments, { entry })
      run('objcopy', ['-I', 'ihex', '-O', 'srec', 'ours.hex', 'theirs.srec'], { 'ours.hex': text })
      const { segments: read, claims, warnings } = parseSRecord(made('theirs.srec'))
      expect(read).toEqual(segments)
      expect(claims).toEqual({ entry, name: 'theirs.srec' })
      expect(warnings).toEqual([])
    }
  })
})

describe('srec_cat', () => {
  it('reads our S-records and Intel HEX as we wrote them', () => {
    for (const segments of images) {
      const text = formatSRecord(segments, { entry, name: 'ours' })
      const hex = formatIntelHex(segments)
      const args = ['ours.srec', '-motorola', '-o', 'theirs.hex', '-intel']
      run('srec_cat', args, { 'ours.srec': text })
      expect(parseIntelHex(made('theirs.hex'))).toMatchObject({ segments, claims: { entry } })
      run('srec_cat', ['ours.hex', '-intel', '-o', 'theirs.srec', '-motorola'], { 'ours.hex': hex })
      expect(parseSRecord(made('theirs.srec')).segments).toEqual(segments)
    }
  })

  it('writes S-records of several widths, with and without header and end, that we read as they were meant', () => {
    const wide = [...low, ...high.filter(({ address }) => address >= 2 ** 16)]
    const hex = formatIntelHex(wide, { entry })
    const ways = [
      [],
      ['-address-length=4'],
      ['-address-length=4', '-line-length=200'],
      ['-disable=header'],
      ['-disable=data-count'],
      ['-crlf'],
    ]
    for (const way of ways) {
      const args = ['ours.hex', '-intel', ...way.filter((one) => /disable|crlf/.test(one))]
      const target = ['-o', 'theirs.srec', '-motorola', ...way.filter((one) => !/disable|crlf/.test(one))]
      run('srec_cat', [...args, ...target], { 'ours.hex': hex })
      const { segments, claims, warnings } = parseSRecord(made('theirs.srec'))
      expect(segments, way.join(' ')).toEqual(wide)
      expect(claims.entry).toBe(entry)
      const isMixed = !way.some((one) => one.startsWith('-address'))
      expect(warnings).toEqual(isMixed ? [{ code: 'mixed-addresses' }] : [])
    }
  })

  it('writes TI-TXT that we read as it was meant', () => {
    for (const segments of images) {
      const hex = formatIntelHex(segments)
      run('srec_cat', ['ours.hex', '-intel', '-o', 'theirs.txt', '-ti-txt'], { 'ours.hex': hex })
      expect(parseTiTxt(made('theirs.txt')).segments).toEqual(segments)
    }
  })
})

describe('ld and objcopy', () => {
  it('give an ELF whose parts we find at the same physical addresses', () => {
    const parts = high.slice(0, 40)
    const outputs = parts.map(({ address }, i) => {
      const virtual = 0x8000_0000 + i * 0x1000
      return `.s${i} 0x${virtual.toString(16)} : AT(0x${address.toString(16)}) { KEEP(*(.sec${i + 1})) }`
    })
    const bss = '.bss 0x9000_0000 : { . += 4096; }'.replace('_', '')
    const script = `ENTRY(start) start = 0x${entry.toString(16)}; SECTIONS { ${outputs.join(' ')} ${bss} }`
    run('objcopy', ['-I', 'ihex', '-O', 'elf32-i386', 'ours.hex', 'ours.o'], {
      'ours.hex': formatIntelHex(parts),
    })
    run('ld', ['-m', 'elf_i386', '-N', '-T', 'script.ld', 'ours.o', '-o', 'theirs.elf'], {
      'script.ld': script,
    })
    run('objcopy', ['-O', 'ihex', 'theirs.elf', 'theirs.hex'])
    const { segments, claims } = parseElf(made('theirs.elf'))
    expect(segments).toEqual(parseIntelHex(made('theirs.hex')).segments)
    expect(totalBytes(segments)).toBe(totalBytes(parts))
    expect(spanOf(segments)).toEqual(spanOf(parts))
    expect(claims).toEqual({ machine: 'x86', entry })
  })
})

describe('dfu-suffix and dfu-prefix', () => {
  const usb = { vendorId: 0x0483, productId: 0xdf11, deviceVersion: 0x0102 }
  const [content] = fc.sample(fc.uint8Array({ minLength: 5000, maxLength: 9000 }), { numRuns: 1, seed: 1 })
  const bytes = Uint8Array.from(content ?? [])

  it('add the suffix that we add', async () => {
    run('dfu-suffix', ['-v', '0483', '-p', 'df11', '-d', '0102', '-a', 'a.dfu'], { 'a.dfu': bytes })
    expect(made('a.dfu')).toEqual(withDfuSuffix(bytes, 0x0100, usb))
    expect(await readImage(made('a.dfu'), 'a.dfu')).toMatchObject({
      segments: [{ address: 0, bytes }],
      claims: { usb },
    })
  })

  it('accept the suffix of our DfuSe', () => {
    const file = formatDfuSe(low, { usb })
    expect(run('dfu-suffix', ['-c', 'b.dfu'], { 'b.dfu': file })).toMatch(/0x011a/i)
  })

  it('add prefixes for other boot loaders, which we do not take for firmware', async () => {
    run('dfu-prefix', ['-s', '0x2000', '-a', 'c.bin'], { 'c.bin': bytes })
    const ti = withDfuSuffix(made('c.bin'), 0x0100, usb)
    expect(await refused(readImage(ti, 'c.dfu'))).toMatchObject({
      why: 'unknown-format',
      found: 'TI Stellaris DFU',
    })
    run('dfu-prefix', ['-L', '-a', 'd.bin'], { 'd.bin': bytes })
    const nxp = withDfuSuffix(made('d.bin'), 0x0100, usb)
    expect(await refused(readImage(nxp, 'd.dfu'))).toMatchObject({
      why: 'unknown-format',
      found: 'NXP LPC DFU',
    })
  })
})

describe('gzip, zip and tar', () => {
  const hex = formatIntelHex(high)
  const long = `${'folder/'.repeat(20)}firmware.hex`

  it('pack what we unpack', async () => {
    for (const level of ['-1', '-6', '-9']) {
      run('gzip', ['-kf', level, 'packed.hex'], { 'packed.hex': hex })
      const image = await readImage(made('packed.hex.gz'), 'unnamed')
      expect(image).toMatchObject({ format: 'Intel HEX', wrappers: ['gzip'], segments: high })
    }
    for (const way of ['-0', '-9', '-fz', '-fd']) {
      run('zip', [way, '-q', `zip${way}.zip`, 'packed.hex', 'notes.txt'], { 'notes.txt': 'Flash it.' })
      const image = await readImage(made(`zip${way}.zip`), 'unnamed')
      expect(image, way).toMatchObject({ wrappers: ['ZIP'], segments: high })
    }
  })

  it('name and pack files in each dialect of tar as we find them', async () => {
    mkdirSync(join(folder, long, '..'), { recursive: true })
    const files = { [long]: hex, 'other.hex': formatIntelHex(low) }
    for (const dialect of ['v7', 'ustar', 'gnu', 'pax']) {
      const name = dialect === 'v7' || dialect === 'ustar' ? 'packed.hex' : long // they have no room for it
      run('tar', ['--format', dialect, '-cf', 'a.tar', name, 'other.hex', 'notes.txt'], files)
      const question = await refused(readImage(made('a.tar'), 'unnamed'))
      expect(question.parts?.map((part) => part.name)).toEqual([name, 'other.hex'])
      const part = question.parts?.[0]?.id as string
      expect(await readImage(made('a.tar'), 'unnamed', { part })).toMatchObject({
        format: 'Intel HEX',
        wrappers: ['tar'],
        segments: high,
      })
    }
    run('tar', ['-czf', 'a.tgz', 'packed.hex', 'notes.txt'])
    expect((await readImage(made('a.tgz'), 'a.tgz')).wrappers).toEqual(['gzip', 'tar'])
  })

  it('with md5sum make a .tar.md5 as phones have it', async () => {
    run('tar', ['-cf', 'b.tar', '--format', 'ustar', 'packed.hex'])
    const sum = run('md5sum', ['-t', 'b.tar'])
    writeFileSync(join(folder, 'b.tar.md5'), Buffer.concat([made('b.tar'), Buffer.from(sum)]))
    expect((await readImage(made('b.tar.md5'), 'b.tar.md5')).segments).toEqual(high)
    const changed = made('b.tar.md5')
    changed[2000] = (changed[2000] as number) ^ 1
    expect(await refused(readImage(changed, 'b.tar.md5'))).toMatchObject({ why: 'bad-hash' })
  })
})

describe('img2simg', () => {
  it('leaves out and fills what we put back', () => {
    const noise = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 2654435761) >>> 13)
    const partition = new Uint8Array(4096 * 64)
    partition.set(noise(10_000), 0)
    partition.fill(0x5a, 4096 * 10, 4096 * 20)
    partition.set(noise(5000), 4096 * 40)
    for (const blockBytes of ['4096', '1024']) {
      run('img2simg', ['a.img', 'a.simg', blockBytes], { 'a.img': partition })
      const { segments } = parseAndroidSparse(made('a.simg'))
      expect(equal(flatten(segments, { address: 0, length: partition.length }, 0), partition)).toBe(true)
    }
  })
})
