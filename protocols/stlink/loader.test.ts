import { describe, expect, test } from 'vitest'
import { fromHex, hexBytes, swapWords } from '#core/bytes.ts'
import { decrypt, deviceKey, encrypt, layered, unlayered } from './loader-cipher.ts'
import { generations } from './loader-layout.ts'
import {
  askConfig,
  askStatus,
  checksum,
  commandBlock,
  dataBlock,
  downloadFrame,
  erasePage,
  eraseSector,
  formatStatus,
  parseDownload,
  parseHardware,
  parseIdentity,
  parseStatus,
  setAddress,
} from './loader-packets.ts'

const text = (bytes: Uint8Array): string => hexBytes(bytes, '').toUpperCase()
const counting = (length: number) => Uint8Array.from({ length }, (_, i) => i)
const uid = '1521090032124353354B4E00'
const keyOf = (protocol: 1 | 2 | 3, prefix: string, id: string) => deviceKey(protocol, fromHex(prefix + id))

describe('test vectors of the key and the wire', () => {
  const k1 = keyOf(1, '4000FFFF', uid)
  const k6 = keyOf(3, '0002FFFF', uid)

  test('1, 2: the key of a V2 and of a V2-1, as public logs print them', () => {
    expect(text(k1)).toBe('13FD63335262B06910F29B9ABE16B9BD')
    expect(text(keyOf(2, '8000FFFF', '53FF70064849675555500867'))).toBe('D4E014681B4E998EB5DDFCB1FC5922CA')
  })

  test.each([
    ['3', counting(16), 0x0078, '339732DE262D54D2016558844D1B5C8D'],
    ['4', new Uint8Array(16).fill(0xff), 0x0ff0, '0B3C40CBB7E44BB82F79FDEC62AD9D1D'],
  ])('%s: a block of a V2', (_, plain, sum, wire) => {
    expect(checksum(layered(1, plain))).toBe(sum)
    expect(text(encrypt(k1, layered(1, plain)))).toBe(wire)
    expect(decrypt(k1, fromHex(wire))).toEqual(plain)
  })

  test('5: a whole page of a V2', () => {
    const plain = counting(1024)
    const wire = encrypt(k1, plain)
    expect(checksum(plain)).toBe(0xfe00)
    expect(text(wire.subarray(0, 16))).toBe('339732DE262D54D2016558844D1B5C8D')
    expect(text(wire.subarray(-16))).toBe('BE0507396ECFA36B2D2E7B7EDC0CC0C6')
    const { length } = plain
    expect(text(downloadFrame({ block: dataBlock, checksum: 0xfe00, length }))).toBe(
      'F301020000FE00040000000000000000',
    )
  })

  test('6, 7: key and block of a V3, whose image has a layer of its own', () => {
    expect(text(k6)).toBe('82EBF780620DB3199A68994B492AB5D5')
    const layer = layered(3, counting(16))
    expect(text(layer)).toBe('D4DC6ACBBD0DC53857DADE2DE2286351')
    expect(checksum(layer)).toBe(0x08a6)
    expect(text(encrypt(k6, layer))).toBe('E0B998148600F923747529E5FAE8B4C2')
    expect(unlayered(3, layer)).toEqual(counting(16))
  })

  test('8: what a vendor file is wrapped in', () => {
    expect(text(encrypt(new TextEncoder().encode('best performance'), counting(16)))).toBe(
      '18CAB642979AF5686824722598200729',
    )
  })

  test.each([
    ['9: erase a page', erasePage(0x0800_4000), 'F3010000890005000000000000000000', '4100400008'],
    ['10: set the address', setAddress(0x0800_4000), 'F3010000690005000000000000000000', '2100400008'],
  ])('%s', (_, payload, header, bytes) => {
    const { length } = payload
    expect(text(payload)).toBe(bytes)
    expect(text(downloadFrame({ block: commandBlock, checksum: checksum(payload), length }))).toBe(header)
  })
})

test('words are swapped, and swapped again they are as they were', () => {
  expect(text(swapWords(counting(8)))).toBe('0302010007060504')
  expect(swapWords(swapWords(counting(32)))).toEqual(counting(32))
})

test('a sector is erased by its number', () => {
  expect(text(eraseSector(5))).toBe('4205000000')
})

test('what it says of itself', () => {
  const { flashKib, type, uid: id, keyMaterial } = parseIdentity(fromHex(`4000FFFF4D000000${uid}`))
  expect([flashKib, type, text(id)]).toEqual([64, 'M', uid])
  expect(text(keyMaterial)).toBe(`4000FFFF${uid}`)
  expect(parseHardware(fromHex('01000021' + '00'.repeat(12)))).toEqual({
    version: '2.1',
    is128Kib: true,
    reserves20Kib: false,
  })
})

test.each([
  [1, 64, 0, 48],
  [2, 64, 0, 47],
  [1, 128, 0, 110],
  [2, 128, 20, 92],
  [3, 512, 0, 384],
  [3, 512, 20, 256],
])('of a chip with protocol %i and %i KiB, %i reserved, it writes %i', (protocol, kib, reserved, writes) => {
  expect((generations[protocol]?.flash(kib, reserved).length ?? 0) / 1024).toBe(writes)
})

test('frames that ask, and what comes back', () => {
  expect(text(askStatus)).toBe('F3030000000006000000000000000000')
  expect(text(askConfig)).toBe('F3094000000000000000000000000000')
  const status = { status: 'errVENDOR', pollMs: 0x01_0203, state: 4 } as const
  expect(parseStatus(formatStatus(status))).toEqual(status)
  const download = { block: 2, checksum: 0x1234, length: 1024 }
  expect(parseDownload(downloadFrame(download))).toEqual(download)
})
