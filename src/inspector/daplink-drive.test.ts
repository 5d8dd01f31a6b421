import { crc32 } from 'node:zlib'
import { describe, expect, it, test } from 'vitest'
import { daplinkFile, outcomeOf, parseDetails, refusalOf, type DaplinkDetails } from './daplink-drive.ts'

const kl26z = { hicId: 0x9796_9901, start: 0x8000, length: 0x1_7c00 }
const interfaceKey = 0x9b93_9e8f

/** As the build makes it: the whole region, its checksum in the last word. */
function firmware(version: number, { key = interfaceKey, hicId = kl26z.hicId, length = kl26z.length } = {}) {
  const bytes = new Uint8Array(length).map((_, i) => i * 7)
  bytes.set(new Uint8Array(Uint32Array.of(key, hicId, version).buffer), 0x20)
  new DataView(bytes.buffer).setUint32(length - 4, crc32(bytes.subarray(0, -4)), true)
  return bytes
}
function fileOf(bytes: Uint8Array) {
  const file = daplinkFile([{ address: kl26z.start, bytes }], crc32(bytes))
  if (!file) throw new Error('no DAPLink')
  return file
}
function detailsOf(text: string): DaplinkDetails {
  const details = parseDetails(text)
  if (!details) throw new Error('no DETAILS.TXT')
  return details
}

const details = (mode: 'Bootloader' | 'Interface', version: string, crc: number, hic = '97969901') =>
  [
    '# DAPLink Firmware - see https://daplink.io',
    'Unique ID: 02000000113b101e00000000000000000000000097969901',
    `HIC ID: ${hic}`,
    'Automation allowed: 0',
    `Daplink Mode: ${mode}`,
    'Bootloader Version: 0243',
    `Interface Version: ${version}`,
    'USB Interfaces: MSD, CDC, HID, WebUSB',
    `Interface CRC: 0x${crc.toString(16).padStart(8, '0')}`,
    '',
  ].join('\r\n')

const maintenance = detailsOf(details('Bootloader', '0253', 0x1234))

test('DETAILS.TXT says which drive it is, of which probe', () => {
  expect(maintenance).toEqual({
    isMaintenance: true,
    hicId: 0x9796_9901,
    uniqueId: '02000000113b101e00000000000000000000000097969901',
    ...{ version: '0253', bootloaderVersion: '0243', crc: 0x1234 },
  })
  expect(detailsOf('Daplink Mode: Interface\n')).toMatchObject({ isMaintenance: false, hicId: undefined })
  for (const text of ['', 'Board-ID: RPI-RP2', 'Mode: Bootloader', 'Daplink Mode: other'])
    expect(parseDetails(text)).toBeUndefined()
})

describe('a file', () => {
  it('is taken by the MAINTENANCE drive of the probe that it is for', () => {
    expect(fileOf(firmware(257))).toMatchObject({ part: 'interface', version: '0257', isDamaged: false })
    expect(refusalOf(fileOf(firmware(257)), maintenance)).toBeUndefined()
  })

  it('is refused by any other drive', () => {
    const file = fileOf(firmware(257))
    expect(refusalOf(file, { ...maintenance, isMaintenance: false })).toBe('not-maintenance')
    expect(refusalOf(file, { ...maintenance, hicId: 0x9796_9900 })).toBe('other-chip')
    expect(refusalOf(file, { ...maintenance, hicId: undefined })).toBe('no-id')
  })

  it('is for a probe that only its usual drive can tell of', () => {
    const lpc11u35 = { hicId: 0x9796_9902, length: 0xf000 }
    const usual = { ...maintenance, isMaintenance: false }
    expect(refusalOf(fileOf(firmware(257, lpc11u35)), { ...usual, hicId: lpc11u35.hicId })).toBeUndefined()
    expect(refusalOf(fileOf(firmware(257, lpc11u35)), usual)).toBe('other-chip')
  })

  it('is refused where it is a boot loader, or damaged', () => {
    expect(refusalOf(fileOf(firmware(257, { key: 0x9b93_9d93 })), maintenance)).toBe('boot-loader')
    expect(refusalOf(fileOf(firmware(257).with(5000, 0)), maintenance)).toBe('damaged')
  })

  it('without the block is none', () => {
    const bytes = new Uint8Array(4096)
    expect(daplinkFile([{ address: 0, bytes }], crc32(bytes))).toBeUndefined()
    expect(daplinkFile([], 0)).toBeUndefined()
  })
})

describe('after the copy', () => {
  const file = fileOf(firmware(257))
  const now = (version: string, crc: number, mode: 'Bootloader' | 'Interface' = 'Interface') =>
    outcomeOf(file, maintenance, detailsOf(details(mode, version, crc)))

  it('only the checksum of what it runs is a proof', () => {
    expect(now('0257', file.crc ?? 0)).toBe('proven')
    expect(now('0257', 1)).toBe('other-content')
    expect(now('0253', file.crc ?? 0)).toBe('other-version')
    expect(now('0253', 1, 'Bootloader')).toBe('still-maintenance')
  })

  it('a file that is shorter than its place has no checksum to be held against', () => {
    const short = fileOf(firmware(257, { length: 4096 }))
    expect(short).toMatchObject({ crc: undefined, isDamaged: false })
    expect(outcomeOf(short, maintenance, detailsOf(details('Interface', '0257', 1)))).toBe('version-only')
  })

  it('another probe proves nothing', () => {
    const other = detailsOf(details('Interface', '0257', file.crc ?? 0).replace('02000000', '02000001'))
    expect(outcomeOf(file, maintenance, other)).toBe('other-unit')
  })
})
