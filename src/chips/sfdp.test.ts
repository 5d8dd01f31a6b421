import { expect, test } from 'vitest'
import { blank, fromHex } from '#core/bytes.ts'
import { readSfdp } from './sfdp.ts'

/** Dumps of real chips: QEMU, `hw/block/m25p80_sfdp.c`, and Linux, `drivers/mtd/spi-nor/winbond.c` (commit messages). */
const dump = (pieces: Record<number, string>): Uint8Array => {
  const bytes = blank(512)
  for (const [at, text] of Object.entries(pieces)) bytes.set(fromHex(text), Number(at))
  return bytes
}
const w25q512 = {
  0x00: '53464450060101ff00060110800000ff84000102d00000ff03000102f00000ff',
  0x80: 'e520fbffffffff1f44eb086b083b42bbfeffffffffff0000ffff40eb0c200f5210d800003602a60082ea14e2e96376337a757a75f7a2d55c19f74dffe970f9a5',
  0xd0: 'ff0af0ff21ffdcff',
}
const mx25l256 = {
  0x00: '53464450000101ff00000109300000ffc2000104600000ff',
  0x30: 'e520f3ffffffff0f44eb086b083b04bbeeffffffffff00ffffff00ff0c200f5210d800ff',
  0x60: '00360027f74fffffd9c8ffffffffffff',
}
const w25q64 = {
  0x00: '53464450060101ff00060110800000ff',
  0x80: 'e520f9ffffffff0344eb086b083b42bbfeffffffffff0000ffff40eb0c200f5210d800003602a60082ea14c4e96376337a757a75f7bdd55c19f75dffe930f880',
}

const from = (bytes: Uint8Array) =>
  readSfdp((address, length) => Promise.resolve(bytes.slice(address, address + length)))
const mib = 1024 * 1024
const sizes = (erases: readonly { opcode: number; bytes: number }[] | undefined) =>
  erases?.map(({ opcode, bytes }) => [opcode, bytes / 1024])

test('a W25Q512JV: times, four address bytes, and its own commands for those', async () => {
  const sfdp = await from(dump(w25q512))
  expect(sfdp).toMatchObject({ revision: '1.6', bytes: 64 * mib, pageBytes: 256, addressBytes: '3 or 4' })
  expect(sizes(sfdp?.erases)).toEqual([
    ...[
      [0x20, 4],
      [0x52, 32],
      [0xd8, 64],
    ],
  ])
  expect(sfdp?.erases.map(({ typicalMs }) => typicalMs)).toEqual([64, 128, 160])
  expect(sfdp?.erases[0]?.longestMs).toBe(64 * 14)
  expect(sizes(sfdp?.native4?.erases)).toEqual([
    ...[
      [0x21, 4],
      [0xdc, 64],
    ],
  ])
  expect(sfdp?.enters4).toEqual(['b7', 'ear', 'native'])
  expect(sfdp?.chipEraseMs).toBe(192_000 * 14)
  expect(sfdp?.losesStatus2).toBe(false)
})

test('a MX25L25635E, of the first revision, says no times', async () => {
  const sfdp = await from(dump(mx25l256))
  expect(sfdp).toMatchObject({ bytes: 32 * mib, pageBytes: 256, addressBytes: '3 or 4', enters4: [] })
  expect(sizes(sfdp?.erases)).toEqual([
    ...[
      [0x20, 4],
      [0x52, 32],
      [0xd8, 64],
    ],
  ])
  expect(sfdp?.erases[0]).toEqual({ opcode: 0x20, bytes: 4096 })
  expect([sfdp?.programMs, sfdp?.chipEraseMs, sfdp?.native4]).toEqual([undefined, undefined, undefined])
})

test('a W25Q64JW has three address bytes, and loses its second status register by a short write', async () => {
  const sfdp = await from(dump(w25q64))
  expect(sfdp).toMatchObject({ bytes: 8 * mib, addressBytes: '3', losesStatus2: true })
})

test.each([
  ['nothing', {}],
  ['a wrong signature', { ...w25q64, 0: '53464451060101ff00060110800000ff' }],
  ['another major revision', { ...w25q64, 0: '53464450060201ff00060110800000ff' }],
  ['no basic table', { ...w25q64, 0: '53464450060101ff01060110800000ff' }],
  ['a basic table too short', { ...w25q64, 0: '53464450060101ff00060108800000ff' }],
  ['a size that is no power of two', { ...w25q64, 0x84: 'fefffe03' }],
  ['a size beyond four address bytes', { ...w25q64, 0x84: '24000080' }],
  ['no erase at all', { ...w25q64, 0x80: 'e7fff9ff', 0x9c: '0000000000000000' }],
] as [string, Record<number, string>][])('%s is not believed', async (_, pieces) => {
  expect(await from(dump(pieces))).toBeUndefined()
})

test('whatever it says, so many bytes are read and no more', async () => {
  const asked: number[] = []
  await readSfdp((address, length) => {
    asked.push(length)
    const bytes = new Uint8Array(length).fill(0xff)
    if (address === 0) bytes.set(fromHex('53464450060101ff'))
    if (address === 8) for (let at = 0; at < length; at += 8) bytes.set(fromHex('000601ff000000ff'), at)
    return Promise.resolve(bytes)
  })
  expect(Math.max(...asked)).toBeLessThanOrEqual(256)
})
